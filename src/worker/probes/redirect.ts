/** What a redirect asks for, and what watcher will do of it. */

import type { Problem } from './problem.ts';
import { type ConnectTo, isProblem, type Target, targetOf } from './target.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export const isRedirect = (statusCode: number): boolean => REDIRECTS.has(statusCode);

/** The next target. The problem never quotes the location, which may hold a token. */
export const redirectTarget = (
  from: Target,
  location: string,
  connectTo: ConnectTo,
): Target | Problem => {
  const base = `${from.secure ? 'https' : 'http'}://${from.hostHeader}${from.path}`;
  const target = targetOf(location, connectTo, base);
  return isProblem(target) ? redirectRefused(target.detail) : target;
};

export const redirectRefused = (why: string): Problem => ({
  code: 'redirect_refused',
  detail: `redirected: ${why}`,
});

/** Browsers and curl turn a POST into a GET on 301 and 302 as well; 307 and 308 keep the method. */
export const redirectMethod = (method: string, statusCode: number): string => {
  if (method === 'GET' || method === 'HEAD' || statusCode === 307 || statusCode === 308) return method;
  return statusCode === 303 || method === 'POST' ? 'GET' : method;
};
