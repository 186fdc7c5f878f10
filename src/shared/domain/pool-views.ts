/** What watcher tells of its pool: who runs what, who works, what became of jobs that were added. */

import type { CheckId, JobsetId, WorkerId } from './check.ts';
import type { Diagnostic } from './diagnostic.ts';
import type {
  Capacity,
  JobSource,
  Jobset,
  ScalingRecord,
  Waiting,
  WorkerLoad,
  WorkerRecord,
} from './jobset.ts';

/** The record of the ledger in three parts: whose it is, that the owner lives, what is in it. */
export interface JobsetRecord {
  /** Null when nobody holds it. */
  readonly owner: WorkerId | null;
  /** ms since the epoch, by its owner's clock; null without one, and while the store cannot be asked. */
  readonly heartbeat: number | null;
  readonly jobs: readonly CheckId[];
}

export interface JobsetView
  extends JobsetRecord,
    Pick<Jobset, 'id' | 'zone' | 'avoid' | 'waiting' | 'moveTo'> {
  /** Of the jobs, in their order; null where the store cannot be asked. */
  readonly keys: readonly (string | null)[];
  readonly source: JobSource | null;
  /** Of the record's last write. */
  readonly revision: number;
  /** Of the owner's claim; null when nobody holds it. */
  readonly token: number | null;
  /** Why the record cannot be read, so that nothing else of it is known; null for most. */
  readonly unreadable: string | null;
}

/** A copy of the ledger is kept by watching, and is shown also while nothing can be watched. */
export interface Freshness {
  readonly stale: boolean;
  /** For how long at least the copy has not been followed; 0 while it is. */
  readonly staleForMs: number;
}

export interface LedgerPage extends Freshness {
  /** In the order of their ids. */
  readonly jobsets: readonly JobsetView[];
  /** How many of them cannot be read. */
  readonly unreadable: number;
  /** The `after` of the next page; null on the last one. */
  readonly next: JobsetId | null;
}

/** What a worker says of itself; null is what cannot be read. */
export interface WorkerView {
  readonly id: WorkerId;
  readonly state: WorkerRecord['state'] | null;
  readonly zone: string | null;
  readonly host: string | null;
  readonly version: string | null;
  /** Where its listener is. */
  readonly listen: string | null;
  /** ms since the epoch, by its own clock. */
  readonly started: number | null;
  readonly capacity: Capacity | null;
  /** Says its last heartbeat. */
  readonly load: WorkerLoad | null;
  /** Load over capacity: 1 is all that it can take. */
  readonly utilisation: number | null;
  /** Jobsets, and the checks in them, says its last heartbeat. */
  readonly owned: number | null;
  readonly checks: number | null;
  /** ms since the epoch, by its own clock. */
  readonly heartbeat: number | null;
  /** For how long this process has seen the same heartbeat; null when it sees it for the first time. */
  readonly unchangedForMs: number | null;
  /** Why its record cannot be read; null for most. */
  readonly unreadable: string | null;
}

export interface PoolMembers extends Freshness {
  /** Id of the leading admin; null when there is none. */
  readonly leader: string | null;
  readonly workers: readonly WorkerView[];
}

/** A job that nobody runs. */
export interface WaitingJob extends Pick<Waiting, 'reason' | 'since' | 'by'> {
  readonly id: CheckId;
  /** Its key; null where the store cannot be asked. */
  readonly check: string | null;
  readonly jobset: JobsetId;
  /** By this process's clock. */
  readonly ageMs: number;
}

export interface ScalingView extends Freshness {
  /** What the leader has last said; null before any has, and where it cannot be read. */
  readonly level: ScalingRecord | null;
  /** As the ledger is now, not as it was when the level was said. */
  readonly waitingJobs: number;
  readonly quarantinedJobs: number;
  /** Those that have waited longest, quarantined ones last; not all where they are many. */
  readonly jobs: readonly WaitingJob[];
}

/** What the routes read. */
export interface LedgerSource {
  page(query: { readonly after: string | null; readonly limit: number }): Promise<LedgerPage>;
  /** The one jobset that the check stands in; null when it stands in none. */
  find(check: string): Promise<LedgerPage | null>;
  jobset(id: string): Promise<JobsetView | null>;
  members(): Promise<PoolMembers>;
  scaling(): Promise<ScalingView>;
}

/** Where a job stands. */
export interface JobPlace {
  readonly check: string;
  readonly jobset: JobsetId;
  /** Null when nobody holds the jobset yet. */
  readonly worker: WorkerId | null;
}

export interface RefusedJob {
  readonly check: string;
  readonly why: string;
}

export interface AddReport {
  readonly added: readonly JobPlace[];
  readonly refused: readonly RefusedJob[];
  /** With errors, nothing is added. */
  readonly diagnostics: readonly Diagnostic[];
}

/** `refused: null` says that the check is gone. */
export interface RemoveReport {
  readonly check: string;
  readonly refused: string | null;
}

/** `refused: null` says that any worker may run it now. */
export interface ReleaseReport {
  readonly check: string;
  readonly refused: string | null;
}

/** What changes the jobs of the API, and which jobs are run. All throw WCH_STORE_UNAVAILABLE while the store is away. */
export interface JobIntake {
  /** `file` is what a check file holds. Throws WCH_USAGE for a worker that there is not. */
  add(file: Uint8Array, worker: string | null): Promise<AddReport>;
  remove(check: string): Promise<RemoveReport>;
  release(check: string): Promise<ReleaseReport>;
}
