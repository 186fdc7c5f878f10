/**
 * Which jobsets move so that all workers bear about the same. Pure.
 *
 * Two paces. A worker that came with nothing is relief: each of the others gives it up to a tenth of what
 * it bears every five seconds. Among workers that all have something to do, moving costs more than it
 * brings, so little is moved, and only while they differ much. No move lets the receiver bear more than the
 * giver: whatever the figures were worth, nothing goes to and fro.
 */

import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import { weightOf } from '../shared/rules/load.ts';
import type { Fleet, FleetJobset } from './fleet.ts';
import type { Memory } from './memory.ts';
import { burdenOf, give, jobsLeft, placesLeft, type Standing, type Standings } from './standing.ts';

export interface Move {
  readonly reason: 'empty_worker' | 'imbalance';
  readonly jobset: JobsetId;
  readonly from: WorkerId;
  readonly to: WorkerId;
  /** Places, as far as anybody knows. */
  readonly load: number;
}

/** Of its burden, that a giver gives in one round. */
const GIVEN_A_ROUND = 0.1;
/** Shares of the mean by which the most and the least burdened may differ before anything is done… */
const BEARABLE = 0.3;
/** …and at which it is left as it is. */
const GOOD = 0.15;
/** Of all jobsets, that move for balance in a minute. */
const MOVED_A_MINUTE = 0.02;
/** By then a worker that starts with the others has claimed what is free. */
const SETTLED_MS = 5_000;
/** Whoever came so short a time ago is new, though it may have claimed something. */
const NEW_MS = 120_000;
const MOVES_A_ROUND = 200;

/** Workers that share what they may run. */
interface Group {
  readonly workers: readonly Standing[];
  readonly isMovable: (jobset: FleetJobset) => boolean;
}

interface Scene {
  readonly fleet: Fleet;
  readonly standings: Standings;
  readonly memory: Memory;
  readonly now: number;
  readonly plan: Move[];
}

export const planBalance = (
  fleet: Fleet,
  standings: Standings,
  memory: Memory,
  now: number,
): readonly Move[] => {
  const scene: Scene = { fleet, standings, memory, now, plan: [] };
  const allowed = Math.max(1, Math.floor(fleet.jobsets.size * MOVED_A_MINUTE));
  const budget = { moves: allowed - memory.balancingMoves(now) };
  for (const group of groupsOf(standings)) {
    const before = scene.plan.length;
    fillNewcomers(scene, group);
    if (scene.plan.length === before) evenOut(scene, group, budget);
  }
  return scene.plan;
};

/** Each zone by itself; and all together for what may run anywhere. */
const groupsOf = ({ workers }: Standings): Group[] => {
  const staying = [...workers.values()].filter(({ isDraining }) => !isDraining);
  const zones = [...Map.groupBy(staying, ({ zone }) => zone).values()];
  const groups: Group[] = zones.map((ofZone) => ({ workers: ofZone, isMovable: () => true }));
  if (zones.length > 1) groups.push({ workers: staying, isMovable: ({ zone }) => zone === null });
  return groups.filter((group) => group.workers.length > 1);
};

const meanOf = (workers: readonly Standing[]): number => {
  const sum = { weight: 0, places: 0 };
  for (const { load, jobs, capacity } of workers) {
    sum.weight += weightOf(load, jobs);
    sum.places += capacity.places;
  }
  return sum.weight / sum.places;
};

const fillNewcomers = (scene: Scene, group: Group): void => {
  const { memory, now } = scene;
  const mean = meanOf(group.workers);
  const isNew = ({ id, jobs, since }: Standing): boolean =>
    jobs === 0 || now - since < NEW_MS || memory.isFilling(id, now);
  const newcomers = receiversIn(scene, group).filter(isNew);
  const next = (): Standing | null => {
    const to = lightest(newcomers);
    const isDone = to === null || burdenOf(to) >= mean * (1 - GOOD);
    return isDone || scene.plan.length >= MOVES_A_ROUND ? null : to;
  };
  for (const giver of heaviestFirst(group.workers)) {
    if (burdenOf(giver) <= mean || next() === null) return;
    giveSome(scene, group, giver, next);
  }
};

