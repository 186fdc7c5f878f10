/**
 * What a worker gives away when it has more than it can run on time: load → **relief** → move. To others
 * that have room it hands back whole jobsets, and single jobs where a jobset is more than it has too much.
 * Where nobody has room it puts jobs that stay behind into the waiting queue, so that the rest is on time.
 */

import type { CheckId, JobsetId } from '../domain/check.ts';
import type { ScalingMode } from '../domain/pool-settings.ts';
import { FULL_AT, ROOM_BELOW } from './load.ts';

export interface Pressure {
  /** As in load.ts. */
  readonly utilisation: number;
  /** Checks that stay behind. */
  readonly behind: number;
}

/** A jobset that is held here. */
export interface Burden {
  readonly id: JobsetId;
  /** As in load.ts, of all its jobs. */
  readonly weight: number;
}

/** Jobs that go together; null: all of the jobset. */
export interface Parting {
  readonly jobset: JobsetId;
  readonly jobs: readonly CheckId[] | null;
}

/** Share of what a worker has that it gives away at a time: its receivers are to be asked again before more. */
const STEP = 0.1;
/** Where every check counts, a worker gives up slowly. */
const REBALANCE_MS = 60_000;
const SHED_MS = 5_000;

/** Where relief begins; it ends below `ROOM_BELOW`. A worker that is late without load has slow targets. */
export const isStrained = ({ utilisation, behind }: Pressure): boolean =>
  utilisation > FULL_AT || (behind > 0 && utilisation >= ROOM_BELOW);

/**
 * Of these jobsets, for which others have room, those that go now: the heaviest that fit into a step, and one
 * at least. `total` is the weight of all that is held; `weightsOf` is asked only of a jobset that is to be
 * split.
 */
export const partings = (
  burdens: readonly Burden[],
  { utilisation, total }: { readonly utilisation: number; readonly total: number },
  weightsOf: (id: JobsetId) => ReadonlyMap<CheckId, number>,
): Parting[] => {
  const excess = total * (1 - ROOM_BELOW / utilisation);
  const heaviest = burdens.toSorted((a, b) => b.weight - a.weight);
  const [most] = heaviest;
  const lightest = heaviest.at(-1);
  if (excess <= 0 || most === undefined || lightest === undefined) return [];
  const step = Math.min(excess, total * STEP);
  const fitting = fitInto(heaviest, step);
  if (fitting.length > 0) return fitting.map(({ id }) => ({ jobset: id, jobs: null }));
  if (lightest.weight <= excess) return [{ jobset: lightest.id, jobs: null }];
  const jobs = [...weightsOf(most.id)].map(([id, weight]) => ({ id, weight }));
  const few = fitInto(
    jobs.toSorted((a, b) => b.weight - a.weight),
    step,
  );
  // A job that is more than the excess would only bring it to somebody else.
  if (few.length === 0 || few.length === jobs.length) return [];
  return [{ jobset: most.id, jobs: few.map(({ id }) => id) }];
};

const fitInto = <T extends { readonly weight: number }>(
  heaviest: readonly T[],
  room: number,
): T[] => {
  let left = room;
  return heaviest.filter(({ weight }) => {
    if (weight > left) return false;
    left -= weight;
    return true;
  });
};

/** How many jobs may go to the waiting queue within which time. */
export const kickRate = (
  mode: ScalingMode,
  jobs: number,
): { readonly jobs: number; readonly withinMs: number } => ({
  jobs: Math.max(1, Math.floor(jobs * STEP)),
  withinMs: mode === 'shed' ? SHED_MS : REBALANCE_MS,
});
