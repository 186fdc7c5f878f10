/**
 * Records of the ledger ⇄ JSON with a version number. A version from the future is refused for that
 * key alone, so that during an upgrade an old process goes on with all it understands.
 */

import type { JobsetId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { Beat, Jobset, Ownership, WorkerRecord } from '../domain/jobset.ts';
import type { Entry } from './kv.ts';

const VERSION = 1;

/** The record as it is stored: without the id, which is in the key. */
type Stored<T> = Omit<T, 'id'>;

const encode = (record: object): Buffer => Buffer.from(JSON.stringify({ v: VERSION, ...record }));

/** Of a value that some version of watcher wrote; throws WCH_RECORD for any other. */
export const parseRecord = (key: string, text: string): Readonly<Record<string, unknown>> => {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    throw new WatcherError('WCH_RECORD', `${key} is not a record of watcher`, { cause });
  }
  const version = (record as { v?: unknown } | null)?.v;
  if (version === VERSION) return record as Record<string, unknown>;
  const why = typeof version === 'number' ? `has version ${version}` : 'has no version';
  throw new WatcherError('WCH_RECORD', `${key} ${why}: this watcher reads version ${VERSION}`);
};

const decode = <T>(entry: Entry): Stored<T> => {
  const { v: _, ...record } = parseRecord(entry.key, entry.value.toString());
  return record as Stored<T>;
};

export const encodeJobset = ({ id: _, ...stored }: Jobset): Buffer => encode(stored);
export const decodeJobset = (id: JobsetId, entry: Entry): Jobset => ({
  id,
  ...decode<Jobset>(entry),
});

export const encodeWorker = ({ id: _, ...stored }: WorkerRecord): Buffer => encode(stored);

export const encodeBeat = (beat: Beat): Buffer => encode(beat);

export const encodeOwnership = (ownership: Ownership): Buffer => encode(ownership);
export const decodeOwnership = (entry: Entry): Ownership => decode<Ownership>(entry);

export const encodeLeader = (leader: { readonly id: string }): Buffer => encode(leader);
