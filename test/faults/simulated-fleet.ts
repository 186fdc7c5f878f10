/** A thousand workers with a million checks on virtual time, of which a hundred die at one moment. */

import { brokenBy } from '../simulation/fleet-figures.ts';
import { liveFleetInThread } from '../simulation/fleet-thread.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { workers: 1000, jobsets: 10_000, lost: 100 },
  small: { workers: 50, jobsets: 500, lost: 5 },
} as const satisfies Record<Size, object>;
const MOST_CPU_SECONDS = 600;

export const simulatedFleet: Row = {
  name: 'simulated-fleet',
  title:
    'A fleet of 1,000 workers that loses 100 of them has all jobsets owned within 15 s, with few failed claims and few moves, and evenly in the end',
  covers: ['src/admin', 'src/shared/coordination', 'src/shared/rules', 'src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const before = process.cpuUsage();
    const figures = await liveFleetInThread(SIZES[size]);
    const { user, system } = process.cpuUsage(before);
    const cpuSeconds = Math.round((user + system) / 1e6);
    const broken = brokenBy(figures);
    for (const promise of broken) console.error(promise);
    const counts = { ...figures, cpu_seconds: cpuSeconds };
    return { counts, holds: broken.length === 0 && cpuSeconds <= MOST_CPU_SECONDS };
  },
};
