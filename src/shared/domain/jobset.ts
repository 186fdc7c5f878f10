/** The nouns of the ledger: which jobs stand together, who works, who holds what. */

import type { CheckId, JobsetId, WorkerId } from './check.ts';

/** Jobs of a folder follow the folder; jobs of the API stay until the API takes them away. */
export type JobSource = 'folder' | 'api';

/** The unit of claiming. The order of its jobs is the order of its definitions. */
export interface Jobset {
  readonly id: JobsetId;
  readonly source: JobSource;
  readonly jobs: readonly CheckId[];
  /** Of its definitions: equal digests mean equal definitions. */
  readonly digest: string;
  /** How many chunks the definitions are stored in. */
  readonly chunks: number;
}

/** How a worker presents itself to the pool, under its lease. */
export interface WorkerRecord {
  readonly id: WorkerId;
  /** A draining worker is given nothing more. */
  readonly state: 'up' | 'draining';
  readonly host: string;
  readonly version: string;
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
  readonly owned: number;
}

/** Who holds a jobset. `worker: null` is a jobset that was handed back. */
export interface Ownership {
  readonly worker: WorkerId | null;
  /** Fresh with each write, so that a write whose answer was lost can be recognised. */
  readonly nonce: string;
}
