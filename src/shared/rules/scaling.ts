/**
 * How many workers a pool needs, and when that has to be said: what workers and the waiting queue ask
 * for → **verdict** → admin/scaling. Pure.
 */

import type {
  Capacity,
  ScalingRecord,
  SlowHost,
  WaitReason,
  WorkerLoad,
  WorkerRecord,
} from '../domain/jobset.ts';
import { FULL_AT, ROOM_BELOW, TARGET, utilisationOf } from './load.ts';

/** One worker, by its record and its last heartbeat. */
export interface WorkerDemand {
  readonly state: WorkerRecord['state'];
  readonly capacity: Capacity;
  readonly load: WorkerLoad;
  readonly jobs: number;
}

/** One jobset of the waiting queue. */
export interface WaitingDemand {
  readonly reason: WaitReason;
  /** ms since the epoch. */
  readonly since: number;
  /** In places. */
  readonly load: number;
  readonly jobs: number;
}

export interface Demand {
  readonly workers: readonly WorkerDemand[];
  readonly waiting: readonly WaitingDemand[];
  /** ms since the epoch. */
  readonly now: number;
}

export type Verdict = Omit<ScalingRecord, 'episode'>;
type Futile = ScalingRecord['futile'];
type Episode = NonNullable<ScalingRecord['episode']>;

/** Of `capacityUtilization`; what is beyond says only that far too much is asked for. */
const MOST_PERCENT = 200;
const NAMED_HOSTS = 3;

/** A quarantined job asks for a person, not for a worker. */
export const isQueued = ({ reason }: Pick<WaitingDemand, 'reason'>): boolean =>
  reason !== 'quarantined';

export const judgeScaling = ({ workers, waiting, now }: Demand): Verdict => {
  const staying = workers.filter(({ state }) => state !== 'draining');
  const queue = waiting.filter(isQueued);
  const demand = demandOf(workers, queue);
  const desiredWorkers = Math.max(1, ceiling(demand / TARGET));
  const late = workers.flatMap(({ load }) => load.latenessP99Ms ?? []);
  const isEnough = queue.length === 0 && desiredWorkers <= staying.length;
  return {
    at: now,
    workers: staying.length,
    desiredWorkers,
    capacityUtilization: percent(demand, staying.length),
    waitingJobs: queue.reduce((sum, { jobs }) => sum + jobs, 0),
    oldestWaitingMs: now - Math.min(now, ...queue.map(({ since }) => since)),
    latenessP99Ms: late.length === 0 ? null : Math.max(...late),
    futile: isEnough ? futileOf(staying) : null,
  };
};

/** In workers, each used to the full: those that there are on the average, where they differ. */
const demandOf = (workers: readonly WorkerDemand[], queue: readonly WaitingDemand[]): number => {
  if (workers.length === 0) return 0;
  const places = meanOf(workers, ({ capacity }) => capacity.places);
  const used = workers.map((worker) => (usedOf(worker) * worker.capacity.places) / places);
  return sumOf(used) + queueDemand(workers, queue);
};

/** One may be full for a reason that its load does not show, such as a processor that others use up. */
const usedOf = ({ load, capacity, jobs, state }: WorkerDemand): number =>
  Math.max(utilisationOf(load, capacity, jobs), state === 'full' ? ROOM_BELOW : 0);

/** What waits takes places, and of the event loop and of the number of jobs as much as any other job. */
const queueDemand = (workers: readonly WorkerDemand[], queue: readonly WaitingDemand[]): number => {
  const jobs = sumOf(queue.map((one) => one.jobs));
  const running = sumOf(workers.map((worker) => worker.jobs));
  const asked = {
    places: sumOf(queue.map(({ load }) => load)),
    loop: running === 0 ? 0 : (jobs * sumOf(workers.map(({ load }) => load.loop))) / running,
  };
  const limits = workers.flatMap(({ capacity }) => capacity.jobs ?? []);
  const capacity = {
    places: meanOf(workers, (worker) => worker.capacity.places),
    jobs: limits.length < workers.length ? null : meanOf(limits, (limit) => limit),
  };
  return utilisationOf(asked, capacity, jobs);
};

