/** What all checks with one request share, worked out once: headers, body, channel. */

import type { Auth, HttpRequest } from '../../shared/domain/check.ts';
import { hasReference } from '../../shared/secrets/reference.ts';
import type { Secrets } from '../../shared/secrets/resolve.ts';
import type { Channel } from './channel.ts';
import type { Deadlines } from './deadlines.ts';
import type { Problem } from './problem.ts';
import type { Target } from './target.ts';

/** Names and values in turn, as undici takes them, without the host. */
export type HeaderList = readonly string[];

export interface PreparedHttp {
  readonly request: HttpRequest;
  readonly channel: Channel;
  /** Of the runs that have the same timeout. */
  readonly deadlines: Deadlines;
  /** Of the request's own `url`; null when the check's key is the target. */
  readonly target: Target | Problem | null;
  /** A host header that stands in for the target's. */
  readonly host: string | null;
  /** Throws a WCH_SECRET error when a secret cannot be read. */
  readonly headers: (secrets: Secrets) => HeaderList;
  /** Without those that only the check's own origin may see. */
  readonly foreignHeaders: HeaderList;
  /** The body holds a secret, so that no other origin may see it. */
  readonly isBodyBound: boolean;
}

const DEFAULTS: readonly Header[] = [
  ['user-agent', 'watcher'],
  ['accept', '*/*'],
];

/** Not even a value written into the file in plain sight goes to another origin in one of these. */
const BOUND = new Set(['authorization', 'proxy-authorization', 'cookie']);

type Header = readonly [name: string, value: string];

/** The parts of a `PreparedHttp` that are about headers and body. */
export const prepareHeaders = (
  request: HttpRequest,
): Pick<PreparedHttp, 'host' | 'headers' | 'foreignHeaders' | 'isBodyBound'> => {
  const given = request.headers.map(([name, value]): Header => [name.toLowerCase(), value]);
  const named = new Set(given.map(([name]) => name));
  const sent = [
    ...DEFAULTS.filter(([name]) => !named.has(name)),
    ...given.filter(([name]) => name !== 'host'),
  ];
  return {
    host: given.find(([name]) => name === 'host')?.[1] ?? null,
    headers: headerMaker(sent, request.auth),
    foreignHeaders: sent.filter(([name, value]) => !BOUND.has(name) && !hasReference(value)).flat(),
    isBodyBound: request.body !== undefined && hasReference(request.body),
  };
};

/** Headers without secrets are made once, the others for each run. */
const headerMaker = (sent: readonly Header[], auth?: Auth): ((secrets: Secrets) => HeaderList) => {
  if (auth === undefined && !sent.some(([, value]) => hasReference(value))) {
    const list = sent.flat();
    return () => list;
  }
  return (secrets) => {
    const list = sent.flatMap(([name, value]) => [name, secrets.resolve(value)]);
    if (auth !== undefined) list.push('authorization', credentials(auth, secrets));
    return list;
  };
};

const credentials = (auth: Auth, secrets: Secrets): string => {
  if (auth.kind === 'bearer') return `Bearer ${secrets.resolve(auth.token)}`;
  const pair = `${secrets.resolve(auth.username)}:${secrets.resolve(auth.password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
};
