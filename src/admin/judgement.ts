/** What is to be done about the fleet: picture → **judgement** → actions, each with its reason. Pure. */

import type { CheckId, JobsetId, WorkerId } from '../shared/domain/check.ts';
import { mayRun } from '../shared/rules/ranking.ts';
import { type Move, planBalance } from './balance.ts';
import { planEviction, type Wedged } from './eviction.ts';
import type { Fleet, FleetJobset } from './fleet.ts';
import type { Memory } from './memory.ts';
import { type Placing, planPlacing } from './placing.ts';
import { jobsLeft, type Standings, standingsOf } from './standing.ts';

/** What its record says is not so any more: that it waits, or who is to take it. */
export interface Outdated {
  readonly reason: 'order_ignored' | 'claimed_waiting';
  readonly jobset: JobsetId;
}

/** Its workers have died of it; a person has to look. */
export interface Quarantined {
  readonly reason: 'quarantined';
  readonly jobset: JobsetId;
  readonly jobs: readonly CheckId[];
}

/** Nobody has claimed it, and nobody with room could: it joins the queue, so that it is missed. */
export interface Unclaimed {
  readonly reason: 'unclaimed';
  readonly jobset: JobsetId;
  /** One of those that could not run it. */
  readonly by: WorkerId;
  /** Places, in the mean of the pool's jobs. */
  readonly load: number;
}

/** What is to be written into a jobset's record without giving it to anybody. */
export type Amendment = Outdated | Unclaimed;
export type Finding = Wedged | Placing | Move | Amendment | Quarantined;

/** Longer than a hand-over with runs in flight takes. */
const OBEYED_MS = 30_000;
/** Longer than even a full worker waits with what nobody else takes. */
const CLAIMED_MS = 15_000;
/** At a time: the rest a moment later. */
const QUEUED_AT_ONCE = 50;

export const judge = (fleet: Fleet, memory: Memory, now: number): readonly Finding[] => {
  const wedged = planEviction(fleet);
  const left = leftAlone(fleet, memory, now);
  const hasQueue = fleet.waiting.size > 0;
  const isRoundDue = memory.isRoundDue(now);
  const before = [...wedged, ...quarantined(fleet), ...outdated(fleet, memory, now)];
  if (!hasQueue && !isRoundDue && left.length === 0) return before;
  const standings = standingsOf(fleet, memory, now);
  const placings = hasQueue ? planPlacing(fleet, standings, memory) : [];
  const moves = isRoundDue ? planBalance(fleet, standings, memory, now) : [];
  return [...before, ...unclaimed(standings, left), ...placings, ...moves];
};

function* quarantined({ waiting }: Fleet): Generator<Quarantined> {
  for (const { id, jobs, waiting: how } of waiting.values())
    if (how?.reason === 'quarantined') yield { reason: 'quarantined', jobset: id, jobs };
}

/**
 * An order is taken back when its worker is gone or going, or nobody has obeyed it for long: its owner may be cut
 * off. And whoever claims a jobset out of the queue has it, whatever its record says.
 */
function* outdated(fleet: Fleet, memory: Memory, now: number): Generator<Outdated> {
  const seen = (id: JobsetId): FleetJobset[] => {
    const jobset = fleet.jobsets.get(id);
    return jobset === undefined || memory.isAhead(jobset) ? [] : [jobset];
  };
  for (const { id, moveTo, since } of [...fleet.ordered].flatMap(seen)) {
    const target = moveTo === null ? undefined : fleet.workers.get(moveTo);
    const isGone = target === undefined || target.record.state === 'draining';
    if (isGone || now - since >= OBEYED_MS) yield { reason: 'order_ignored', jobset: id };
  }
  for (const { id, waiting } of [...fleet.claimedWaiting].flatMap(seen))
    if (waiting?.reason !== 'quarantined') yield { reason: 'claimed_waiting', jobset: id };
}

const leftAlone = (fleet: Fleet, memory: Memory, now: number): readonly FleetJobset[] => {
  const left: FleetJobset[] = [];
  for (const id of fleet.vacant) {
    const jobset = fleet.jobsets.get(id);
    if (jobset === undefined || jobset.jobs === 0 || memory.isAhead(jobset)) continue;
    if (now - jobset.since >= CLAIMED_MS) left.push(jobset);
    if (left.length >= QUEUED_AT_ONCE) break;
  }
  return left;
};

/** Where a zone has no worker at all, the first that comes claims it without being told. */
function* unclaimed({ workers }: Standings, left: readonly FleetJobset[]): Generator<Unclaimed> {
  const sum = { places: 0, jobs: 0 };
  for (const { load, jobs } of workers.values()) {
    sum.places += load;
    sum.jobs += jobs;
  }
  for (const { id, zone, jobs } of left) {
    const able = [...workers.values()].filter((one) => !one.isDraining && mayRun(one, { zone }));
    const [by] = able;
    // Who takes part of it only takes nothing by itself: out of the queue it is given that part.
    if (by === undefined || able.some((one) => one.isOpen && jobsLeft(one) >= jobs)) continue;
    yield { reason: 'unclaimed', jobset: id, by: by.id, load: (sum.places / sum.jobs || 0) * jobs };
  }
}
