/**
 * Checks → jobsets, stable under change: a check stays where it is, so that adding one to thousands
 * touches one jobset, and no worker hands anything over because a file has changed. A jobset is of one
 * zone, as a worker is.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Jobset } from '../shared/domain/jobset.ts';

export type Zone = Jobset['zone'];
export type Packed = Pick<Jobset, 'id' | 'zone' | 'jobs'>;

export interface PackingChange {
  /** Jobs to take away, by the jobset in which they stand. */
  readonly gone: ReadonlyMap<JobsetId, ReadonlySet<CheckId>>;
  /** Jobsets that take no more jobs: what waits for a place must not make others wait. */
  readonly closed?: ReadonlySet<JobsetId>;
  /** Jobs that stand nowhere yet. */
  readonly fresh: ReadonlyMap<CheckId, Zone>;
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
  { gone, fresh, closed }: PackingChange,
  options: PackingOptions,
): Packed[] => {
  const byId = new Map(current.map((jobset) => [jobset.id, without(jobset, gone.get(jobset.id))]));
  for (const [zone, jobs] of Map.groupBy(fresh.keys(), (job) => fresh.get(job) ?? null)) {
    const ofZone = [...byId.values()].filter(
      ({ id, ...one }) => one.zone === zone && !closed?.has(id),
    );
    for (const jobset of filled(ofZone, { jobs, zone }, options)) byId.set(jobset.id, jobset);
  }
  return [...byId.values()];
};

/** Jobsets that took some of the jobs. */
const filled = (
  current: readonly Packed[],
  { jobs, zone }: Omit<Packed, 'id'>,
  { size, newId }: PackingOptions,
): Packed[] => {
  const open = mostRoomFirst(current, size);
  const hosts: Packed[] = [];
  for (let next = 0; next < jobs.length; ) {
    const host = open.pop() ?? { id: newId(), zone, jobs: [] };
    const taken = jobs.slice(next, next + size - host.jobs.length);
    hosts.push({ id: host.id, zone, jobs: [...host.jobs, ...taken] });
    next += taken.length;
  }
  return hosts;
};

const without = (jobset: Packed, gone: ReadonlySet<CheckId> | undefined): Packed =>
  gone === undefined ? jobset : { ...jobset, jobs: jobset.jobs.filter((id) => !gone.has(id)) };

/** From the end on: the one with the most room comes last, so that few jobsets take many jobs. */
const mostRoomFirst = (jobsets: readonly Packed[], size: number): Packed[] =>
  jobsets
    .filter((jobset) => jobset.jobs.length < size)
    .sort((a, b) => b.jobs.length - a.jobs.length || (a.id < b.id ? 1 : -1));
