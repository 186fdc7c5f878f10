/**
 * Who may ask what. On loopback the danger is a browser on the same machine: a page that posts
 * here, or a name of its own that it lets resolve to 127.0.0.1. Elsewhere the token decides.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopback } from '../rules/loopback.ts';
import { problem, type RouteReply } from './route.ts';

export interface Caller {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** The route needs no token. */
  readonly open: boolean;
  /** Too many wrong tokens came from its address. */
  readonly blocked: boolean;
}

/** Null lets the caller in. `token` is null where none is set, which is possible on loopback only. */
export function refusalOf(caller: Caller, token: string | null): RouteReply | null {
  if (token === null && !isLoopback(hostname(caller.host)))
    return problem(403, 'host_refused', 'this address answers to localhost only');
  if (caller.method !== 'GET' && caller.method !== 'HEAD' && isForeign(caller))
    return problem(403, 'origin_refused', 'a page of another origin may not do this');
  if (token === null || caller.open) return null;
  if (caller.blocked) return problem(429, 'too_many_attempts', 'wrong tokens; wait a minute');
  if (isBearer(caller.authorization, token)) return null;
  return problem(401, 'unauthorized', 'a bearer token is needed');
}

const hostname = (host: string | undefined): string =>
  (host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');

/** Only browsers send an origin, and they send it with everything that changes something. */
const isForeign = ({ origin, host }: Caller): boolean =>
  origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`;

/** Digests have one length, so that the comparison takes the same time for every guess. */
const isBearer = (authorization: string | undefined, token: string): boolean => {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
};
