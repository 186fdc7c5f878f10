/**
 * Where a run goes: a URL reduced to what a connection and a request line need. The WHATWG parser
 * does the reading, so that `127.1`, `0x7f.1` and `2130706433` are all 127.0.0.1 before the address
 * policy sees them.
 */

import { isIP } from 'node:net';
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

/** Host and port that stand in for a target's own; null leaves them. */
export type ConnectTo = (host: string, port: number) => Place | null;

export interface Place {
  readonly host: string;
  readonly port: number;
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
 * The targets of check keys. Reading a URL costs about as much as all that a kept connection adds
 * to a bare request, so the last ones are remembered; a million checks must not each hold one.
 */
export class Targets {
  readonly #known = new Map<string, Target | Problem>();
  readonly #connectTo: ConnectTo;
  readonly #capacity: number;

  constructor(connectTo: ConnectTo, capacity = 20_000) {
    this.#connectTo = connectTo;
    this.#capacity = capacity;
  }

  /** `key` is `host[:port]/path[?query]`; `scheme` is `http` or `https`. */
  of(scheme: string, key: string): Target | Problem {
    const known = this.#known.get(key);
    if (known !== undefined && (isProblem(known) || known.secure === (scheme === 'https'))) {
      return known;
    }
    const target = targetOf(`${scheme}://${key}`, this.#connectTo);
    if (this.#known.size >= this.#capacity) this.#forgetOldest();
    this.#known.set(key, target);
    return target;
  }

  #forgetOldest(): void {
    for (const key of this.#known.keys()) {
      this.#known.delete(key);
      return;
    }
  }
}
