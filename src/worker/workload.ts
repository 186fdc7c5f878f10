/** The port between claiming and running: what the claimer holds, the scheduler runs. */

import type { CheckDefinition, JobsetId } from '../shared/domain/check.ts';

/** One claimed jobset with its definitions, as read in the claim's transaction. */
export interface HeldJobset {
  readonly id: JobsetId;
  /** Fencing token of the claim; it is on every result. */
  readonly token: string;
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
