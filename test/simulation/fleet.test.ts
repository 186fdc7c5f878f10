/** A small simulated fleet; `npm run test:faults -- simulated-fleet` is the one of a thousand workers. */

import { expect, it } from 'vitest';
import { liveFleet } from './fleet.ts';
import { brokenBy } from './fleet-figures.ts';

it('takes over what a tenth of a fleet held, and evens it out with few moves', async () => {
  const figures = await liveFleet({ workers: 50, jobsets: 500, lost: 5 });
  expect(brokenBy(figures)).toEqual([]);
  expect(figures.vacancies).toBeGreaterThan(20);
  expect(figures.ticks_run).toBeGreaterThan(400_000);
});
