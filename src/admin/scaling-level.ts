/** The picture of the fleet as rules/scaling.ts reads it, and its verdict as records and metrics have it. */

import type { ScalingEvent, SelfSample } from '../shared/domain/delivery.ts';
import type { ScalingRecord, WorkerLoad } from '../shared/domain/jobset.ts';
import { METRICS, SCALING_METRICS, type ScalingMetric } from '../shared/domain/metrics.ts';
import { type Demand, isQueued, type WaitingDemand } from '../shared/rules/scaling.ts';
import type { Fleet } from './fleet.ts';

/** What a leader says of its pool. */
export interface ScalingLevel extends ScalingRecord {
  readonly quarantinedJobs: number;
}

/** Of a worker that has not beaten yet. */
const NOTHING: WorkerLoad = {
  places: 0,
  loop: 0,
  behind: 0,
  latenessP99Ms: null,
  overdueMs: 0,
  slowHosts: [],
};

export const demandOn = (fleet: Fleet, now: number): Demand => ({
  workers: [...fleet.workers.values()].map(({ record, beat, jobs }) => ({
    state: record.state,
    capacity: record.capacity,
    load: beat?.load ?? NOTHING,
    jobs,
  })),
  waiting: waitingIn(fleet),
  now,
});

export const quarantinedIn = (fleet: Fleet): number =>
  waitingIn(fleet)
    .filter((one) => !isQueued(one))
    .reduce((sum, { jobs }) => sum + jobs, 0);

const waitingIn = (fleet: Fleet): readonly WaitingDemand[] =>
  [...fleet.waiting.values()].flatMap(({ waiting, jobs }) =>
    waiting === null ? [] : [{ ...waiting, jobs: jobs.length }],
  );

export const recordOf = ({ quarantinedJobs: _, ...record }: ScalingLevel): ScalingRecord => record;

interface EventParts {
  readonly change: ScalingEvent['change'];
  readonly episode: NonNullable<ScalingRecord['episode']>;
  readonly level: ScalingLevel;
  readonly jobs: readonly string[];
}

export const eventOf = ({ change, episode, level, jobs }: EventParts): ScalingEvent => ({
  episode: episode.id,
  change,
  raisedAt: episode.raisedAt,
  waitingJobs: level.waitingJobs,
  oldestWaitingMs: level.oldestWaitingMs,
  workers: level.workers,
  desiredWorkers: level.desiredWorkers,
  capacityUtilization: level.capacityUtilization,
  jobs,
});

const VALUES: Readonly<Record<ScalingMetric, (level: ScalingLevel) => number | null>> = {
  'watcher.scaling.capacity_utilization': ({ capacityUtilization }) => capacityUtilization,
  'watcher.scaling.workers': ({ workers }) => workers,
  'watcher.scaling.desired_workers': ({ desiredWorkers }) => desiredWorkers,
  'watcher.scaling.waiting_jobs': ({ waitingJobs }) => waitingJobs,
  'watcher.scaling.oldest_waiting': ({ oldestWaitingMs }) => oldestWaitingMs,
  'watcher.scaling.quarantined_jobs': ({ quarantinedJobs }) => quarantinedJobs,
  'watcher.scaling.lateness_p99': ({ latenessP99Ms }) => latenessP99Ms,
  'watcher.scaling.limit_hit': ({ episode }) => (episode === null ? 0 : 1),
  'watcher.scaling.futile': ({ futile }) => (futile === null ? 0 : 1),
};

export const samplesOf = (level: ScalingLevel, pool: string): readonly SelfSample[] =>
  SCALING_METRICS.flatMap((name): SelfSample[] => {
    const value = VALUES[name](level);
    if (value === null) return [];
    return [{ name, kind: 'gauge', unit: METRICS[name].unit, labels: { pool }, value }];
  });