const percent = (demand: number, workers: number): number => {
  if (workers === 0) return MOST_PERCENT;
  return Math.min(MOST_PERCENT, Math.round((1000 * demand) / workers) / 10);
};

/** Sums of fractions are a hair more than they should be, and must not cost a worker. */
const ceiling = (value: number): number => Math.ceil(value - 1e-9);

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

const meanOf = <T>(items: readonly T[], read: (item: T) => number): number =>
  sumOf(items.map(read)) / items.length;

/** While all workers have room, what is late is late by itself. */
const futileOf = (workers: readonly WorkerDemand[]): Futile => {
  if (workers.some((worker) => usedOf(worker) >= FULL_AT)) return null;
  const hosts = hostsOf(workers.flatMap(({ load }) => load.slowHosts));
  const [worst] = hosts;
  if (worst === undefined) return null;
  const why = worst.waiting > 0 ? 'per_host_cap' : 'slow_target';
  return { why, hosts: hosts.slice(0, NAMED_HOSTS).map(({ host }) => host) };
};

/** As all workers see them together, the worst first. */
const hostsOf = (seen: readonly SlowHost[]): readonly SlowHost[] => {
  const hosts = [...Map.groupBy(seen, ({ host }) => host)].map(([host, all]) => ({
    host,
    load: sumOf(all.map(({ load }) => load)),
    waiting: sumOf(all.map(({ waiting }) => waiting)),
  }));
  return hosts.sort((a, b) => b.waiting - a.waiting || b.load - a.load);
};

/** A worker that dies takes its load out of the picture for as long as others need to take it over. */
const FALL_MS = 60_000;

/** How many workers are said to be needed: more at once, fewer once that has lasted. */
export interface Desired {
  readonly workers: number;
  /** Monotonic, ms: since when fewer are needed, and how many those are at most; null: no fewer. */
  readonly fewer: { readonly workers: number; readonly since: number } | null;
}

export const foldDesired = (before: Desired | null, judged: number, now: number): Desired => {
  if (before === null || judged >= before.workers) return { workers: judged, fewer: null };
  const { workers, fewer } = before;
  if (fewer === null) return { workers, fewer: { workers: judged, since: now } };
  const most = Math.max(judged, fewer.workers);
  if (now - fewer.since < FALL_MS) return { workers, fewer: { ...fewer, workers: most } };
  return { workers: most, fewer: null };
};

/** For so long the queue must be empty before the alarm is over… */
const CLEAR_MS = 60_000;
/** …and so long when it was raised again soon after: load that comes and goes is one alarm, not many. */
const FLAP_MS = 600_000;

/** The queue as one leader has seen it. Instants are monotonic, ms. */
export interface QueueWatch {
  readonly isFilled: boolean;
  /** Since when it is so; what was before this leader does not count. */
  readonly since: number;
  readonly clearedAt: number | null;
  /** The present episode has come soon after the one before. */
  readonly isFlap: boolean;
}

export const foldQueue = (
  before: QueueWatch | null,
  isFilled: boolean,
  now: number,
): QueueWatch => {
  if (before === null) return { isFilled, since: now, clearedAt: null, isFlap: false };
  return before.isFilled === isFilled ? before : { ...before, isFilled, since: now };
};

/** What is to be said now: *scaling limit hit*, that it is over, or nothing. */
export const episodeChange = (
  episode: Episode | null,
  { isFilled, since, isFlap }: QueueWatch,
  { now, graceMs }: { readonly now: number; readonly graceMs: number },
): 'raised' | 'cleared' | null => {
  const lastedMs = now - since;
  if (episode === null) return isFilled && lastedMs >= graceMs ? 'raised' : null;
  return !isFilled && lastedMs >= (isFlap ? FLAP_MS : CLEAR_MS) ? 'cleared' : null;
};

/** Once that has been said. */
export const afterChange = (
  watch: QueueWatch,
  change: 'raised' | 'cleared',
  now: number,
): QueueWatch => {
  if (change === 'cleared') return { ...watch, clearedAt: now, isFlap: false };
  return { ...watch, isFlap: watch.clearedAt !== null && now - watch.clearedAt < FLAP_MS };
};
