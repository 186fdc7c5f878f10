/** The port between claiming and running: what the claimer holds, the scheduler runs. */

import type { CheckDefinition, JobsetId } from '../shared/domain/check.ts';

/** Under what right a check runs: the jobset it stands in and the fencing token of its claim. */
export interface Claim {
  readonly jobset: JobsetId;
  readonly token: string;
}

/** One claimed jobset with its definitions, as read in the claim's transaction. */
export interface HeldJobset {
  readonly claim: Claim;
  readonly definitions: readonly CheckDefinition[];
}

export interface Workload {
  /**
   * Takes a jobset on, or its new content when it is held already: checks whose definition has not
   * changed keep their next tick and their state.
   */
  hold(jobset: HeldJobset): void;
  /** Stops its checks; resolves when none of their runs is in flight any more. */
  drop(id: JobsetId): Promise<void>;
}

/** Whether this worker can still prove that it owns what it runs; read when a run starts and ends. */
export interface Authority {
  readonly attached: boolean;
}
