/** The verdict on the size of a pool, for any pool: more demand never asks for fewer workers. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type Demand,
  judgeScaling,
  type WaitingDemand,
  type WorkerDemand,
} from '../../../src/shared/rules/scaling.ts';
import { NO_LOAD } from '../../support/builders.ts';

const NOW = Date.UTC(2026, 0, 1);

const share = fc.double({ min: 0, max: 1, noNaN: true });
const worker = fc
  .record({
    state: fc.constantFrom('up', 'full', 'draining'),
    places: fc.integer({ min: 1, max: 300 }),
    limit: fc.option(fc.integer({ min: 1, max: 500 })),
    jobs: fc.nat({ max: 500 }),
    used: fc.double({ min: 0, max: 2, noNaN: true }),
    loop: share,
    slow: fc.boolean(),
  })
  .map(
    ({ state, places, limit, jobs, used, loop, slow }): WorkerDemand => ({
      state,
      capacity: { places, jobs: limit },
      jobs,
      load: {
        ...NO_LOAD,
        places: used * places,
        loop,
        slowHosts: slow ? [{ host: 'h', load: 1, waiting: 1 }] : [],
      },
    }),
  );
const waiting = fc.record({
  reason: fc.constantFrom('late', 'full', 'quarantined'),
  since: fc.integer({ min: NOW - 1e6, max: NOW + 1e6 }),
  load: fc.double({ min: 0, max: 50, noNaN: true }),
  jobs: fc.integer({ min: 1, max: 100 }),
}) satisfies fc.Arbitrary<WaitingDemand>;
const pool = fc.record({
  workers: fc.array(worker, { minLength: 1, maxLength: 12 }),
  waiting: fc.array(waiting, { maxLength: 6 }),
  now: fc.constant(NOW),
}) satisfies fc.Arbitrary<Demand>;

const asksForNoFewer = (more: fc.Arbitrary<(demand: Demand) => Demand>): void =>
  fc.assert(
    fc.property(pool, more, (demand, change) => {
      const [before, after] = [judgeScaling(demand), judgeScaling(change(demand))];
      expect(after.desiredWorkers).toBeGreaterThanOrEqual(before.desiredWorkers);
      expect(after.capacityUtilization).toBeGreaterThanOrEqual(before.capacityUtilization);
    }),
  );

/** The load of one of the workers. */
const heavier = (change: (load: WorkerDemand['load'], by: number) => WorkerDemand['load']) =>
  fc.tuple(fc.nat(), fc.double({ min: 0, max: 100, noNaN: true })).map(
    ([which, by]) =>
      ({ workers, ...demand }: Demand): Demand => ({
        ...demand,
        workers: workers.map((one, i) =>
          i === which % workers.length ? { ...one, load: change(one.load, by) } : one,
        ),
      }),
  );

it('asks for no fewer workers when runs take longer', () => {
  asksForNoFewer(heavier((load, by) => ({ ...load, places: load.places + by })));
});

it('asks for no fewer workers when an event loop is busier', () => {
  asksForNoFewer(heavier((load, by) => ({ ...load, loop: load.loop + by / 100 })));
});

it('asks for no fewer workers when more jobs wait', () => {
  asksForNoFewer(
    waiting.map((one) => (demand: Demand) => ({ ...demand, waiting: [...demand.waiting, one] })),
  );
});

it('asks for enough: with as many workers of their kind, none would be used beyond the target', () => {
  fc.assert(
    fc.property(pool, ({ workers, waiting: queue, now }) => {
      const staying = workers.filter(({ state }) => state !== 'draining');
      fc.pre(staying.length > 0);
      const { capacityUtilization, desiredWorkers } = judgeScaling({
        workers,
        waiting: queue,
        now,
      });
      fc.pre(capacityUtilization < 200);
      const spread = (capacityUtilization * staying.length) / desiredWorkers;
      // The percentage is rounded to a tenth.
      expect(spread).toBeLessThanOrEqual(70 + 0.05 * staying.length + 1e-6);
    }),
  );
});

it('calls more workers futile only where it asks for none', () => {
  fc.assert(
    fc.property(pool, (demand) => {
      const { futile, desiredWorkers, workers, waitingJobs } = judgeScaling(demand);
      if (futile === null) return;
      expect(waitingJobs).toBe(0);
      expect(desiredWorkers).toBeLessThanOrEqual(workers);
    }),
    { numRuns: 2_000 },
  );
});
