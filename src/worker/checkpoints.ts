/**
 * Which jobsets' checkpoints the next heartbeat has to store: runner, claimer → **checkpoints** →
 * membership. Those alone whose states have changed, or whose ledger still names another worker.
 */

import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Checkpoint } from '../shared/domain/jobset.ts';
import type { Workload } from './workload.ts';

export class Checkpoints {
  readonly #worker: WorkerId;
  readonly #workload: Pick<Workload, 'states'>;
  /** Counts the changes of each jobset, so that one that changes while it is stored is stored again. */
  readonly #due = new Map<JobsetId, number>();

  constructor(worker: WorkerId, workload: Pick<Workload, 'states'>) {
    this.#worker = worker;
    this.#workload = workload;
  }

  changed(id: JobsetId): void {
    this.#due.set(id, (this.#due.get(id) ?? 0) + 1);
  }

  /** It is not held any more. */
  forget(id: JobsetId): void {
    this.#due.delete(id);
  }

  /** As they are now, and what to call with those that have been stored. */
  take(): {
    readonly checkpoints: ReadonlyMap<JobsetId, Checkpoint>;
    readonly stored: (ids: readonly JobsetId[]) => void;
  } {
    const taken = new Map(this.#due);
    const checkpoints = new Map<JobsetId, Checkpoint>();
    for (const id of taken.keys()) {
      const states = this.#workload.states(id);
      checkpoints.set(id, { worker: this.#worker, progress: null, states });
    }
    const stored = (ids: readonly JobsetId[]) => {
      for (const id of ids) if (this.#due.get(id) === taken.get(id)) this.#due.delete(id);
    };
    return { checkpoints, stored };
  }
}
