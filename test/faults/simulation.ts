/** Whole pools on virtual time, over a store that misbehaves on purpose: many short lives, some long ones. */

import { type Outcome, replayOf, simulate } from '../simulation/simulate.ts';
import { Parts } from './parts.ts';
import type { Proof, Row, Size } from './row.ts';

interface Campaign {
  readonly name: string;
  readonly schedules: number;
  readonly minutes: number;
  readonly seed: number;
  /** Schedules that are kept once they are done. */
  readonly part: number;
}

const SIZES: Readonly<Record<Size, readonly Campaign[]>> = {
  full: [
    { name: 'short', schedules: 20_000, minutes: 20, seed: 1, part: 500 },
    { name: 'long', schedules: 200, minutes: 360, seed: 1_000_000, part: 10 },
  ],
  small: [{ name: 'short', schedules: 20, minutes: 20, seed: 1, part: 20 }],
};
const COVERS = ['src/admin', 'src/shared/coordination', 'src/shared/rules', 'src/worker'];
/** What its outcome follows from, the versions of libraries with it. */
const DEPENDS = ['src', 'test/simulation', 'test/support', 'package-lock.json'];
const LEAST_FAULTS = 5;

/** What is kept of one. */
interface Figures {
  readonly days: number;
  readonly faults: number;
  readonly fewestFaults: number;
  readonly results: number;
  readonly violations: number;
}

export const simulation: Row = {
  name: 'simulation',
  title: 'No schedule of faults on virtual time breaks a promise of the pool',
  covers: COVERS,
  prove: async (size): Promise<Proof | null> => {
    const counts: Record<string, number> = {};
    let holds = true;
    for (const campaign of SIZES[size]) {
      const { name, schedules } = campaign;
      const figures = await lived(campaign, size);
      counts[`${name}_schedules`] = schedules;
      counts[`${name}_days`] = Math.round(figures.days);
      counts[`${name}_faults`] = figures.faults;
      counts[`${name}_fewest_faults`] = figures.fewestFaults;
      counts[`${name}_results`] = figures.results;
      counts[`${name}_violations`] = figures.violations;
      holds &&= figures.violations === 0 && figures.fewestFaults >= LEAST_FAULTS;
    }
    return { counts, holds };
  },
};

/** At full size it takes more than an hour: part by part, and it says how far it is. */
async function lived({ name, schedules, minutes, seed, part }: Campaign, size: Size) {
  const parts = size === 'full' ? new Parts<Figures>('simulation', DEPENDS) : null;
  let sum: Figures = { days: 0, faults: 0, fewestFaults: Infinity, results: 0, violations: 0 };
  for (let done = 0; done < schedules; done += part) {
    const campaign = { schedules: part, minutes, seed: seed + done, onProgress: teller(minutes) };
    const livePart = async () => figuresOf(await simulate(campaign));
    if (parts === null) {
      sum = added(sum, await livePart());
      continue;
    }
    sum = added(sum, await parts.outcomeOf(`${name}-${campaign.seed}`, livePart, isClean));
    console.error(`${name}: ${done + part} of ${schedules}, ${sum.violations} with violations`);
  }
  return sum;
}

const isClean = ({ violations }: Figures): boolean => violations === 0;

const figuresOf = ({ simulatedDays, faults, fewestFaults, counts, failed }: Outcome): Figures => ({
  days: simulatedDays,
  faults,
  fewestFaults,
  results: counts['results'] ?? 0,
  violations: failed.length,
});

const added = (one: Figures, other: Figures): Figures => ({
  days: one.days + other.days,
  faults: one.faults + other.faults,
  fewestFaults: Math.min(one.fewestFaults, other.fewestFaults),
  results: one.results + other.results,
  violations: one.violations + other.violations,
});

/** Each violation at once, with the command that repeats it. */
const teller = (minutes: number): ((so: Outcome) => void) => {
  let shown = 0;
  return ({ failed }) => {
    for (const { seed, violations } of failed.slice(shown))
      console.error(replayOf(seed, minutes), JSON.stringify(violations));
    shown = failed.length;
  };
};
