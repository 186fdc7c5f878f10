/** Whether a request was signed as AWS demands: the part of the double that knows the secrets. */

import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** In the services' own form. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/;
const MUST_BE_SIGNED = ['host', 'x-amz-date', 'content-type', 'x-amz-target'];
const MAX_SKEW_MS = 5 * 60_000;

/** Access key, day, region, service. */
export const credentialOf = (request: IncomingMessage): readonly string[] | undefined =>
  AUTHORIZATION.exec(request.headers.authorization ?? '')?.[1]?.split('/');

const unsigned = (message: string): Refusal => ({
  code: 'InvalidSignatureException',
  status: 403,
  message,
});

interface Expected {
  /** Access key to secret. */
  readonly keys: ReadonlyMap<string, string>;
  /** The server's clock, ms since the epoch. */
  readonly now: number;
  readonly service: string;
}

/** Signature Version 4, from the specification: the secret is known, so it can be made again. */
export const signatureProblem = (
  request: IncomingMessage,
  raw: Buffer,
  { keys, now, service: expectedService }: Expected,
): Refusal | null => {
  const [, scope = '', signed = '', signature] =
    AUTHORIZATION.exec(request.headers.authorization ?? '') ?? [];
  if (signature === undefined)
    return { ...unsigned('no signature'), code: 'MissingAuthenticationToken' };
  const [accessKeyId = '', day = '', region = '', service = '', end] = scope.split('/');
  const secret = keys.get(accessKeyId);
  if (secret === undefined)
    return {
      code: 'UnrecognizedClientException',
      status: 403,
      message: 'The security token included in the request is invalid.',
    };
  const names = signed.split(';');
  const bare = MUST_BE_SIGNED.find((name) => !names.includes(name));
  if (bare !== undefined) return unsigned(`${bare} is not signed`);
  const date = String(request.headers['x-amz-date']);
  if (service !== expectedService || end !== 'aws4_request' || !date.startsWith(day))
    return unsigned('Credential should be scoped to the correct service and day.');
  const skew = instantOf(date) - now;
  if (skew < -MAX_SKEW_MS)
    return unsigned(`Signature expired: ${date} is now earlier than allowed`);
  if (skew > MAX_SKEW_MS) return unsigned(`Signature not yet current: ${date}`);
  const canonical = [
    'POST',
    '/',
    '',
    ...names.map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signed,
    sha256(raw),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope.slice(accessKeyId.length + 1), sha256(canonical)];
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  const expected = hmac(key, toSign.join('\n')).toString('hex');
  return expected === signature
    ? null
    : unsigned(
        `The request signature we calculated does not match.\nThe Canonical String was\n${canonical}`,
      );
};

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** `20260101T000000Z` as ms since the epoch. */
const instantOf = (date: string): number =>
  Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
