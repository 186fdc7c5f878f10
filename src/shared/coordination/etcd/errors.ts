/**
 * What went wrong with a call to etcd, in the store port's words: etcd3's error → **fault** → WatcherError.
 * grpc knows a dozen codes and etcd a hundred texts; the callers need to know four things: was it sent,
 * is the member to blame, is it an answer, and who can help.
 */

import * as etcd from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';

export type Fault =
  /** No connection: nothing has left this process. */
  | 'never_sent'
  /** No connection, because one side does not trust the other's certificate. */
  | 'untrusted'
  /** An answer, of a cluster that is not ours. */
  | 'foreign'
  /** No answer within the deadline: the member, or the way to it, may hang for ever. */
  | 'stuck'
  /** Sent; whether it was carried out is unknown. */
  | 'unavailable'
  | 'denied'
  /** The store's quota is used up: it takes no writes and grants no leases, and changed nothing. */
  | 'full'
  | 'lease_lost'
  | 'limit'
  /** The answer is longer than this process accepts. */
  | 'answer_too_long'
  | 'compacted'
  /** Ours: etcd does not understand what was asked. */
  | 'defect';

export class ForeignClusterError extends Error {
  override readonly name = 'ForeignClusterError';

  constructor(cluster: string, ours: string) {
    super(`cluster ${cluster} instead of ${ours}`);
  }
}

/** The texts are those of etcd's api/v3rpc/rpctypes/error.go and of grpc-js 1.14. */
const TEXTS: readonly (readonly [RegExp, Fault])[] = [
  [/No connection established.*(certificate|altnames|SSL|TLS|CERT_)/is, 'untrusted'],
  [/No connection established|Channel closed before call started|Name resolution/, 'never_sent'],
  [/database space exceeded/, 'full'],
  [/Received message larger than max/, 'answer_too_long'],
  [/request is too large|too many operations|duplicate key given/, 'limit'],
  [/has been compacted|is a future revision/, 'compacted'],
  [
    /permission denied|authentication failed|invalid auth token|user name is empty|authentication is not enabled/,
    'denied',
  ],
  [/requested lease not found/, 'lease_lost'],
  // The token is from before a change of users or roles: a new client asks for another.
  [/revision of auth store is old/, 'stuck'],
];

const CLASSES: readonly (readonly [new (...args: never[]) => Error, Fault])[] = [
  [etcd.ClientClosedError, 'never_sent'],
  [etcd.EtcdLeaseInvalidError, 'lease_lost'],
  [etcd.EtcdAuthenticationFailedError, 'denied'],
  [etcd.EtcdPermissionDeniedError, 'denied'],
  [etcd.EtcdInvalidAuthTokenError, 'denied'],
  [etcd.GRPCUnauthenticatedError, 'denied'],
  [etcd.GRPCDeadlineExceededError, 'stuck'],
  [etcd.GRPCInvalidArgumentError, 'defect'],
  [etcd.GRPCNotImplementedError, 'defect'],
  [etcd.GRPCGenericError, 'unavailable'],
  [etcd.EtcdError, 'unavailable'],
];

export const faultOf = (error: unknown): Fault => {
  if (!(error instanceof Error)) return 'defect';
  if (error instanceof ForeignClusterError) return 'foreign';
  const cast = etcd.castGrpcError(error);
  const text = TEXTS.find(([pattern]) => pattern.test(cast.message));
  if (text !== undefined) return text[1];
  return CLASSES.find(([type]) => cast instanceof type)?.[1] ?? 'defect';
};

const MEMBER_FAULTS: readonly Fault[] = [
  'never_sent',
  'untrusted',
  'foreign',
  'stuck',
  'unavailable',
];

/** Another member may do better. */
export const isMembersFault = (fault: Fault): boolean => MEMBER_FAULTS.includes(fault);

/** Only a new connection, with the certificate files read anew, can help. */
export const needsNewClient = (fault: Fault): boolean =>
  ['stuck', 'untrusted', 'foreign'].includes(fault);

const ADVICE: Partial<Record<Fault, string>> = {
  untrusted: 'TLS failed: check the CA, the certificate and the key for etcd',
  foreign:
    'another etcd cluster answers: check the endpoints; if etcd was replaced, restart watcher',
  denied: "etcd refuses this user: check the user, the password and the role's prefix",
  full: "etcd's quota is used up: nothing is written until it is compacted, defragmented and its alarm disarmed",
  answer_too_long: 'the answer is too long',
};

/** `what` says what was tried, and where. */
export const storeError = (fault: Fault, what: string, cause: unknown): Error => {
  if (fault === 'defect') return cause instanceof Error ? cause : new Error(what, { cause });
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `${what}: ${ADVICE[fault] ?? 'failed'} (${reason})`;
  if (fault === 'lease_lost') return new WatcherError('WCH_LEASE_LOST', message, { cause });
  if (fault === 'full') return new WatcherError('WCH_STORE_FULL', message, { cause });
  if (fault === 'limit') return new WatcherError('WCH_STORE_LIMIT', message, { cause });
  if (fault === 'compacted') return new WatcherError('WCH_STORE_COMPACTED', message, { cause });
  const retryable = ['never_sent', 'foreign', 'stuck', 'unavailable'].includes(fault);
  return new WatcherError('WCH_STORE_UNAVAILABLE', message, { cause, retryable });
};

export const isAnswerTooLong = (error: unknown): boolean =>
  error instanceof WatcherError && faultOf(error.cause) === 'answer_too_long';
