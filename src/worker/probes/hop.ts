/** One request of a run: the first, or the one that a redirect asks for. Pure. */

import { WatcherError } from '../../shared/domain/errors.ts';
import type { ConnectTo } from '../../shared/rules/connect-to.ts';
import type { Secrets } from '../../shared/secrets/resolve.ts';
import type { HeaderList, PreparedHttp } from './prepared.ts';
import type { Problem } from './problem.ts';
import { isProblem, type Target, targetOf } from './target.ts';

export interface Hop {
  readonly target: Target;
  readonly method: string;
  /** Value of the host header. */
  readonly host: string;
  readonly headers: HeaderList;
  readonly body: string | null;
}

/** What a response says about going on. */
export interface Redirection {
  readonly statusCode: number;
  readonly location: string;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const isRedirect = (statusCode: number): boolean => REDIRECTS.has(statusCode);

export const redirectRefused = (why: string): Problem => ({
  code: 'redirect_refused',
  detail: `redirected, but ${why}`,
});

export const firstHop = (
  target: Target,
  { request, host, headers }: PreparedHttp,
  secrets: Secrets,
): Hop | Problem => {
  try {
    return {
      target,
      method: request.method,
      host: host ?? target.hostHeader,
      headers: headers(secrets),
      body: request.body === undefined ? null : secrets.resolve(request.body),
    };
  } catch (error) {
    if (!(error instanceof WatcherError)) throw error;
    return { code: 'checker_secret', detail: error.message };
  }
};

/** A problem never quotes the location, which may hold a token. */
export const nextHop = (
  from: Hop,
  { statusCode, location }: Redirection,
  prepared: PreparedHttp,
  connectTo: ConnectTo,
): Hop | Problem => {
  const base = `${from.target.secure ? 'https' : 'http'}://${from.target.hostHeader}`;
  // Header values come as Latin-1; who puts other letters into a location writes UTF-8.
  const text = Buffer.from(location, 'latin1').toString();
  const target = targetOf(text, connectTo, base + from.target.path);
  if (isProblem(target)) return redirectRefused(target.detail);
  const isForeign = target.origin !== from.target.origin;
  const method = methodAfter(from.method, statusCode);
  const body = method === from.method ? from.body : null;
  if (isForeign && body !== null && prepared.isBodyBound) {
    return redirectRefused('another origin must not see the secret in the body');
  }
  // What was left behind once is not there any more, should the road lead back.
  const headers = isForeign ? prepared.foreignHeaders : from.headers;
  return {
    target,
    method,
    host: isForeign ? target.hostHeader : from.host,
    headers: method === prepared.request.method ? headers : withoutContent(headers),
    body,
  };
};

/** Browsers and curl turn a POST into a GET on 301 and 302 as well; 307 and 308 keep the method. */
const methodAfter = (method: string, statusCode: number): string => {
  if (method === 'HEAD' || statusCode === 307 || statusCode === 308) return method;
  return statusCode === 303 || method === 'POST' ? 'GET' : method;
};

/** Headers that speak of a body which is not sent any more. */
const withoutContent = (headers: HeaderList): HeaderList =>
  headers.filter((_, at) => !headers[at - (at % 2)]?.startsWith('content-'));
