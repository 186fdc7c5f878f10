import { expect, it } from 'vitest';
import { WatcherError } from '../../../../src/shared/domain/errors.ts';
import {
  needsCredentials,
  outcomeOf,
  verificationOf,
} from '../../../../src/shared/sinks/aws/outcome.ts';

const TARGET = { name: 'CloudWatch in eu-west-1', permission: 'cloudwatch:PutMetricData' };

interface Answer {
  readonly message?: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly clockSkewCorrected?: boolean;
}

const rejection = (name: string, answer: Answer = {}): Error => {
  const { message = 'said so', status = 400, headers = {}, ...metadata } = answer;
  const $metadata = { httpStatusCode: status, ...metadata };
  return Object.assign(new Error(message), { name, $metadata, $response: { headers } });
};
const outcomeFor = (name: string, answer: Answer = {}) =>
  outcomeOf(rejection(name, answer), TARGET, 0);

it.each([
  ['ThrottlingException', 400],
  ['Throttling', 400],
  ['TooManyRequestsException', 429],
  ['RequestLimitExceeded', 400],
  ['Unknown', 429],
  ['InternalServiceFault', 500],
  ['InternalException', 500],
  ['SyntaxError', 503],
  ['SyntaxError', 200],
  ['RequestTimeoutException', 408],
  ['ExpiredTokenException', 400],
  ['ExpiredToken', 403],
  ['RequestExpired', 400],
  ['RequestTimeTooSkewed', 403],
  ['RequestInTheFuture', 403],
])('repeats after %s with HTTP %i', (name, status) => {
  expect(outcomeFor(name, { status }).kind).toBe('retry');
});

it.each([
  ['AccessDeniedException', 400],
  ['AccessDenied', 403],
  ['UnrecognizedClientException', 403],
  ['InvalidClientTokenId', 403],
  ['SignatureDoesNotMatch', 403],
  ['InvalidSignatureException', 403],
  ['IncompleteSignature', 400],
  ['MissingAuthenticationToken', 403],
  ['OptInRequired', 403],
  ['ResourceNotFoundException', 400],
  ['SyntaxError', 403],
  ['SyntaxError', 401],
  ['SyntaxError', 404],
])('waits for a person after %s with HTTP %i, and names the permission', (name, status) => {
  const outcome = outcomeFor(name, { status });
  expect(outcome).toMatchObject({ kind: 'denied' });
  expect(outcome).toHaveProperty('reason', expect.stringContaining(TARGET.permission));
});

it.each([
  ['ValidationException', 400, 'refused'],
  ['InvalidParameterValueException', 400, 'refused'],
  ['InvalidParameterCombination', 400, 'refused'],
  ['SerializationException', 400, 'refused'],
  ['Unknown', 422, 'refused'],
  ['RequestEntityTooLarge', 413, 'size'],
  ['SyntaxError', 413, 'size'],
  ['RequestTooLargeException', 400, 'size'],
] as const)('halves the call after %s with HTTP %i', (name, status, drop) => {
  expect(outcomeFor(name, { status })).toMatchObject({ kind: 'split', drop });
});

it('halves a call whose entries are too large together', () => {
  const message = 'Total size of the entries in the request is over the limit.';
  expect(outcomeFor('ValidationException', { message })).toMatchObject({ drop: 'size' });
});

it('refuses redirects', () => {
  expect(outcomeFor('SyntaxError', { status: 302 })).toMatchObject({ kind: 'denied' });
});

it.each([
  ['the SDK has set its clock', 'SignatureDoesNotMatch', { clockSkewCorrected: true }],
  ['the clock is behind', 'InvalidSignatureException', { message: 'Signature expired: a < b' }],
  ['the clock is ahead', 'InvalidSignatureException', { message: 'Signature not yet current: a' }],
])('repeats when %s', (_, name, answer) => {
  expect(outcomeFor(name, { status: 403, ...answer }).kind).toBe('retry');
});

it.each([
  [{ 'x-amz-retry-after': '2500' }, 2500],
  [{ 'retry-after': '3' }, 3000],
  [{ 'x-amz-retry-after': '99999999' }, 600_000],
  [{ 'x-amz-retry-after': 'soon' }, undefined],
  [{}, undefined],
])('waits as %j asks for', (headers, afterMs) => {
  const outcome = outcomeFor('ThrottlingException', { headers: headers as Record<string, string> });
  expect(outcome).toHaveProperty('kind', 'retry');
  expect('afterMs' in outcome ? outcome.afterMs : undefined).toBe(afterMs);
});

it.each([
  ['ECONNREFUSED', 'CloudWatch in eu-west-1: connection refused'],
  ['ENOTFOUND', 'CloudWatch in eu-west-1: the name does not exist, says the resolver'],
  ['CERT_HAS_EXPIRED', 'CloudWatch in eu-west-1: TLS: the certificate has expired'],
])('repeats after %s, in words', (code, reason) => {
  const error = Object.assign(new Error('AKIDSECRET'), { code });
  expect(outcomeOf(error, TARGET, 0)).toEqual({ kind: 'retry', reason });
});

it('says what to do without credentials', () => {
  const error = Object.assign(new Error('none'), { name: 'CredentialsProviderError' });
  const outcome = outcomeOf(error, TARGET, 0);
  expect(outcome).toMatchObject({ kind: 'denied' });
  expect(outcome).toHaveProperty('reason', expect.stringContaining('set key and secret'));
});

it('passes on which secret cannot be read', () => {
  const error = new WatcherError('WCH_SECRET', '${env:KEY}: the variable is not set');
  expect(outcomeOf(error, TARGET, 0)).toEqual({ kind: 'denied', reason: error.message });
});

it.each(['SignatureDoesNotMatch', 'IncompleteSignature', 'InvalidClientTokenId', 'SyntaxError'])(
  'never repeats what %s says, for it may quote the request',
  (name) => {
    const message = 'x-amz-security-token:TOKEN';
    expect(JSON.stringify(outcomeFor(name, { message, status: 403 }))).not.toContain('TOKEN');
  },
);

it('cuts what the service says to one line', () => {
  const message = `a\nb${'x'.repeat(5000)}`;
  const outcome = outcomeFor('ValidationException', { message });
  const reason = 'reason' in outcome ? outcome.reason : '';
  expect(reason.length).toBeLessThan(300);
  expect(reason).not.toContain('\n');
});

it.each([
  ['ExpiredTokenException', 400, true],
  ['UnrecognizedClientException', 403, true],
  ['ThrottlingException', 400, false],
  ['RequestTimeTooSkewed', 403, false],
])('asks for credentials anew after %s with HTTP %i: %s', (name, status, anew) => {
  const error = rejection(name, { status });
  expect(needsCredentials(error, outcomeOf(error, TARGET, 0))).toBe(anew);
});

it('verifies by the outcome', () => {
  expect(verificationOf({ kind: 'delivered' }, 'taken')).toEqual({ state: 'ok', message: 'taken' });
  expect(verificationOf({ kind: 'denied', reason: 'no' }, 'taken')).toEqual({
    state: 'failed',
    message: 'no',
  });
  const failed = [{ index: 0, retry: false, reason: 'bad' }];
  expect(verificationOf({ kind: 'partial', failed }, 'taken')).toEqual({
    state: 'failed',
    message: 'bad',
  });
});
