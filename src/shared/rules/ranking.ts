/**
 * In which order workers try to claim a jobset: without it, all would try each vacancy at once, and all
 * but one in vain. Each worker computes the same order from what it sees; where they see differently,
 * two try at the same time, and the compare-and-set decides.
 */

import type { JobsetId, WorkerId } from '../domain/check.ts';
import { fraction } from './hash.ts';

export interface Candidate {
  readonly id: WorkerId;
  readonly zone: string | null;
}

export interface Vacancy {
  readonly id: JobsetId;
  readonly zone: string | null;
  readonly avoid: readonly WorkerId[];
}

/** Over the mean of jobsets held a worker, from which on others go first. */
const HEADROOM = 1.15;

export const mayRun = (candidate: Candidate, vacancy: Pick<Vacancy, 'zone'>): boolean =>
  vacancy.zone === null || vacancy.zone === candidate.zone;

/**
 * How many try before `me`; null when I may not run it. Rendezvous hashing spreads the vacancies of a dead
 * worker over all others; those that hold more than their share come after those that do not, and those
 * that could not reach its endpoints come last, after the others of their zones.
 */
export const rankOf = (
  me: Candidate,
  vacancy: Vacancy,
  {
    candidates,
    heldBy,
  }: {
    readonly candidates: readonly Candidate[];
    /** Jobsets. */
    readonly heldBy: (id: WorkerId) => number;
  },
): number | null => {
  if (!mayRun(me, vacancy)) return null;
  const others = candidates.filter(
    ({ id, ...rest }) => id !== me.id && mayRun({ id, ...rest }, vacancy),
  );
  const held = [me, ...others].reduce((sum, { id }) => sum + heldBy(id), 0);
  const share = Math.ceil(((held + 1) / (others.length + 1)) * HEADROOM);
  const avoids = ({ id }: Candidate): boolean => vacancy.avoid.includes(id);
  const walled = new Set(candidates.filter(avoids).map(({ zone }) => zone));
  const standing = (one: Candidate): number => {
    const group = avoids(one) ? 4 : 2 * Number(walled.has(one.zone));
    return group + Number(heldBy(one.id) >= share) + fraction(`${one.id}:${vacancy.id}`);
  };
  const mine = standing(me);
  return others.filter((other) => standing(other) < mine).length;
};
