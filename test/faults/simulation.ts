/** Whole pools on virtual time, over a store that misbehaves on purpose: many short lives, some long ones. */

import { replayOf, simulate } from '../simulation/simulate.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: [
    { name: 'short', schedules: 20_000, minutes: 20, seed: 1 },
    { name: 'long', schedules: 200, minutes: 360, seed: 1_000_000 },
  ],
  small: [{ name: 'short', schedules: 20, minutes: 20, seed: 1 }],
} as const satisfies Record<Size, object>;
const LEAST_FAULTS = 5;

export const simulation: Row = {
  name: 'simulation',
  title: 'No schedule of faults on virtual time breaks a promise of the pool',
  covers: ['src/admin', 'src/shared/coordination', 'src/shared/rules', 'src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const counts: Record<string, number> = {};
    let holds = true;
    for (const { name, ...campaign } of SIZES[size]) {
      const outcome = await simulate(campaign);
      for (const { seed, violations } of outcome.failed) {
        console.error(replayOf(seed, campaign.minutes), JSON.stringify(violations));
      }
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
