/**
 * In which order workers try to claim a jobset: without it, all would try each vacancy at once, and all
 * but one in vain. Each worker computes the same order from what it sees; where they see differently,
 * two try at the same time, and the compare-and-set decides.
 *
 * The death of a worker brings a thousand vacancies to a thousand others at once, so what does not depend
 * on the vacancy is worked out before (`fieldOf`), and a candidate then costs a few nanoseconds.
 */

import type { JobsetId, WorkerId } from '../domain/check.ts';
import type { WorkerRecord } from '../domain/jobset.ts';
import { blend32, mix32 } from './hash.ts';

export type Candidate = Pick<WorkerRecord, 'id' | 'zone' | 'state'>;

export interface Vacancy {
  readonly id: JobsetId;
  readonly zone: string | null;
  readonly avoid: readonly WorkerId[];
}

/** All that may claim, as one of them sees them; it is the first. Columns by candidate. */
export interface Field {
  readonly candidates: readonly Candidate[];
  readonly hashes: Uint32Array;
  /** Jobsets. */
  readonly held: Uint32Array;
  readonly heldByAll: number;
}

/** Over the mean of jobsets held a worker, from which on others go first. */
const HEADROOM = 1.15;

/** Who comes after whom, whatever the hash says: the sum of what holds for a candidate. */
const HOLDS_ITS_SHARE = 1;
const IN_A_WALLED_ZONE = 2;
const IS_FULL = 4;
const IS_AVOIDED = 8;

export const mayRun = (
  candidate: Pick<Candidate, 'zone'>,
  vacancy: Pick<Vacancy, 'zone'>,
): boolean => vacancy.zone === null || vacancy.zone === candidate.zone;

export const fieldOf = (
  me: Candidate,
  {
    candidates,
    heldBy,
  }: {
    readonly candidates: readonly Candidate[];
    /** Jobsets. */
    readonly heldBy: (id: WorkerId) => number;
  },
): Field => {
  const all = [me, ...candidates.filter(({ id }) => id !== me.id)];
  const held = Uint32Array.from(all, ({ id }) => heldBy(id));
  return {
    candidates: all,
    hashes: Uint32Array.from(all, ({ id }) => mix32(id)),
    held,
    heldByAll: held.reduce((sum, one) => sum + one, 0),
  };
};

/**
 * How many try before me; null when I may not run it. Rendezvous hashing spreads the vacancies of a dead
 * worker over all others. Those that hold more than their share come after those that do not; then those of
 * a zone that could not reach its endpoints; then those that are full; and last whoever could not reach
 * its endpoints itself.
 */
export const rankOf = (vacancy: Vacancy, field: Field): number | null => {
  const { candidates, hashes } = field;
  if (!mayRun(candidates[0] as Candidate, vacancy)) return null;
  const tiers = tiersOf(vacancy, field);
  const seed = mix32(vacancy.id);
  const mine = tiers[0] as number;
  const myHash = blend32(hashes[0] as number, seed);
  let before = 0;
  for (let i = 1; i < tiers.length; i += 1) {
    const other = tiers[i] as number;
    if (other < mine || (other === mine && blend32(hashes[i] as number, seed) < myHash))
      before += 1;
  }
  return before;
};

/** Of whoever may not run it: behind all others. */
const OUT = 255;

const tiersOf = (vacancy: Vacancy, field: Field): Uint8Array => {
  const { candidates, held } = field;
  const share = shareOf(vacancy, field);
  const walled = walledZones(vacancy, candidates);
  const tiers = new Uint8Array(candidates.length);
  for (let i = 0; i < tiers.length; i += 1) {
    const one = candidates[i] as Candidate;
    if (!mayRun(one, vacancy)) tiers[i] = OUT;
    else
      tiers[i] =
        ((held[i] as number) >= share ? HOLDS_ITS_SHARE : 0) +
        (one.state === 'full' ? IS_FULL : 0) +
        (walled === null ? 0 : tierBehindWalls(one, vacancy, walled));
  }
  return tiers;
};

const tierBehindWalls = (
  { id, zone }: Candidate,
  { avoid }: Vacancy,
  walled: ReadonlySet<string | null>,
): number => {
  if (avoid.includes(id)) return IS_AVOIDED;
  return walled.has(zone) ? IN_A_WALLED_ZONE : 0;
};

/** Zones of those that could not reach its endpoints; null for most vacancies. */
const walledZones = (
  { avoid }: Vacancy,
  candidates: readonly Candidate[],
): ReadonlySet<string | null> | null => {
  if (avoid.length === 0) return null;
  return new Set(candidates.filter(({ id }) => avoid.includes(id)).map(({ zone }) => zone));
};

const shareOf = (vacancy: Vacancy, { candidates, held, heldByAll }: Field): number => {
  if (vacancy.zone === null) return share(heldByAll, candidates.length);
  let [jobsets, workers] = [0, 0];
  candidates.forEach((one, i) => {
    if (!mayRun(one, vacancy)) return;
    jobsets += held[i] as number;
    workers += 1;
  });
  return share(jobsets, workers);
};

const share = (jobsets: number, workers: number): number =>
  Math.ceil(((jobsets + 1) / workers) * HEADROOM);
