/** The nouns of the ledger: which jobs stand together, who works, who holds what. */

import type { CheckId, JobsetId, WorkerId } from './check.ts';
import type { CheckStatus } from './status.ts';

/** Jobs of a folder follow the folder; jobs of the API stay until the API takes them away. */
export type JobSource = 'folder' | 'api';

/** Jobs a jobset at most: small enough to move between workers, big enough to be few. */
export const JOBSET_SIZE = 100;

/** Why a jobset waits for a place instead of being free for whoever claims it first. */
export type WaitReason = 'late' | 'full' | 'quarantined';

/** A jobset in the waiting queue: nobody claims it before the leader has found a place for it. */
export interface Waiting {
  readonly reason: WaitReason;
  /** Wall clock of whoever put it there, ms since the epoch. The queue is in this order. */
  readonly since: number;
  /** Who could not run it. */
  readonly by: WorkerId;
  /** What its jobs ask for together, in places: seconds in flight a second. */
  readonly load: number;
}

/** The unit of claiming. The order of its jobs is the order of its definitions. */
export interface Jobset {
  readonly id: JobsetId;
  readonly source: JobSource;
  readonly jobs: readonly CheckId[];
  /** Of its definitions: equal digests mean equal definitions. */
  readonly digest: string;
  /** How many chunks the definitions are stored in. */
  readonly chunks: number;
  /** Only workers of this zone run it; null: any worker. */
  readonly zone: string | null;
  /** Workers that could not reach its endpoints, in the order in which they said so; empty for most. */
  readonly avoid: readonly WorkerId[];
  /** Null: it is held, or free for whoever claims it first. */
  readonly waiting: Waiting | null;
  /** Who is to run it, says the leader: its owner hands it over, and others let this one claim it. */
  readonly moveTo: WorkerId | null;
}

/** What a worker can take. */
export interface Capacity {
  /** Runs in flight. */
  readonly places: number;
  /** Null: as many as it can run on time. */
  readonly jobs: number | null;
}

/** How a worker presents itself to the pool, under its lease. */
export interface WorkerRecord {
  readonly id: WorkerId;
  /** A full worker comes last, and takes nothing where the pool sheds; a draining one is given nothing. */
  readonly state: 'up' | 'full' | 'draining';
  readonly capacity: Capacity;
  readonly host: string;
  readonly version: string;
  /** Its view of the network; null when the pool has only one. */
  readonly zone: string | null;
  /** Where its HTTP listener is; null when it has none. */
  readonly listen: string | null;
  /** Wall clock, ms since the epoch; for people. */
  readonly started: number;
}

/** A host that holds its checks up, by itself or by the cap of runs to one host. */
export interface SlowHost {
  readonly host: string;
  /** Seconds in flight a second that its checks ask for. */
  readonly load: number;
  /** Runs that wait behind it. */
  readonly waiting: number;
}

/** What a worker's checks ask of it, and how it keeps up. */
export interface WorkerLoad {
  /** Seconds in flight a second, as far as more workers would help; compare with its places. */
  readonly places: number;
  /** Share of the time in which its event loop is busy, 0 to 1. */
  readonly loop: number;
  /** Checks that stay behind their schedule. */
  readonly behind: number;
  /** Of the runs of the last minute; null without any. */
  readonly latenessP99Ms: number | null;
  /** How long the first due check has been waiting for its scheduler: one that is stuck shows here. */
  readonly overdueMs: number;
  /** The worst three at most. */
  readonly slowHosts: readonly SlowHost[];
}

/** What a worker says of itself with each heartbeat. */
export interface Beat {
  /** Counts up by one a beat. */
  readonly seq: number;
  /** The worker's wall clock, for people: no decision compares it with another machine's. */
  readonly at: number;
  /** Jobsets. */
  readonly owned: number;
  readonly checks: number;
  readonly load: WorkerLoad;
}

/** Who holds a jobset. `worker: null` is a jobset that was handed back. */
export interface Ownership {
  readonly worker: WorkerId | null;
  /** Fresh with each write, so that a write whose answer was lost can be recognised. */
  readonly nonce: string;
  /** How long claimers wait with it from when they first see it: its last owner may still be running. */
  readonly holdMs: number;
}

/** Which ticks are done: each one up to `through` has ended or was skipped, except those in `open`. */
export interface Progress {
  /** ms since the epoch. */
  readonly through: number;
  /** Ticks that wait or run. */
  readonly open: readonly (readonly [check: CheckId, tick: number])[];
}

/**
 * Of all that a worker holds; and how far it was with what it has handed on or lost since, for the owner
 * after it may have died before it could say more.
 */
export interface WorkerProgress extends Progress {
  readonly left: Readonly<Record<JobsetId, Progress>>;
}

/** What must survive a failover of a check that is not simply ok. */
export interface StoredState {
  readonly status: CheckStatus;
  /** ms since the epoch. */
  readonly since: number;
  /** Bad runs in a row, counted as far as it matters. */
  readonly bad: number;
}

/** A job during whose runs its workers have died; few jobsets ever have one. */
export interface Suspicion {
  readonly deaths: number;
  /** Wall clock of who noticed the last one, ms since the epoch: an old suspicion is forgotten. */
  readonly at: number;
  /** It is run alone now: if this worker dies too, it was this job. */
  readonly isTried: boolean;
}

/** Of a jobset. */
export interface Suspects {
  /** Who held it and has written this. */
  readonly by: WorkerId;
  readonly jobs: Readonly<Record<CheckId, Suspicion>>;
}

/**
 * What the next owner of a jobset must know. While it is owned, its ticks are in its worker's progress,
 * which is written with each heartbeat; once it is handed back, they stand here.
 */
export interface Checkpoint {
  /** Whose progress tells of its ticks; null: `progress` does. */
  readonly worker: WorkerId | null;
  readonly progress: Progress | null;
  /** Of checks that are neither pending nor ok. */
  readonly states: Readonly<Record<CheckId, StoredState>>;
  /** It has stood in the waiting queue: ticks that passed meanwhile were shed. */
  readonly waited?: true;
}

/** Where the last owner of a jobset stopped. */
export interface Handover {
  /** Null when nobody has run it before, so that no tick can have been missed. */
  readonly progress: Progress | null;
  readonly states: Readonly<Record<CheckId, StoredState>>;
  readonly waited?: true;
}

/** What the leader says of the pool's capacity: the verdict, and the episode that it belongs to. */
export interface ScalingRecord {
  /** Wall clock of the leader, ms since the epoch. */
  readonly at: number;
  readonly workers: number;
  readonly desiredWorkers: number;
  /** Load over the capacity of live workers, percent, 0 to 200. */
  readonly capacityUtilization: number;
  readonly waitingJobs: number;
  /** Age of the oldest, ms; 0 without any. */
  readonly oldestWaitingMs: number;
  readonly latenessP99Ms: number | null;
  /** Why more workers will not help; null: they would, or none are needed. */
  readonly futile: {
    readonly why: 'slow_target' | 'per_host_cap';
    readonly hosts: readonly string[];
  } | null;
  /** *Scaling limit hit*; null while it is not raised. */
  readonly episode: {
    readonly id: string;
    readonly raisedAt: number;
    readonly jobs: number;
  } | null;
}
