/** The store port's nouns as etcd's messages, and back. */

import {
  CompareResult,
  CompareTarget,
  type ICompare,
  type IEvent,
  type IKeyValue,
  type IRangeRequest,
  type IRequestOp,
  type ITxnRequest,
  type ITxnResponse,
} from 'etcd3';
import type { Change, Condition, Entry, Operation, Read } from '../kv.ts';

const ZERO = Buffer.from([0]);

/** All keys from this one up to the end of the prefix, exclusive; `\0` is etcd's word for no bound. */
export const rangeOf = (prefix: string): { readonly key: Buffer; readonly range_end: Buffer } => {
  if (prefix === '') return { key: ZERO, range_end: ZERO };
  const key = Buffer.from(prefix);
  const end = Buffer.from(key);
  const at = end.findLastIndex((byte) => byte < 0xff);
  if (at < 0) return { key, range_end: ZERO };
  end[at] = (end[at] ?? 0) + 1;
  return { key, range_end: end.subarray(0, at + 1) };
};

/** The first key after this one. */
export const keyAfter = (key: Buffer): Buffer => Buffer.concat([key, ZERO]);

const readRange = (read: Read): IRangeRequest =>
  read.kind === 'list' ? rangeOf(read.prefix) : { key: Buffer.from(read.key) };

const operationOf = (operation: Operation): IRequestOp => {
  if (operation.kind === 'delete')
    return { request_delete_range: { key: Buffer.from(operation.key) } };
  if (operation.kind !== 'put') return { request_range: readRange(operation) };
  const { key, value, lease } = operation;
  return {
    request_put: { key: Buffer.from(key), value, ...(lease === undefined ? {} : { lease }) },
  };
};

const comparisonOf = ({ key, modRevision }: Condition): ICompare => ({
  result: CompareResult.Equal,
  target: CompareTarget.Mod,
  key: Buffer.from(key),
  mod_revision: modRevision,
});

export const transactionOf = (
  when: readonly Condition[],
  then: readonly Operation[],
  otherwise: readonly Read[],
): ITxnRequest => ({
  compare: when.map(comparisonOf),
  success: then.map(operationOf),
  failure: otherwise.map(operationOf),
});

export const entryOf = (kv: IKeyValue): Entry => ({
  key: kv.key.toString(),
  value: kv.value,
  modRevision: Number(kv.mod_revision),
  lease: kv.lease === '0' ? null : kv.lease,
});

/** The answers to the reads of the branch taken; those to its writes say nothing. */
export const readsOf = ({ responses }: ITxnResponse): Entry[][] =>
  responses.flatMap((response) =>
    response.response_range ? [response.response_range.kvs.map(entryOf)] : [],
  );

export const changeOf = ({ type, kv }: IEvent): Change =>
  type.toUpperCase() === 'DELETE'
    ? { kind: 'delete', key: kv.key.toString(), modRevision: Number(kv.mod_revision) }
    : { kind: 'put', entry: entryOf(kv) };
