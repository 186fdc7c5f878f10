/** Which URLs and headers a check may use: what is wrong with one, in one line, or null. */

import { isIP } from 'node:net';
import { refusedAddress, refusedHost } from '../rules/address-policy.ts';
import type { Code } from './diagnostics.ts';

export interface Objection {
  readonly code: Code;
  readonly message: string;
  readonly hint?: string;
}

const MAX_HOST = 253;

export const urlProblem = (url: string): Objection | null => {
  const no = (message: string, hint?: string): Objection => ({
    code: 'E505',
    message,
    ...(hint ? { hint } : {}),
  });
  if (/\s/.test(url)) return no('a URL has no spaces or line breaks');
  const parsed = URL.parse(url);
  if (!parsed) return no('not a URL: see its host and port');
  const { protocol, username, password, hash, port, hostname } = parsed;
  if (protocol !== 'http:' && protocol !== 'https:')
    return no(`${protocol} URLs are not checked`, 'use http or https');
  if (username || password) return no('a URL must not hold credentials', 'use auth: {basic: …}');
  if (hash) return no('a URL that is asked for has no "#" part');
  if (port === '0') return no('port 0 cannot be connected to');
  if (hostname.length > MAX_HOST) return no(`a host has at most ${MAX_HOST} characters`);
  const why = refusal(hostname);
  return why === null ? null : no(`${hostname} is never probed: it is ${why}`);
};

const refusal = (hostname: string): string | null => {
  const address = hostname.replace(/^\[|\]$/g, '');
  return isIP(address) ? refusedAddress(address) : refusedHost(hostname);
};

/** Of a check without a `url`: its key is the rest of one. */
export const keyProblem = (scheme: string, key: string): Objection | null => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(key)) {
    const hint = 'drop "scheme://" and set scheme, or give the check a name and a url';
    return { code: 'E505', message: 'a key has no scheme', hint };
  }
  return urlProblem(`${scheme}://${key}`);
};

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Of the connection, not of the request: the probe sets them. */
const OURS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export const headerProblem = (name: string, value: string): Objection | null => {
  const no = (message: string): Objection => ({ code: 'E506', message });
  if (!TOKEN.test(name)) return no(`"${name}" is not the name of a header`);
  if (OURS.has(name.toLowerCase())) return no(`${name} is set by watcher itself`);
  if (LINE_BREAKING.test(value))
    return no(`the value of ${name} has a line break or control character`);
  return UNSENDABLE.test(value)
    ? no(`the value of ${name} has characters that HTTP cannot carry`)
    : null;
};

/** They would end the header and start another: request splitting. Tabs are fine. */
const LINE_BREAKING = /(?!\t)\p{Cc}/u;
const UNSENDABLE = /[^\p{Cc}\u0020-\u00ff]/u;

/** CONNECT asks for a tunnel, not for an answer. */
export const methodProblem = (method: string): string | null =>
  /^[A-Z]{1,20}$/.test(method) && method !== 'CONNECT'
    ? null
    : `method must be GET, HEAD, POST or the like in capitals, not ${JSON.stringify(method)}`;
