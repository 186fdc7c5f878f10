/** The nouns of the ledger: which jobs stand together, who works, who holds what. */

import type { CheckId, JobsetId, WorkerId } from './check.ts';
import type { CheckStatus } from './status.ts';

/** Jobs of a folder follow the folder; jobs of the API stay until the API takes them away. */
export type JobSource = 'folder' | 'api';

/** Jobs a jobset at most: small enough to move between workers, big enough to be few. */
export const JOBSET_SIZE = 100;

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
}

/** How a worker presents itself to the pool, under its lease. */
export interface WorkerRecord {
  readonly id: WorkerId;
  /** A draining worker is given nothing more. */
  readonly state: 'up' | 'draining';
  readonly host: string;
  readonly version: string;
  /** Its view of the network; null when the pool has only one. */
  readonly zone: string | null;
  /** Where its HTTP listener is; null when it has none. */
  readonly listen: string | null;
  /** Wall clock, ms since the epoch; for people. */
  readonly started: number;
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
}

/** Where the last owner of a jobset stopped. */
export interface Handover {
  /** Null when nobody has run it before, so that no tick can have been missed. */
  readonly progress: Progress | null;
  readonly states: Readonly<Record<CheckId, StoredState>>;
}
