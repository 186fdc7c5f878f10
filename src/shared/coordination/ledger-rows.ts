/**
 * Records of the ledger as the API shows them: entries → **rows**. A record that is damaged, or that
 * only a newer watcher can read, is a row that says so, and every other row is what it is.
 */

import type { CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { Beat, WorkerRecord } from '../domain/jobset.ts';
import type { JobsetView, WorkerView } from '../domain/pool-views.ts';

import { utilisationOf } from '../rules/load.ts';

import type { Entry } from './kv.ts';
import { ownerIn } from './ledger.ts';
import { decodeBeat, decodeJobset, decodeWorker } from './records.ts';

interface JobsetEntries {
  readonly record: Entry;
  readonly own: Entry | null;
  /** Its owner's. */
  readonly beat: Entry | null;
  readonly keyOf: (job: CheckId) => string | null;
}

export const jobsetView = (id: JobsetId, entries: JobsetEntries): JobsetView => {
  const { record, own, beat, keyOf } = entries;
  const owner = own && ownerIn(own);
  const jobset = decoded(() => decodeJobset(id, record));
  const isRead = typeof jobset !== 'string';
  const jobs = isRead ? jobset.jobs : [];
  return {
    id,
    owner,
    heartbeat: (beat && readable(() => decodeBeat(beat))?.at) ?? null,
    jobs,
    keys: jobs.map(keyOf),
    source: isRead ? jobset.source : null,
    zone: isRead ? jobset.zone : null,
    avoid: isRead ? jobset.avoid : [],
    waiting: isRead ? jobset.waiting : null,
    moveTo: isRead ? jobset.moveTo : null,
    revision: record.modRevision,
    token: owner === null ? null : (own?.modRevision ?? null),
    unreadable: isRead ? null : jobset,
  };
};

interface WorkerEntries {
  readonly record: Entry;
  readonly beat: Entry | null;
  readonly unchangedForMs: number | null;
}

export const workerView = (id: WorkerId, entries: WorkerEntries): WorkerView => {
  const worker = decoded(() => decodeWorker(id, entries.record));
  const isRead = typeof worker !== 'string';
  const beat = entries.beat && readable(() => decodeBeat(entries.beat as Entry));
  return {
    id,
    state: isRead ? worker.state : null,
    zone: isRead ? worker.zone : null,
    host: isRead ? worker.host : null,
    version: isRead ? worker.version : null,
    listen: isRead ? worker.listen : null,
    started: isRead ? worker.started : null,
    capacity: isRead ? worker.capacity : null,
    load: beat?.load ?? null,
    utilisation: isRead ? usedOf(worker, beat) : null,
    owned: beat?.owned ?? null,
    checks: beat?.checks ?? null,
    heartbeat: beat?.at ?? null,
    unchangedForMs: entries.unchangedForMs,
    unreadable: isRead ? null : worker,
  };
};

const usedOf = ({ capacity }: WorkerRecord, beat: Beat | null): number | null =>
  beat && utilisationOf(beat.load, capacity, beat.checks);

/** The record, or why it cannot be read. */
const decoded = <T extends object>(decode: () => T): T | string => {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WatcherError && error.code === 'WCH_RECORD') return error.message;
    throw error;
  }
};

/** Null for a record that cannot be read. */
export const readable = <T extends object>(decode: () => T): T | null => {
  const record = decoded(decode);
  return typeof record === 'string' ? null : record;
};
