/** What a sink's answer means for the items of a call: transport → **outcome** → delivery. Pure. */

import { WatcherError } from '../../domain/errors.ts';
import { excerpt } from '../../rules/excerpt.ts';
import type { Outcome } from '../destination.ts';
import { failureWords, HttpFailure } from './failure.ts';
import { retryAfterMs } from './retry-after.ts';
import type { HttpAnswer } from './transport.ts';

/** Of a body in a reason: enough to tell what is wrong, too little to bury the log. */
const EXCERPT_BYTES = 120;

/** `now` is the wall clock's, for headers that name an instant. */
export const outcomeOf = (answer: HttpAnswer, now: number): Outcome => {
  const { status } = answer;
  if (status >= 200 && status < 300) return outcomeOfSuccess(answer);
  if (status >= 300 && status < 400) return { kind: 'denied', reason: redirectReason(answer) };
  if (status === 413) return { kind: 'split', drop: 'size', reason: reasonOf(answer) };
  if (status === 400 || status === 422)
    return { kind: 'split', drop: 'refused', reason: reasonOf(answer) };
  if (status === 401 || status === 403)
    return { kind: 'denied', reason: reasonOf(answer, 'wrong key, or a key of another site') };
  if (!isPassing(status)) return { kind: 'denied', reason: reasonOf(answer) };
  const afterMs = retryAfterMs(answer.headers, now);
  const retry = { kind: 'retry', reason: reasonOf(answer) } as const;
  return afterMs === undefined ? retry : { ...retry, afterMs };
};

/** What `HttpTransport.call` rejected with, or what was thrown before it was asked. */
export const outcomeOfFailure = (error: unknown): Outcome => {
  if (error instanceof WatcherError && error.code === 'WCH_SECRET')
    return { kind: 'denied', reason: error.message };
  if (error instanceof HttpFailure)
    return { kind: error.isFinal ? 'denied' : 'retry', reason: error.message };
  return { kind: 'retry', reason: failureWords(error) };
};

const isPassing = (status: number): boolean =>
  status === 408 || status === 425 || status === 429 || status >= 500;

/** A login page, a proxy's apology and an error in a 200 are no acceptance. */
const outcomeOfSuccess = (answer: HttpAnswer): Outcome => {
  if (isHtml(answer))
    return {
      kind: 'retry',
      reason: `HTTP ${answer.status} with an HTML page: not the sink itself`,
    };
  if (namesAnError(answer.body))
    return { kind: 'retry', reason: reasonOf(answer, 'but the body names an error') };
  return { kind: 'delivered' };
};

const isHtml = ({ headers, body }: HttpAnswer): boolean =>
  /^\s*(text\/html|application\/xhtml)/i.test(headers['content-type'] ?? '') ||
  /^\s*<(!doctype|html)/i.test(body);

const namesAnError = (body: string): boolean => {
  if (!/^\s*\{/.test(body)) return false;
  try {
    const { error, errors, status } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    return isFilled(errors) || isFilled(error) || status === 'error';
  } catch {
    return false;
  }
};

/** Absent, null, false, 0 and whatever is empty all say that there is no error. */
const isFilled = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);

const redirectReason = ({ status, headers: { location } }: HttpAnswer): string => {
  const host = location === undefined ? '' : hostIn(location);
  const where = host === '' ? '' : ` to ${excerpt(host, EXCERPT_BYTES)}`;
  return `HTTP ${status}${where}: redirects are refused: a key would go elsewhere`;
};

const SAME_HOST = 'the same host';

const hostIn = (location: string): string => {
  const base = 'http://same.invalid';
  const host = URL.parse(location, base)?.host ?? '';
  return host === new URL(base).host ? SAME_HOST : host;
};

const reasonOf = (answer: HttpAnswer, remark?: string): string => {
  const parts = [`HTTP ${answer.status}`, remark, isReadable(answer) ? said(answer.body) : ''];
  return parts.filter((part) => part !== undefined && part !== '').join(': ');
};

/** A word that the cut goes through is left out: the log cannot know half a key by sight. */
const said = (body: string): string => {
  const line = body.replace(/\s+/g, ' ').trim();
  const start = excerpt(line, EXCERPT_BYTES);
  return start.endsWith('…') ? start.replace(/[^\s"']*…$/, '…') : start;
};

const isReadable = (answer: HttpAnswer): boolean =>
  !isHtml(answer) &&
  /^\s*(text\/|application\/([\w.-]+[+-])?json)/i.test(answer.headers['content-type'] ?? '');
