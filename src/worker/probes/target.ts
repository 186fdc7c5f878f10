/**
 * Where a run goes: a URL reduced to what a connection and a request line need. The WHATWG parser
 * does the reading, so that `127.1`, `0x7f.1` and `2130706433` are all 127.0.0.1 before the address
 * policy sees them.
 */

import { isIP } from 'node:net';
import type { ConnectTo } from '../../shared/rules/connect-to.ts';
import type { Problem } from './problem.ts';

export interface Target {
  /** `scheme://host:port`: what secrets and kept connections are bound to. */
  readonly origin: string;
  readonly secure: boolean;
  /** Lower case, punycode, no brackets. */
  readonly host: string;
  readonly port: number;
  readonly hostHeader: string;
  /** Path and query. */
  readonly path: string;
  /** What is connected to: host and port, or what `--connect-to` puts in their place. */
  readonly dialHost: string;
  readonly dialPort: number;
  /** Address family of `dialHost` when it is an address, 0 when it is a name. */
  readonly literal: number;
}

/** The longest name that DNS can hold. */
const LONGEST_HOST = 253;

export const isProblem = (value: Target | Problem): value is Problem => 'code' in value;

const unusable = (detail: string): Problem => ({ code: 'checker_settings', detail });

/** Reads an absolute URL, or one relative to `base`. A problem never repeats the text it is about. */
export const targetOf = (text: string, connectTo: ConnectTo, base?: string): Target | Problem => {
  const url = URL.parse(text, base);
  if (url === null) return unusable('that is not a URL');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return unusable(`${url.protocol} is not a scheme that watcher speaks`);
  }
  if (url.username !== '' || url.password !== '') {
    return unusable('a URL must not hold a user name or password');
  }
  const secure = url.protocol === 'https:';
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  if (port === 0) return unusable('port 0 cannot be connected to');
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  if (host.length > LONGEST_HOST + 1) return unusable('the host name is too long');
  const place = connectTo(host, port);
  const dialHost = place?.host ?? host;
  return {
    origin: `${url.protocol}//${url.hostname}:${port}`,
    secure,
    host,
    port,
    hostHeader: url.host,
    path: url.pathname + url.search,
    dialHost,
    dialPort: place?.port ?? port,
    literal: isIP(dialHost),
  };
};

/**
 * The target of a check: `key` is `host[:port]/path[?query]`, `scheme` is `http` or `https`. Called
 * for every run, as a million checks must not each hold a target; the URL parser alone would cost
 * as much as all that a kept connection adds to a bare request.
 */
export const targetOfKey = (scheme: string, key: string, connectTo: ConnectTo): Target | Problem =>
  plainTarget(scheme === 'https', key, connectTo) ?? targetOf(`${scheme}://${key}`, connectTo);

/** A name that ends in no number, so that no parser takes it for an address; no punycode either. */
const PLAIN_NAME = /^(?!.*xn--)(?:[a-z0-9_-]{1,63}\.)*[a-z](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
/** Only what the URL parser leaves as it is. */
const PLAIN_PATH = /^\/[\w\-.~!$&()*+,;=:@%/]*(?:\?[\w\-.~!$&()*+,;=:@%/?]+)?$/;
/** Segments that the URL parser resolves: `.` and `..`, percent-encoded or not. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/?]|$)/i;
const PLAIN_PORT = /^[1-9]\d{0,4}$/;
const HIGHEST_PORT = 65_535;

/** What the URL parser would say of a key that needs no parsing; null for any other key. */
const plainTarget = (secure: boolean, key: string, connectTo: ConnectTo): Target | null => {
  const slash = key.indexOf('/');
  const colon = key.lastIndexOf(':', slash);
  const host = key.slice(0, colon < 0 ? slash : colon);
  const path = key.slice(slash);
  const isAddress = isIP(host) === 4;
  if (slash <= 0 || !(isAddress || isPlainName(host)) || !isPlainPath(path)) return null;
  const usual = secure ? 443 : 80;
  const port = colon < 0 ? usual : plainPort(key.slice(colon + 1, slash));
  if (port === null) return null;
  const place = connectTo(host, port);
  const dialHost = place?.host ?? host;
  const ownLiteral = isAddress ? 4 : 0;
  return {
    origin: `${secure ? 'https' : 'http'}://${host}:${port}`,
    secure,
    host,
    port,
    hostHeader: port === usual ? host : `${host}:${port}`,
    path,
    dialHost,
    dialPort: place?.port ?? port,
    literal: place === null ? ownLiteral : isIP(dialHost),
  };
};

const isPlainName = (host: string): boolean => host.length <= LONGEST_HOST && PLAIN_NAME.test(host);

const isPlainPath = (path: string): boolean => PLAIN_PATH.test(path) && !DOT_SEGMENT.test(path);

const plainPort = (digits: string): number | null =>
  PLAIN_PORT.test(digits) && Number(digits) <= HIGHEST_PORT ? Number(digits) : null;
