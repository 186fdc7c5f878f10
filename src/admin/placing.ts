/** Which waiting jobs go where: the oldest first, each to whoever has most room. Pure. */

import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Jobset, Waiting } from '../shared/domain/jobset.ts';
import { ROOM_BELOW, TARGET, weightOf } from '../shared/rules/load.ts';
import { mayRun } from '../shared/rules/ranking.ts';
import type { Fleet } from './fleet.ts';
import type { Memory } from './memory.ts';
import { give, jobsLeft, placesLeft, type Standing, type Standings } from './standing.ts';

/** A place for the first jobs of a waiting jobset. */
export interface Placing {
  readonly reason: 'waiting';
  readonly jobset: JobsetId;
  readonly to: WorkerId;
  /** All of them, or fewer: those that come first are split off. */
  readonly jobs: number;
  readonly isWhole: boolean;
  /** Places that they ask for. */
  readonly load: number;
}

/** At a time: what is left is judged anew a moment later, by what has come of these. */
const PLACINGS_AT_ONCE = 50;

/** Whoever fits nothing of the oldest may fit a younger one that asks for less: no job that can run waits. */
export const planPlacing = (fleet: Fleet, standings: Standings, memory: Memory): Placing[] => {
  const plan: Placing[] = [];
  const open = [...standings.workers.values()].filter(({ isOpen }) => isOpen);
  for (const jobset of oldestFirst(fleet, memory)) {
    if (plan.length >= PLACINGS_AT_ONCE) break;
    if (!open.some((one) => jobsLeft(one) > 0)) break;
    const best = bestFor(jobset, open, standings);
    if (best === null) continue;
    const { to, jobs } = best;
    const load = loadOfEach(jobset) * jobs;
    give(to, { load, jobs }, standings);
    const isWhole = jobs === jobset.jobs.length;
    plan.push({ reason: 'waiting', jobset: jobset.id, to: to.id, jobs, isWhole, load });
  }
  return plan;
};

interface Queued extends Jobset {
  readonly waiting: Waiting;
}

const oldestFirst = ({ waiting, jobsets }: Fleet, memory: Memory): Queued[] => {
  const queue: Queued[] = [];
  for (const jobset of waiting.values()) {
    const seen = jobsets.get(jobset.id);
    const isPlaceable = isQueued(jobset) && seen !== undefined && !memory.isAhead(seen);
    if (isPlaceable && jobset.jobs.length > 0) queue.push(jobset);
  }
  return queue.sort((a, b) => a.waiting.since - b.waiting.since || (a.id < b.id ? -1 : 1));
};

/** What is in quarantine leaves it by the hand of a person alone. */
const isQueued = (jobset: Jobset): jobset is Queued =>
  jobset.waiting !== null && jobset.waiting.reason !== 'quarantined';

const loadOfEach = ({ waiting, jobs }: Queued): number => waiting.load / jobs.length;

/** Those that could not reach its endpoints come only where nobody else is. */
const bestFor = (
  jobset: Queued,
  open: readonly Standing[],
  standings: Standings,
): { readonly to: Standing; readonly jobs: number } | null => {
  const fits = open.filter((one) => mayRun(one, jobset));
  const avoids = ({ id }: Standing): boolean => jobset.avoid.includes(id);
  return (
    roomiest(
      jobset,
      fits.filter((one) => !avoids(one)),
      standings,
    ) ?? roomiest(jobset, fits.filter(avoids), standings)
  );
};

const roomiest = (
  jobset: Queued,
  workers: readonly Standing[],
  { loopPerPlace }: Standings,
): { readonly to: Standing; readonly jobs: number } | null => {
  let best: { readonly to: Standing; readonly jobs: number; readonly room: number } | null = null;
  for (const to of workers) {
    const left = placesLeft(to, loopPerPlace, boundFor(jobset, to));
    const jobs = fitting(jobset, to, left);
    if (jobs === 0) continue;
    // Where nobody has much to do, their number decides.
    const room = left - weightOf(0, to.jobs);
    const isBetter = best === null || jobs > best.jobs || (jobs === best.jobs && room > best.room);
    if (isBetter) best = { to, jobs, room };
  }
  return best;
};

/** Who has given late jobs up takes them back only with room to spare, or they would go to and fro. */
const boundFor = ({ waiting }: Queued, { id }: Standing): number =>
  waiting.by === id && waiting.reason === 'late' ? TARGET : ROOM_BELOW;

/** A hair more than a sum of fractions may be wrong by. */
const ROUNDING = 1e-9;

const fitting = (jobset: Queued, to: Standing, left: number): number => {
  const each = loadOfEach(jobset);
  const byPlaces = each > 0 ? Math.floor(left / each + ROUNDING) : left > 0 ? Infinity : 0;
  const fits = Math.max(0, Math.min(jobset.jobs.length, byPlaces, jobsLeft(to)));
  // One that is bigger than any room must still run somewhere.
  const isIdle = to.jobs === 0 && to.load === 0 && jobsLeft(to) > 0;
  return fits === 0 && isIdle ? 1 : fits;
};
