/** Whole pools on virtual time, over a store that misbehaves on purpose: many short lives, some long ones. */

import { type Campaign, replayOf, simulate } from '../simulation/simulate.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: [
    { name: 'short', schedules: 20_000, minutes: 20, seed: 1 },
    { name: 'long', schedules: 200, minutes: 360, seed: 1_000_000 },
  ],
  small: [{ name: 'short', schedules: 20, minutes: 20, seed: 1 }],
} as const satisfies Record<Size, object>;
const LEAST_FAULTS = 5;
const PROGRESS_MS = 60_000;

export const simulation: Row = {
  name: 'simulation',
  title: 'No schedule of faults on virtual time breaks a promise of the pool',
  covers: ['src/admin', 'src/shared/coordination', 'src/shared/rules', 'src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const counts: Record<string, number> = {};
    let holds = true;
    for (const { name, ...campaign } of SIZES[size]) {
      const outcome = await simulate({ ...campaign, onProgress: teller(name, campaign) });
      counts[`${name}_schedules`] = outcome.schedules;
      counts[`${name}_days`] = Math.round(outcome.simulatedDays);
      counts[`${name}_faults`] = outcome.faults;
      counts[`${name}_fewest_faults`] = outcome.fewestFaults;
      counts[`${name}_results`] = outcome.counts['results'] ?? 0;
      counts[`${name}_violations`] = outcome.failed.length;
      holds &&= outcome.failed.length === 0 && outcome.fewestFaults >= LEAST_FAULTS;
    }
    return { counts, holds };
  },
};

/** Each violation at once, and now and then how far it is: it takes an hour. */
const teller = (
  name: string,
  { schedules, minutes }: Pick<Campaign, 'schedules' | 'minutes'>,
): NonNullable<Campaign['onProgress']> => {
  let [toldAt, shown] = [performance.now(), 0];
  return (so) => {
    for (const { seed, violations } of so.failed.slice(shown))
      console.error(replayOf(seed, minutes), JSON.stringify(violations));
    shown = so.failed.length;
    if (performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    console.error(`${name}: ${so.schedules} of ${schedules} schedules, ${shown} with violations`);
  };
};
