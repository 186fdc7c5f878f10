/**
 * Where each job has been, over every revision of a ledger: at each one it stands in exactly one jobset,
 * which waits or does not.
 */

import type { Keys } from '../../src/shared/coordination/keys.ts';
import type { Change } from '../../src/shared/coordination/kv.ts';
import { keyOf } from '../../src/shared/coordination/kv.ts';
import { decodeJobset } from '../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId } from '../../src/shared/domain/check.ts';
import type { Jobset } from '../../src/shared/domain/jobset.ts';

export interface JobsetHistory {
  readonly revisions: number;
  /** All that were ever there. */
  readonly jobs: number;
  /** Job and revision: it stood in no jobset, or in more than one. */
  readonly absent: readonly Misplaced[];
  readonly doubled: readonly Misplaced[];
  /** Jobs that have stood in the waiting queue. */
  readonly waited: ReadonlySet<CheckId>;
}

export interface Misplaced {
  readonly job: CheckId;
  readonly revision: number;
}

/** `changes`: of jobsets, from the first revision on, none of them left out. No job is ever taken away. */
export function historyOf(changes: readonly Change[], keys: Keys): JobsetHistory {
  const places = new Places();
  const absent: Misplaced[] = [];
  const doubled: Misplaced[] = [];
  const byRevision = Map.groupBy(changes, revisionOf);
  for (const [revision, together] of byRevision) {
    for (const change of together) places.apply(keys.jobsetOf(keyOf(change)), change);
    for (const job of places.takeTouched()) {
      const count = places.countOf(job);
      if (count === 0) absent.push({ job, revision });
      if (count > 1) doubled.push({ job, revision });
    }
  }
  const { jobs, waited } = places;
  return { revisions: byRevision.size, jobs, absent, doubled, waited };
}

class Places {
  readonly waited = new Set<CheckId>();
  readonly #jobsets = new Map<JobsetId, Jobset>();
  /** Also of jobs that stand nowhere. */
  readonly #in = new Map<CheckId, Set<JobsetId>>();
  readonly #touched = new Set<CheckId>();

  get jobs(): number {
    return this.#in.size;
  }

  apply(id: JobsetId, change: Change): void {
    const now = change.kind === 'put' ? decodeJobset(id, change.entry) : null;
    for (const job of this.#jobsets.get(id)?.jobs ?? []) this.#leave(job, id);
    if (now === null) this.#jobsets.delete(id);
    else this.#jobsets.set(id, now);
    for (const job of now?.jobs ?? []) this.#enter(job, id, now?.waiting != null);
  }

  countOf(job: CheckId): number {
    return this.#in.get(job)?.size ?? 0;
  }

  takeTouched(): readonly CheckId[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  #leave(job: CheckId, id: JobsetId): void {
    this.#in.get(job)?.delete(id);
    this.#touched.add(job);
  }

  #enter(job: CheckId, id: JobsetId, waits: boolean): void {
    const known = this.#in.get(job);
    if (known === undefined) this.#in.set(job, new Set([id]));
    else known.add(id);
    if (waits) this.waited.add(job);
    this.#touched.add(job);
  }
}

const revisionOf = (change: Change): number =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;