/** At least one jobset, if there is one that fits. */
const giveSome = (
  scene: Scene,
  group: Group,
  giver: Standing,
  next: () => Standing | null,
): void => {
  let left = GIVEN_A_ROUND * weightOf(giver.load, giver.jobs);
  const each = eachOf(giver);
  let hasGiven = false;
  for (const jobset of giveable(scene, group, giver)) {
    const weight = each * jobset.jobs;
    if (hasGiven && weight > left) continue;
    const to = next();
    if (to === null) return;
    if (!move(scene, jobset, { giver, to, reason: 'empty_worker' })) continue;
    hasGiven = true;
    left -= weight;
  }
};

const evenOut = (scene: Scene, group: Group, budget: { moves: number }): void => {
  const { memory, now, plan } = scene;
  const mean = meanOf(group.workers);
  const start = memory.isBalancing(now) ? GOOD : BEARABLE;
  let bound = start;
  while (budget.moves > 0 && plan.length < MOVES_A_ROUND) {
    const to = lightest(receiversIn(scene, group));
    const [heaviest] = heaviestFirst(group.workers);
    if (to === null || heaviest === undefined) return;
    if (burdenOf(heaviest) - burdenOf(to) <= bound * mean) return;
    if (!takeOne(scene, group, to, mean)) return;
    budget.moves -= 1;
    bound = GOOD;
  }
};

/** From the most burdened that has something which fits. */
const takeOne = (scene: Scene, group: Group, to: Standing, mean: number): boolean => {
  for (const giver of heaviestFirst(group.workers)) {
    if (giver === to || burdenOf(giver) <= mean) return false;
    for (const jobset of giveable(scene, group, giver))
      if (move(scene, jobset, { giver, to, reason: 'imbalance' })) return true;
  }
  return false;
};

const receiversIn = ({ now }: Scene, { workers }: Group): Standing[] =>
  workers.filter(({ isOpen, since }) => isOpen && now - since >= SETTLED_MS);

const heaviestFirst = (workers: readonly Standing[]): Standing[] =>
  workers.toSorted((a, b) => burdenOf(b) - burdenOf(a) || (a.id < b.id ? -1 : 1));

const lightest = (workers: readonly Standing[]): Standing | null =>
  workers.reduce<Standing | null>(
    (least, one) => (least === null || burdenOf(one) < burdenOf(least) ? one : least),
    null,
  );

/** Nobody measures single jobsets here: a worker's jobs count as equals. */
const eachOf = ({ load, jobs }: Standing): number => weightOf(load, jobs) / Math.max(1, jobs);

/** Largest first: fewest hand-overs for what they bring. */
const giveable = ({ fleet, memory, now }: Scene, group: Group, giver: Standing): FleetJobset[] => {
  const found: FleetJobset[] = [];
  for (const id of fleet.workers.get(giver.id)?.holds ?? []) {
    const jobset = fleet.jobsets.get(id);
    if (jobset === undefined || jobset.jobs === 0 || jobset.waiting !== null) continue;
    // Whoever has gone since with what it was given has left it to be shared out anew.
    const to = memory.movedTo(id, now);
    const wasMoved = to !== null && fleet.workers.has(to);
    const isBusy = jobset.isOrdered || memory.isAhead(jobset) || wasMoved;
    if (!isBusy && group.isMovable(jobset)) found.push(jobset);
  }
  return found.sort((a, b) => b.jobs - a.jobs || (a.id < b.id ? -1 : 1));
};

/** Whether it was planned. */
const move = (
  { standings, plan }: Scene,
  jobset: FleetJobset,
  { giver, to, reason }: { giver: Standing; to: Standing; reason: Move['reason'] },
): boolean => {
  if (giver === to || jobset.avoid.includes(to.id)) return false;
  if (plan.some((planned) => planned.jobset === jobset.id)) return false;
  const { jobs } = jobset;
  const load = (giver.load / Math.max(1, giver.jobs)) * jobs;
  const weight = weightOf(load, jobs);
  const after = burdenOf(to) + weight / to.capacity.places;
  if (after > burdenOf(giver) - weight / giver.capacity.places + ROUNDING) return false;
  if (jobsLeft(to) < jobs || placesLeft(to, standings.loopPerPlace) < load) return false;
  give(to, { load, jobs }, standings);
  give(giver, { load: -load, jobs: -jobs }, standings);
  plan.push({ reason, jobset: jobset.id, from: giver.id, to: to.id, load });
  return true;
};

/** A hair more than a sum of fractions may be wrong by. */
const ROUNDING = 1e-9;
