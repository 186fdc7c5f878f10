/**
 * What an audit looks at: store → **picture** → judgement. Kinds are read one after the other, so
 * they differ by a few revisions; every repair is conditional on what it saw, and the order makes safe
 * what conditions cannot say.
 */

import { decodeDefinitions } from '../shared/coordination/definitions.ts';
import type { Keys } from '../shared/coordination/keys.ts';
import type { Entry, KeyValueStore } from '../shared/coordination/kv.ts';
import {
  decodeCheckpoint,
  decodeJobset,
  decodeOwnership,
  decodeProgress,
  decodeSuspects,
  decodeWorker,
  NewerRecord,
} from '../shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type {
  Checkpoint,
  Jobset,
  Ownership,
  Progress,
  Suspects,
  WorkerRecord,
} from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';

export interface Seen<T> {
  readonly entry: Entry;
  /** Null when this version cannot read it: it may be a newer watcher's, and is left alone. */
  readonly record: T | null;
}

export interface Unreadable {
  readonly key: string;
  readonly why: string;
}

/** Jobsets found to have all their definitions, with the revisions at which that was so. */
export type Whole = ReadonlyMap<JobsetId, string>;

export interface Picture {
  readonly progresses: ReadonlyMap<WorkerId, Seen<Progress>>;
  readonly workers: ReadonlyMap<WorkerId, Seen<WorkerRecord>>;
  readonly owners: ReadonlyMap<JobsetId, Seen<Ownership>>;
  readonly jobsets: ReadonlyMap<JobsetId, Seen<Jobset>>;
  readonly checkpoints: ReadonlyMap<JobsetId, Seen<Checkpoint>>;
  readonly suspects: ReadonlyMap<JobsetId, Seen<Suspects>>;
  readonly chunks: ReadonlyMap<JobsetId, readonly Entry[]>;
  /** Jobs that stand in more than one place. */
  readonly doubled: ReadonlySet<CheckId>;
  /** Jobsets without the definitions of all their jobs. */
  readonly damaged: ReadonlySet<JobsetId>;
  readonly whole: Whole;
  readonly unreadable: readonly Unreadable[];
}

export interface PictureSource {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
}

/**
 * The order matters twice. Progress, then workers, then checkpoints: a worker that comes back after its
 * absence was seen writes its progress anew before a checkpoint can name it. Jobsets, then definitions:
 * as long as a jobset's revision stands, so do the definitions that were read after it. Definitions are
 * most of what there is to read, and hardly ever change: those of `last` are not decoded again.
 */
export const takePicture = async (
  { store, keys, clock }: PictureSource,
  last: Whole,
): Promise<Picture> => {
  const slice = new TimeSlice(clock);
  const unreadable: Unreadable[] = [];
  const read = async <Id extends string, T>(
    prefix: string,
    decode: (id: Id, entry: Entry) => T,
  ): Promise<Map<Id, Seen<T>>> => {
    const seen = new Map<Id, Seen<T>>();
    const { entries } = await store.snapshot(prefix);
    for (const entry of entries) {
      if (slice.isSpent) await slice.rest();
      const id = entry.key.slice(prefix.length) as Id;
      seen.set(id, { entry, record: decoded(entry, () => decode(id, entry), unreadable) });
    }
    return seen;
  };
  const progresses = await read(keys.progresses, (_: WorkerId, entry) => decodeProgress(entry));
  const workers = await read(keys.workers, decodeWorker);
  const owners = await read(keys.owners, (_: JobsetId, entry) => decodeOwnership(entry));
  const jobsets = await read(keys.jobsets, decodeJobset);
  const checkpoints = await read(keys.checkpoints, (_: JobsetId, entry) => decodeCheckpoint(entry));
  const suspects = await read(keys.allSuspects, (_: JobsetId, entry) => decodeSuspects(entry));
  const { entries } = await store.snapshot(keys.allDefinitions);
  const chunks = byJobset(entries, keys, unreadable);
  const doubled = await doubledIn(jobsets, slice);
  const wholeness = await wholenessOf({ jobsets, chunks, unreadable }, last, slice);
  const records = { progresses, workers, owners, jobsets, checkpoints, suspects };
  return { ...records, chunks, doubled, ...wholeness, unreadable };
};

const doubledIn = async (jobsets: Picture['jobsets'], slice: TimeSlice): Promise<Set<CheckId>> => {
  const placed = new Set<CheckId>();
  const doubled = new Set<CheckId>();
  for (const { record } of jobsets.values()) {
    if (slice.isSpent) await slice.rest();
    for (const job of record?.jobs ?? []) (placed.has(job) ? doubled : placed).add(job);
  }
  return doubled;
};

const wholenessOf = async (
  {
    jobsets,
    chunks,
    unreadable,
  }: Pick<Picture, 'jobsets' | 'chunks'> & { readonly unreadable: Unreadable[] },
  last: Whole,
  slice: TimeSlice,
): Promise<Pick<Picture, 'damaged' | 'whole'>> => {
  const damaged = new Set<JobsetId>();
  const whole = new Map<JobsetId, string>();
  for (const [id, { entry, record }] of jobsets) {
    if (slice.isSpent) await slice.rest();
    if (record === null) continue;
    const defined = chunks.get(id) ?? [];
    const revisions = [entry, ...defined].map(({ modRevision }) => modRevision).join();
    const state = last.get(id) === revisions ? 'whole' : stateOf(record, defined, unreadable);
    if (state === 'whole') whole.set(id, revisions);
    if (state === 'damaged') damaged.add(id);
  }
  return { damaged, whole };
};

const stateOf = (
  jobset: Jobset,
  chunks: readonly Entry[],
  unreadable: Unreadable[],
): 'whole' | 'damaged' | 'unreadable' => {
  try {
    const defined = new Set(decodeDefinitions(chunks).map(({ id }) => id));
    return jobset.jobs.every((job) => defined.has(job)) ? 'whole' : 'damaged';
  } catch (error) {
    if (!(error instanceof NewerRecord)) return 'damaged';
    unreadable.push({ key: chunks[0]?.key ?? '', why: error.message });
    return 'unreadable';
  }
};

const decoded = <T>(entry: Entry, decode: () => T, unreadable: Unreadable[]): T | null => {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof WatcherError && error.code === 'WCH_RECORD')) throw error;
    unreadable.push({ key: entry.key, why: error.message });
    return null;
  }
};

const byJobset = (
  entries: readonly Entry[],
  keys: Keys,
  unreadable: Unreadable[],
): Map<JobsetId, Entry[]> => {
  const chunks = new Map<JobsetId, Entry[]>();
  for (const entry of entries) {
    const place = /^(.+)\/\d+$/.exec(entry.key.slice(keys.allDefinitions.length));
    const id = place?.[1] as JobsetId | undefined;
    if (id === undefined) {
      unreadable.push({ key: entry.key, why: `${entry.key} is not a key of watcher` });
      continue;
    }
    const chunksOf = chunks.get(id);
    if (chunksOf) chunksOf.push(entry);
    else chunks.set(id, [entry]);
  }
  return chunks;
};
