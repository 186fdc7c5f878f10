/** Fleets for tests of judgements: workers and jobsets as told, with the sums that a picture keeps. */

import type { Fleet, FleetJobset, FleetWorker } from '../../../src/admin/fleet.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Capacity, Jobset, Waiting, WorkerLoad } from '../../../src/shared/domain/jobset.ts';
import { NO_LOAD } from '../../support/builders.ts';

export interface WorkerSketch {
  readonly state?: 'up' | 'full' | 'draining';
  readonly zone?: string | null;
  readonly capacity?: Partial<Capacity>;
  readonly load?: Partial<WorkerLoad>;
  /** Of its last beat; all that it holds, unless said otherwise. Null: it has not beaten yet. */
  readonly checks?: number | null;
  readonly stuckBeats?: number;
  readonly since?: number;
}

export interface JobsetSketch {
  readonly jobs: number;
  readonly owner?: string;
  readonly zone?: string;
  readonly avoid?: readonly string[];
  readonly waiting?: Partial<Waiting>;
  readonly moveTo?: string;
  readonly since?: number;
}

export const aWaiting = (overrides: Partial<Waiting> = {}): Waiting => ({
  ...{ reason: 'full', since: 0, by: 'gone' as WorkerId, load: 0 },
  ...overrides,
});

export const aFleet = (
  workers: Readonly<Record<string, WorkerSketch>>,
  jobsets: Readonly<Record<string, JobsetSketch>> = {},
): Fleet => {
  const told = { ...fillers(workers, jobsets), ...jobsets };
  const all = Object.entries(told).map(([id, sketch]) => aJobset(id as JobsetId, sketch));
  const where = (is: (jobset: FleetJobset) => boolean) =>
    new Set(all.filter(is).map(({ id }) => id));
  const waiting = all.filter(({ waiting, owner }) => waiting !== null && owner === null);
  return {
    workers: new Map(
      Object.entries(workers).map(([id, sketch]) => [
        id as WorkerId,
        aWorker(id as WorkerId, sketch, all),
      ]),
    ),
    jobsets: new Map(all.map((jobset) => [jobset.id, jobset])),
    waiting: new Map(waiting.map((jobset) => [jobset.id, inFull(jobset)])),
    claimedWaiting: where(({ waiting, owner }) => waiting !== null && owner !== null),
    vacant: where((one) => one.owner === null && one.waiting === null && !one.isOrdered),
    ordered: where(({ isOrdered }) => isOrdered),
    jobs: sum(all),
  };
};

/** Whoever is said to bear something holds something. */
const fillers = (
  workers: Readonly<Record<string, WorkerSketch>>,
  jobsets: Readonly<Record<string, JobsetSketch>>,
): Record<string, JobsetSketch> => {
  const holders = new Set(Object.values(jobsets).map(({ owner }) => owner));
  const bearing = Object.entries(workers).filter(
    ([id, { load }]) => (load?.places ?? 0) > 0 && !holders.has(id),
  );
  return Object.fromEntries(bearing.map(([id]) => [`of-${id}`, { jobs: 10, owner: id }]));
};

const sum = (jobsets: readonly FleetJobset[]): number =>
  jobsets.reduce((total, { jobs }) => total + jobs, 0);

const aWorker = (id: WorkerId, sketch: WorkerSketch, all: readonly FleetJobset[]): FleetWorker => {
  const { state = 'up', zone = null, capacity, load, stuckBeats = 0, since = 0 } = sketch;
  const held = all.filter(({ owner }) => owner === id);
  const { checks = sum(held) } = sketch;
  const beat = {
    ...{ seq: 1, at: 0, owned: held.length, checks: checks ?? 0 },
    load: { ...NO_LOAD, ...load },
  };
  return {
    record: {
      ...{ id, state, zone, host: id, version: '0.0.0', listen: null, started: 0 },
      capacity: { places: 256, jobs: null, ...capacity },
    },
    revision: 1,
    since,
    beat: checks === null ? null : beat,
    stuckBeats,
    holds: new Set(held.map((jobset) => jobset.id)),
    jobs: sum(held),
    coming: sum(all.filter(({ moveTo, isOrdered }) => isOrdered && moveTo === id)),
    going: sum(held.filter(({ isOrdered }) => isOrdered)),
  };
};

const aJobset = (id: JobsetId, sketch: JobsetSketch): FleetJobset => {
  const { jobs, zone = null, avoid = [], waiting, since = 0 } = sketch;
  const owner = (sketch.owner ?? null) as WorkerId | null;
  const moveTo = (sketch.moveTo ?? null) as WorkerId | null;
  return {
    ...{ id, jobs, zone, owner, moveTo, since, revision: 2, ownRevision: owner === null ? 0 : 1 },
    avoid: avoid as readonly WorkerId[],
    waiting: waiting === undefined ? null : aWaiting(waiting),
    isOrdered: moveTo !== null && moveTo !== owner,
  };
};

const inFull = ({ id, jobs, zone, avoid, waiting, moveTo }: FleetJobset): Jobset => ({
  ...{ id, zone, avoid, waiting, moveTo, source: 'folder', digest: id, chunks: 1 },
  jobs: Array.from({ length: jobs }, (_, n) => `${id}-${n}` as CheckId),
});
