/**
 * What the ledger knows of jobs that their workers may have died of: claim → **suspects** → caution.
 *
 * Each write is conditional on the claim, and is answered before what it is about runs: a worker that
 * dies of a job has said before that it was going to run it.
 */

import type { CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import type { Checkpoint, Handover, Jobset, Suspects, Suspicion } from '../domain/jobset.ts';
import type { Entry, Write } from './kv.ts';
import type { Claim, Ledger } from './ledger.ts';
import {
  decodeCheckpoint,
  decodeSuspects,
  encodeCheckpoint,
  encodeJobset,
  encodeSuspects,
} from './records.ts';
import { type Content, handOn, type Move, splitOff } from './splitting.ts';

type Place = Pick<Ledger, 'store' | 'keys' | 'random'>;

/** What a claim finds of whoever held the jobset before. */
export interface Traces {
  /** It was not handed back: its owner has died or was cut off. */
  readonly isAbandoned: boolean;
  /** Who that was; null when nobody knows. */
  readonly heldBy: WorkerId | null;
  /** Nobody has ever told how far its ticks are done: its first owner was gone before it could. */
  readonly isUntold: boolean;
  readonly suspects: Suspects | null;
}

/**
 * Of what a claim has read. An owner that dies takes its `own` key with it, since that hangs on its lease,
 * while one that hands back leaves one that names nobody: without the key somebody has held the jobset,
 * or nobody ever. The checkpoint names the owner from its first heartbeat on, the suspects from before.
 */
export const tracesIn = (
  hadOwner: boolean,
  checkpoint: Entry | undefined,
  suspects: Entry | undefined,
): Traces => {
  const told = readable(checkpoint, decodeCheckpoint);
  const known = readable(suspects, decodeSuspects);
  const isLater = (suspects?.modRevision ?? 0) > (checkpoint?.modRevision ?? 0);
  const isNamed = typeof told?.worker === 'string';
  return {
    isAbandoned: isNamed || (!hadOwner && checkpoint !== undefined),
    heldBy: (isLater ? known?.by : told?.worker) ?? null,
    isUntold: isNamed && told.progress !== null,
    suspects: known,
  };
};

/**
 * Before anything of a jobset runs for the first time: its checkpoint, which then names an owner and has
 * a progress of its own, until the first heartbeat. False when the claim is lost.
 */
export const markFirst = async (
  { store, keys }: Place,
  { jobset, token }: Claim,
  { by, now }: { readonly by: WorkerId; readonly now: number },
): Promise<boolean> => {
  const progress = { through: now, open: [] };
  const checkpoint: Checkpoint = { worker: by, progress, states: {} };
  const key = keys.checkpoint(jobset);
  const when = [
    { key: keys.owner(jobset), modRevision: token },
    { key, modRevision: 0 },
  ];
  const put: Write = { kind: 'put', key, value: encodeCheckpoint(checkpoint) };
  return (await store.commit(when, [put])).succeeded;
};

/** Whether that worker lives, as the store has it now: watches of owners and workers may be apart. */
export const isRegistered = async ({ store, keys }: Place, id: WorkerId): Promise<boolean> => {
  const { reads } = await store.commit([], [{ kind: 'get', key: keys.worker(id) }]);
  return reads[0]?.[0] !== undefined;
};

/** False when the claim is lost. */
export const writeSuspects = async (
  { store, keys }: Place,
  { jobset, token }: Pick<Claim, 'jobset' | 'token'>,
  suspects: Suspects,
): Promise<boolean> => {
  const when = [{ key: keys.owner(jobset), modRevision: token }];
  return (await store.commit(when, [writeOf({ keys }, jobset, suspects)])).succeeded;
};

export interface Quarantine {
  readonly job: CheckId;
  readonly suspicion: Suspicion;
  readonly by: WorkerId;
  readonly now: number;
  /** Where the job has stopped. */
  readonly handover: Handover;
  /** What is left of the jobset's suspects. */
  readonly others: Suspects['jobs'];
}

/**
 * Takes the job to a jobset of its own that nobody claims, with what it is suspected of; one that is alone
 * in its jobset stays in it.
 */
export const quarantineMove = (place: Place, content: Content, quarantine: Quarantine): Move => {
  const { job, suspicion, by, now, handover, others } = quarantine;
  const { jobset, definitions } = content;
  const waiting = { reason: 'quarantined', since: now, by, load: 0 } as const;
  const isAlone = definitions.length === 1;
  const move = isAlone
    ? handOn(place, content, { handover, waiting })
    : splitOff(place, content, { jobs: new Set([job]), handover, waiting });
  const writes = [writeOf(place, move.to, { by, jobs: { [job]: suspicion } })];
  if (!isAlone) writes.push(writeOf(place, jobset.id, { by, jobs: others }));
  return { ...move, writes: [...move.writes, ...writes] };
};

/** Out of quarantine, or out of the queue: anybody may claim it, and nothing is held against its jobs. */
export const releaseWrites = ({ keys }: Pick<Ledger, 'keys'>, jobset: Jobset): Write[] => {
  const { id } = jobset;
  const value = encodeJobset({ ...jobset, waiting: null, moveTo: null });
  return [
    { kind: 'put', key: keys.jobset(id), value },
    { kind: 'delete', key: keys.suspects(id) },
  ];
};

const writeOf = ({ keys }: Pick<Ledger, 'keys'>, jobset: JobsetId, suspects: Suspects): Write => {
  const key = keys.suspects(jobset);
  if (Object.keys(suspects.jobs).length === 0) return { kind: 'delete', key };
  return { kind: 'put', key, value: encodeSuspects(suspects) };
};

const readable = <T>(entry: Entry | undefined, decode: (entry: Entry) => T): T | null => {
  if (entry === undefined) return null;
  try {
    return decode(entry);
  } catch {
    return null;
  }
};
