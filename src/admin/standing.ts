/** How each worker stands, and what it could take: picture + memory → **standings** → plans. */

import type { WorkerId } from '../shared/domain/check.ts';
import type { Capacity, WorkerLoad } from '../shared/domain/jobset.ts';
import { BUSIEST_LOOP, pressureOf, ROOM_BELOW, weightOf } from '../shared/rules/load.ts';
import type { Fleet, FleetWorker } from './fleet.ts';
import { type Memory, measuredOf } from './memory.ts';

/** One judgement's working copy: what is planned counts at once. */
export interface Standing {
  readonly id: WorkerId;
  readonly zone: string | null;
  readonly capacity: Capacity;
  /** Whether it may be given anything. */
  readonly isOpen: boolean;
  /** On its way out by itself. */
  readonly isDraining: boolean;
  /** When it came, by the leader's monotonic clock, ms. */
  readonly since: number;
  /** Share of time in which its loop is busy, with what is on its way to it. */
  loop: number;
  /** Places that what it holds asks for, with what is on its way to it, without what is to leave. */
  load: number;
  /** In the same sense. */
  jobs: number;
}

export interface Standings {
  readonly workers: ReadonlyMap<WorkerId, Standing>;
  /** How busy a place keeps a loop, in the mean of the pool. */
  readonly loopPerPlace: number;
}

export const standingsOf = (fleet: Fleet, memory: Memory, now: number): Standings => {
  const loopPerPlace = meanLoop(fleet);
  const workers = new Map<WorkerId, Standing>();
  for (const [id, worker] of fleet.workers) {
    const { record, beat, since, jobs, coming, going } = worker;
    const { zone, capacity, state } = record;
    const measured = measuredOf(worker);
    const load = Math.max(measured, memory.atLeast(id, now));
    const isOpen = isRoomy(worker) && worker.stuckBeats === 0 && !memory.wasEvicted(id, now);
    const loop = (beat?.load.loop ?? 0) + loopPerPlace * (load - measured);
    workers.set(id, {
      ...{ id, zone, capacity, since, isOpen, isDraining: state === 'draining' },
      ...{ load, loop, jobs: jobs + coming - going },
    });
  }
  return { workers, loopPerPlace };
};

/** Who is full by the number of its jobs alone says so for two seconds after it is not: it is counted here. */
const isRoomy = ({ record, beat }: FleetWorker): boolean => {
  const { state, capacity } = record;
  if (state !== 'full') return state === 'up';
  if (beat === null || capacity.jobs === null || beat.checks < capacity.jobs) return false;
  return pressureOf(beat.load, capacity) < ROOM_BELOW;
};

/** A mean over less than that says nothing. */
const LEAST_PLACES = 1e-6;

const meanLoop = ({ workers }: Fleet): number => {
  const sum = { loop: 0, places: 0 };
  for (const { beat } of workers.values()) {
    const load: Pick<WorkerLoad, 'loop' | 'places'> = beat?.load ?? { loop: 0, places: 0 };
    sum.loop += load.loop;
    sum.places += load.places;
  }
  return sum.places > LEAST_PLACES ? sum.loop / sum.places : 0;
};

/** Places that it could still be asked for, until it is used to the bound; below 0 when it is over it. */
export const placesLeft = (
  { load, loop, capacity }: Standing,
  loopPerPlace: number,
  bound = ROOM_BELOW,
): number => {
  const byPlaces = bound * capacity.places - load;
  const loopLeft = bound * BUSIEST_LOOP - loop;
  // With nothing to divide by, only a loop that is too busy by itself counts.
  if (loopPerPlace === 0) return loopLeft > 0 ? byPlaces : Math.min(0, byPlaces);
  return Math.min(byPlaces, loopLeft / loopPerPlace);
};

export const jobsLeft = ({ capacity, jobs }: Standing): number =>
  capacity.jobs === null ? Number.POSITIVE_INFINITY : capacity.jobs - jobs;

/** What it bears, for comparing workers of different size. */
export const burdenOf = ({ load, jobs, capacity }: Standing): number =>
  weightOf(load, jobs) / capacity.places;

/** From now on it reckons with these. */
export const give = (
  to: Standing,
  { load, jobs }: { readonly load: number; readonly jobs: number },
  { loopPerPlace }: Pick<Standings, 'loopPerPlace'>,
): void => {
  to.load += load;
  to.jobs += jobs;
  to.loop += loopPerPlace * load;
};
