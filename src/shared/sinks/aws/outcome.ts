/** What the SDK's rejection means for the items of a call: the SDK → **outcome** → delivery. Pure. */

import { WatcherError } from '../../domain/errors.ts';
import { excerpt } from '../../rules/excerpt.ts';
import type { Outcome, Verification } from '../destination.ts';
import { failureWords } from '../http/failure.ts';
import { LONGEST_WAIT_MS, retryAfterMs } from '../http/retry-after.ts';

/** Whom a call went to, in words for a reason. */
export interface AwsTarget {
  /** Such as `CloudWatch in eu-west-1`. */
  readonly name: string;
  /** What a person must grant. */
  readonly permission: string;
}

/** What the SDK rejects with, where it has got an answer. */
interface ServiceError extends Error {
  readonly $metadata: { readonly httpStatusCode: number; readonly clockSkewCorrected?: boolean };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

/** Without the ends that differ between the protocols of one service. */
const codeOf = (error: Error): string => error.name.replace(/(Exception|Fault|Error)$/, '');

const EXPIRED: ReadonlySet<string> = new Set(['ExpiredToken', 'RequestExpired']);
const SKEWED: ReadonlySet<string> = new Set(['RequestTimeTooSkewed', 'RequestInTheFuture']);
const THROTTLED = /Thrott|^TooManyRequests|LimitExceeded$|^SlowDown$/;
const TOO_LARGE = /TooLarge$|EntityTooLarge/;
const DENIED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AuthFailure',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignature',
  'MissingAuthenticationToken',
  'NotAuthorized',
  'OptInRequired',
  'ResourceNotFound',
  'SignatureDoesNotMatch',
  'SubscriptionRequired',
  'UnknownOperation',
  'UnrecognizedClient',
]);

/** `now` is the wall clock's, for headers that name an instant. */
export const outcomeOf = (error: unknown, target: AwsTarget, now: number): Outcome => {
  if (error instanceof WatcherError && error.code === 'WCH_SECRET')
    return { kind: 'denied', reason: error.message };
  if (isServiceError(error)) return outcomeOfAnswer(error, target, now);
  if (error instanceof Error && codeOf(error) === 'CredentialsProvider')
    return {
      kind: 'denied',
      reason: `${target.name}: no credentials: set key and secret, or the usual environment or role of AWS; they need ${target.permission}`,
    };
  return { kind: 'retry', reason: `${target.name}: ${failureWords(error)}` };
};

/** Credentials that have ended are asked for anew, those that were refused as well. */
export const needsCredentials = (error: unknown, { kind }: Outcome): boolean =>
  kind === 'denied' || (error instanceof Error && EXPIRED.has(codeOf(error)));

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error &&
  typeof (error as Partial<ServiceError>).$metadata?.httpStatusCode === 'number';

const outcomeOfAnswer = (error: ServiceError, target: AwsTarget, now: number): Outcome => {
  const status = error.$metadata.httpStatusCode;
  const code = codeOf(error);
  const reason = reasonOf(error, target);
  if (status < 300)
    return { kind: 'retry', reason: `${target.name}: HTTP ${status}, but not an answer of AWS` };
  if (status < 400)
    return { kind: 'denied', reason: `${reason}: redirects are refused; is the address right?` };
  if (isPassing(error)) return { kind: 'retry', reason, ...waitOf(error, now) };
  if (EXPIRED.has(code)) return { kind: 'retry', reason: `${reason}: the credentials have ended` };
  if (status === 413 || TOO_LARGE.test(code) || isOverLimit(error))
    return { kind: 'split', drop: 'size', reason };
  if (DENIED.has(code) || status === 401 || status === 403 || status === 404)
    return { kind: 'denied', reason: `${reason}; needed: ${target.permission}` };
  return { kind: 'split', drop: 'refused', reason };
};

/** The SDK has set its clock by the answer when it says `clockSkewCorrected`. */
const isPassing = (error: ServiceError): boolean => {
  const { httpStatusCode: status, clockSkewCorrected = false } = error.$metadata;
  const code = codeOf(error);
  if (status >= 500 || status === 429 || status === 408 || status === 425) return true;
  if (clockSkewCorrected || SKEWED.has(code)) return true;
  return THROTTLED.test(code) || /^Signature (expired|not yet current)/.test(error.message);
};

/** Of PutEvents, which has no code of its own for it. */
const isOverLimit = ({ message }: ServiceError): boolean =>
  /total size.*over the limit/i.test(message);

const waitOf = ({ $response }: ServiceError, now: number): { readonly afterMs?: number } => {
  const headers = $response?.headers ?? {};
  const own = Number(headers['x-amz-retry-after'] ?? Number.NaN);
  const afterMs = own >= 0 ? Math.min(own, LONGEST_WAIT_MS) : retryAfterMs(headers, now);
  return afterMs === undefined ? {} : { afterMs };
};

const EXCERPT_BYTES = 200;
/** Their messages quote the request, with its session token. */
const QUOTING = /Signature|Token|Client|Syntax/;

const reasonOf = (error: ServiceError, { name }: AwsTarget): string => {
  const code = codeOf(error);
  if (code === 'Syntax' || code === 'Unknown')
    return `${name}: HTTP ${error.$metadata.httpStatusCode}`;
  const message = QUOTING.test(code) ? '' : `: ${excerpt(error.message, EXCERPT_BYTES)}`;
  return `${name}: ${error.name}${message}`;
};

/** `message` says what was accepted. */
export const verificationOf = (outcome: Outcome, message: string): Verification => {
  if (outcome.kind === 'delivered') return { state: 'ok', message };
  const reason = outcome.kind === 'partial' ? outcome.failed[0]?.reason : outcome.reason;
  return { state: 'failed', message: reason ?? 'refused' };
};
