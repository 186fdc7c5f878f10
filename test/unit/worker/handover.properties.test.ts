/** What is handed on with a jobset, for runs of any length and any patience with them. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JobsetId } from '../../../src/shared/domain/check.ts';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { aWorkerCore } from '../../support/worker-core.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
/** The one tick that falls due. */
const TICK = NOON + 30_000;
const everyTen = aSpec({ schedule: { cron: '*/10 * * * * *' } });

const history = fc.record({
  runsMs: fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 6 }),
  places: fc.integer({ min: 1, max: 6 }),
  droppedAfterMs: fc.nat({ max: 14_000 }),
  graceMs: fc.nat({ max: 5_000 }),
});

it('is in time, and of each tick either the result is told or it is left to the next owner', () =>
  fc.assert(
    fc.asyncProperty(history, async ({ runsMs, places, droppedAfterMs, graceMs }) => {
      const worker = aWorkerCore({ startAt: NOON + 25_000, total: places });
      const checks = runsMs.map((_, n) => aCheck(`${n}/`, everyTen));
      worker.probe.script = (key) => ({
        afterMs: runsMs[Number.parseInt(key, 10)] ?? 0,
        observation: anAnswer(),
      });
      worker.scheduler.hold(aJobset(checks));
      await worker.clock.advance(droppedAfterMs);
      const droppedAt = worker.clock.now();
      const { progress } = await worker.clock.until(
        worker.scheduler.drop('jobset' as JobsetId, graceMs),
      );
      expect(worker.clock.now() - droppedAt).toBeLessThanOrEqual(graceMs);
      expect(worker.probe.inFlight).toBe(0);
      const told = worker.results.map(({ id }) => id);
      const open = (progress?.open ?? []).map(([id]) => id);
      const isDue = droppedAt >= TICK && (progress?.through ?? 0) >= TICK;
      expect([...told, ...open].sort()).toEqual(isDue ? checks.map(({ id }) => id).sort() : []);
      expect(progress?.open.every(([, tick]) => tick === TICK)).toBe(true);
      await worker.clock.advance(60_000);
      expect(worker.results.length).toBe(told.length);
      expect(worker.tally.unaccounted).toBe(0);
    }),
  ));
