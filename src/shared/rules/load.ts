/**
 * What checks ask of a worker, and how much that is of what it can take. The unit is a place: one run in
 * flight all the time, so a check of two seconds that runs every minute asks for a thirtieth.
 */

import type { Capacity, WorkerLoad } from '../domain/jobset.ts';
import type { ReasonCode } from '../domain/reasons.ts';

/** Where autoscaling keeps the pool: room for bursts, and for the share of a worker that dies. */
export const TARGET = 0.7;
/** From here on a worker is full… */
export const FULL_AT = 0.9;
/** …until it is below this again. */
export const ROOM_BELOW = 0.8;
/** A scheduler that is this far behind does not come back by itself: its checks belong elsewhere. */
export const STUCK_MS = 15_000;
/** A loop that is busier than this makes runs late. */
export const BUSIEST_LOOP = 0.8;
/** Of a job besides its demand, so that checks that ask for next to nothing spread by their number. */
const JOB_WEIGHT = 0.001;
/** How much the latest run counts. */
const NEWEST = 0.3;

/** Places: seconds in flight a second. A check never runs twice at a time. */
export const demandOf = (durationMs: number, intervalMs: number): number =>
  Math.min(1, durationMs / intervalMs);

/** The mean that follows a change within a few runs; 0 is no mean yet. */
export const meanAfter = (mean: number, latest: number): number =>
  mean === 0 ? latest : mean + NEWEST * (latest - mean);

/** More workers would make no such run shorter. */
export const isTimeout = (code: ReasonCode): boolean => code.startsWith('timeout_');

/** What jobs count for when they are placed and balanced. */
export const weightOf = (places: number, jobs = 1): number => places + JOB_WEIGHT * jobs;

type Measured = Pick<WorkerLoad, 'places' | 'loop'>;

/** Share of a worker's places or of its loop that is used, whichever is scarcer; above 1 it runs late. */
export const pressureOf = ({ places, loop }: Measured, capacity: Capacity): number =>
  Math.max(places / capacity.places, loop / BUSIEST_LOOP);

/** The same, of what a worker can take in all: its owner may have said how many jobs that are. */
export const utilisationOf = (load: Measured, capacity: Capacity, jobs: number): number =>
  Math.max(pressureOf(load, capacity), capacity.jobs === null ? 0 : jobs / capacity.jobs);
