/** The bounds of one commit, the same for every adapter. */

import { WatcherError } from '../domain/errors.ts';
import { type Condition, LIMITS, OPERATION_BYTES, type Operation, type Read } from './kv.ts';

const refuse = (what: string): never => {
  throw new WatcherError('WCH_STORE_LIMIT', `one commit cannot hold ${what}`);
};

const bytesOf = (operation: Operation): number => {
  const key = operation.kind === 'list' ? operation.prefix : operation.key;
  return OPERATION_BYTES + key.length + (operation.kind === 'put' ? operation.value.length : 0);
};

/** Throws WCH_STORE_LIMIT for a commit that etcd would refuse whatever it holds. */
export const checkRequest = (
  when: readonly Condition[],
  then: readonly Operation[],
  otherwise: readonly Read[],
): void => {
  const most = Math.max(when.length, then.length, otherwise.length);
  if (most > LIMITS.operations) refuse(`${most} operations: at most ${LIMITS.operations}`);
  let bytes = 0;
  const written = new Set<string>();
  for (const { key } of when) bytes += OPERATION_BYTES + key.length;
  for (const read of otherwise) bytes += bytesOf(read);
  for (const operation of then) {
    bytes += bytesOf(operation);
    if (operation.kind !== 'put' && operation.kind !== 'delete') continue;
    if (written.has(operation.key)) refuse(`two writes of ${operation.key}`);
    written.add(operation.key);
  }
  if (bytes > LIMITS.requestBytes) refuse(`${bytes} bytes: at most ${LIMITS.requestBytes}`);
};
