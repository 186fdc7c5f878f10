/**
 * Checks → jobsets, stable under change: a check stays where it is, so that adding one to thousands
 * touches one jobset, and no worker hands anything over because a file has changed.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';

export interface Packed {
  readonly id: JobsetId;
  readonly jobs: readonly CheckId[];
}

export interface PackingChange {
  /** Jobs to take away, by the jobset in which they stand. */
  readonly gone: ReadonlyMap<JobsetId, ReadonlySet<CheckId>>;
  /** Jobs that stand nowhere yet. */
  readonly fresh: Iterable<CheckId>;
}

export interface PackingOptions {
  /** Jobs a jobset at most: small enough to move between workers, big enough to be few. */
  readonly size: number;
  readonly newId: () => JobsetId;
}

/**
 * The jobsets after the change. One that does not change is the same object as before; one that has
 * lost all its jobs comes back empty, unless fresh ones fill it.
 */
export const pack = (
  current: readonly Packed[],
  { gone, fresh }: PackingChange,
  { size, newId }: PackingOptions,
): Packed[] => {
  const byId = new Map(current.map((jobset) => [jobset.id, without(jobset, gone.get(jobset.id))]));
  let open: Packed[] | null = null;
  let host: { readonly id: JobsetId; readonly jobs: CheckId[] } | null = null;
  for (const job of fresh) {
    if (host === null || host.jobs.length >= size) {
      open ??= mostRoomFirst([...byId.values()], size);
      const { id, jobs } = open.pop() ?? { id: newId(), jobs: [] };
      host = { id, jobs: [...jobs] };
      byId.set(id, host);
    }
    host.jobs.push(job);
  }
  return [...byId.values()];
};

const without = (jobset: Packed, gone: ReadonlySet<CheckId> | undefined): Packed =>
  gone === undefined ? jobset : { id: jobset.id, jobs: jobset.jobs.filter((id) => !gone.has(id)) };

/** From the end on: the one with the most room comes last, so that few jobsets take many jobs. */
const mostRoomFirst = (jobsets: readonly Packed[], size: number): Packed[] =>
  jobsets
    .filter((jobset) => jobset.jobs.length < size)
    .sort((a, b) => b.jobs.length - a.jobs.length || (a.id < b.id ? 1 : -1));
