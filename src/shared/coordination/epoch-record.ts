/**
 * Which life of the pool this is: `meta/epoch`, put once by whoever starts first and read by everybody
 * who joins. Revisions, and with them tokens, mean something within one epoch only.
 */

import { WatcherError } from '../domain/errors.ts';
import type { Random } from '../runtime/random.ts';
import type { Keys } from './keys.ts';
import type { Entry, KeyValueStore, Read } from './kv.ts';
import { NewerRecord, parseRecord } from './records.ts';

/** Of the ledger as a whole; a watcher that changes the protocol counts it up. */
const SCHEMA = 1;

export interface PoolEpoch {
  readonly epoch: string;
}

/**
 * To be called before anything is written. Throws WCH_RECORD when the pool is of a newer watcher.
 * The race: several start at once, and the first put holds; the others read it. After a lost answer
 * (WCH_STORE_UNAVAILABLE) the next call reads what stands, whoever has put it.
 */
export const joinEpoch = async (options: {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly random: Random;
}): Promise<PoolEpoch> => {
  const { store, keys, random } = options;
  const key = keys.epoch;
  const get: Read = { kind: 'get', key };
  // Read first: a store that is full refuses a transaction that might put something.
  const standing = (await store.commit([], [get])).reads[0]?.[0];
  if (standing) return epochIn(standing);
  const value = Buffer.from(JSON.stringify({ v: 1, epoch: random.uuid(), schema: SCHEMA }));
  const absent = { key, modRevision: 0 };
  const { reads } = await store.commit([absent], [{ kind: 'put', key, value }, get], [get]);
  const [entry] = reads[0] ?? [];
  if (entry) return epochIn(entry);
  throw new WatcherError('WCH_STORE_UNAVAILABLE', `${key} was deleted meanwhile`, {
    retryable: true,
  });
};

const epochIn = (entry: Entry): PoolEpoch => {
  const { key } = entry;
  const { epoch, schema } = parseRecord(key, entry.value.toString());
  if (typeof epoch !== 'string' || typeof schema !== 'number')
    throw new WatcherError('WCH_RECORD', `${key} does not say which pool this is`);
  if (schema > SCHEMA)
    throw new NewerRecord(key, `says that this pool has schema ${schema}, not ${SCHEMA}`);
  return { epoch };
};
