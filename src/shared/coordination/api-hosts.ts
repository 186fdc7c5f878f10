/** Where a new job of the API may stand: a jobset that has room, or a new one. */

import type { CheckDefinition, JobsetId, WorkerId } from '../domain/check.ts';
import { JOBSET_SIZE, type Jobset, type WorkerRecord } from '../domain/jobset.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { TimeSlice } from '../runtime/time-slice.ts';
import { decodeDefinitions } from './definitions.ts';
import type { Keys } from './keys.ts';
import type { Condition, Entry, KeyValueStore, Read, Write } from './kv.ts';
import { ownerIn } from './ledger.ts';
import { readable } from './ledger-rows.ts';
import type { LedgerView } from './ledger-view.ts';
import { decodeJobset, encodeOwnership } from './records.ts';

export interface HostOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly view: LedgerView;
  readonly clock: Clock;
  readonly random: Random;
}

/** The worker that is to run the job first, and its entry. */
export interface Member {
  readonly record: WorkerRecord;
  readonly entry: Entry;
}

export interface Host {
  readonly jobset: Jobset;
  readonly definitions: readonly CheckDefinition[];
  readonly owner: WorkerId | null;
  /** That all of this still is so. */
  readonly conditions: readonly Condition[];
  /** Gives a new one to the named worker. */
  readonly claim: readonly Write[];
}

/** With a member: one that it owns. */
export const hostFor = async (
  options: HostOptions,
  zone: string | null,
  member: Member | null,
): Promise<Host> => (await standing(options, zone, member)) ?? fresh(options, zone, member);

/** As it stands in the store at one revision. */
export const readJobset = async (
  { store, keys }: Pick<HostOptions, 'store' | 'keys'>,
  id: JobsetId,
) => {
  const all: Read[] = [
    { kind: 'get', key: keys.jobset(id) },
    { kind: 'get', key: keys.owner(id) },
    { kind: 'list', prefix: keys.definitions(id) },
  ];
  const { reads } = await store.commit([], all);
  const [record, own, chunks = []] = reads;
  return { record: record?.[0] ?? null, own: own?.[0] ?? null, chunks };
};

export const zoneOf = ({ spec }: CheckDefinition): string | null => spec.zone ?? null;

const standing = async (
  options: HostOptions,
  zone: string | null,
  member: Member | null,
): Promise<Host | null> => {
  const { keys, view, clock } = options;
  const slice = new TimeSlice(clock);
  for (const seen of view.jobsets) {
    if (slice.isSpent) await slice.rest();
    const id = keys.jobsetOf(seen.key);
    if (!hasRoom(id, seen, zone) || !isOf(member, view.owner(id))) continue;
    const host = await standingAs(options, id, zone);
    if (host !== null && (member === null || host.owner === member.record.id)) return host;
  }
  return null;
};

/** Null when it has no room any more, or cannot be read. */
const standingAs = async (
  options: HostOptions,
  id: JobsetId,
  zone: string | null,
): Promise<Host | null> => {
  const { record, own, chunks } = await readJobset(options, id);
  const definitions = readable(() => decodeDefinitions(chunks));
  if (record === null || definitions === null || !hasRoom(id, record, zone)) return null;
  const conditions = [
    { key: record.key, modRevision: record.modRevision },
    // It may be handed back meanwhile: then it is not the named worker's any more.
    { key: options.keys.owner(id), modRevision: own?.modRevision ?? 0 },
  ];
  const jobset = decodeJobset(id, record);
  return { jobset, definitions, owner: own && ownerIn(own), conditions, claim: [] };
};

const isOf = (member: Member | null, own: Entry | null): boolean =>
  member === null || (own !== null && ownerIn(own) === member.record.id);

/**
 * A new jobset; a named worker's lies under its lease from the first moment on, and is free when that
 * ends. The race: the worker dies or announces its drain meanwhile, and its record is not as it was.
 */
const fresh = ({ keys, random }: HostOptions, zone: string | null, member: Member | null): Host => {
  const id = random.uuid() as JobsetId;
  const empty = { source: 'api', jobs: [], digest: '', chunks: 0 } as const;
  const jobset = { ...empty, id, zone, avoid: [], waiting: null, moveTo: null };
  const host = { jobset, definitions: [] };
  const isNew = { key: keys.jobset(id), modRevision: 0 };
  const lease = member?.entry.lease ?? null;
  if (member === null || lease === null)
    return { ...host, owner: null, conditions: [isNew], claim: [] };
  const { key, modRevision } = member.entry;
  const worker = member.record.id;
  const value = encodeOwnership({ worker, nonce: random.uuid(), holdMs: 0 });
  return {
    ...host,
    owner: worker,
    conditions: [isNew, { key, modRevision }],
    claim: [{ kind: 'put', key: keys.owner(id), value, lease }],
  };
};

/** A second chunk says that it is large already, whatever the number of its jobs. */
const hasRoom = (id: JobsetId, record: Entry, zone: string | null): boolean => {
  const jobset = readable(() => decodeJobset(id, record));
  if (jobset === null || jobset.source !== 'api' || jobset.zone !== zone) return false;
  const isOrdinary = jobset.avoid.length === 0 && jobset.waiting === null;
  return jobset.jobs.length < JOBSET_SIZE && jobset.chunks === 1 && isOrdinary;
};
