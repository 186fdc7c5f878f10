/** The port between claiming and running: what the claimer holds, the scheduler runs. */

import type { CheckDefinition, CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Handover, StoredState, WorkerProgress } from '../shared/domain/jobset.ts';

/** Under what right a check runs: the jobset it stands in and the fencing token of its claim. */
export interface Claim {
  readonly jobset: JobsetId;
  readonly token: string;
}

/** One claimed jobset with its definitions, as read in the claim's transaction. */
export interface HeldJobset {
  readonly claim: Claim;
  readonly definitions: readonly CheckDefinition[];
  /** Null for the new content of a jobset that is held already. */
  readonly handover: Handover | null;
}

export interface Workload {
  /**
   * Takes a jobset on, or its new content when it is held already: checks whose definition has not
   * changed keep their next tick and their state.
   */
  hold(jobset: HeldJobset): void;
  /**
   * Stops its checks; resolves, when none of their runs is in flight any more, with what is left. Runs that
   * are still in flight after `graceMs` are ended.
   */
  drop(id: JobsetId, graceMs: number): Promise<Handover>;
  /**
   * From now on starts none of these checks of a jobset; the rest of it runs on. Resolves as `drop` does,
   * but lets runs in flight end by themselves. New content and `putBack` let them go on.
   */
  setAside(id: JobsetId, jobs: ReadonlySet<CheckId>): Promise<Handover>;
  /** What was set aside runs again, and catches up what it has missed. */
  putBack(id: JobsetId, jobs: ReadonlySet<CheckId>): void;
  /** How far the ticks of all that is held are done. */
  progress(): WorkerProgress;
  /** The states of a jobset's checks as a checkpoint stores them. */
  states(id: JobsetId): Readonly<Record<CheckId, StoredState>>;
}

/** Whether this worker can still prove that it owns what it runs; asked when a run starts and ends. */
export interface Authority {
  owns(claim: Claim): boolean;
  /**
   * After a silence in which the claims may have ended (a suspended process), nothing starts until one
   * attempt to prove them is over; null at all other times.
   */
  readonly doubt: Promise<void> | null;
}
