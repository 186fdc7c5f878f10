/** What the next owner of a check runs of the ticks before it came, for any place where the last one stopped. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CheckId } from '../../../src/shared/domain/check.ts';
import { cronOf } from '../../../src/shared/rules/schedule.ts';
import { Beginnings } from '../../../src/worker/beginnings.ts';
import { CheckTable } from '../../../src/worker/check-table.ts';
import { Plans } from '../../../src/worker/plan.ts';
import { Ticks } from '../../../src/worker/ticks.ts';
import { aCheck, aSpec, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedProbe } from '../../support/scripted-probe.ts';

const PERIOD_MS = 10_000;
const ID = 'check' as CheckId;

const aSlot = () => {
  const table = new CheckTable();
  const schedule = { cron: '*/10 * * * * *', timezone: 'UTC', splayMs: 0 };
  const { key, spec } = aCheck('host/', aSpec({ schedule }));
  const plan = new Plans({ http: new ScriptedProbe(new ManualClock()) }).acquire(spec);
  const claim = { jobset: 'jobset', token: '1' } as never;
  const slot = table.add({ id: ID, key, plan, cron: cronOf(schedule, ID), offsetMs: 0, claim });
  return { slot, ticks: new Ticks(table) };
};

const { slot, ticks } = aSlot();

const firstRun = (beginning: ReturnType<Beginnings['of']>) =>
  new Beginnings(ticks, false).firstRun(slot, ID, beginning);

/** How far the last owner was, how long nobody had it, and whether its last tick was still open. */
const history = fc.record({
  through: fc.integer({ min: TICK, max: TICK + 600_000 }),
  gapMs: fc.nat({ max: 300_000 }),
  isOpen: fc.boolean(),
});

const lastTickAt = (time: number): number => Math.floor(time / PERIOD_MS) * PERIOD_MS;

it('runs the latest tick that is due and not done, and counts every other one', () =>
  fc.assert(
    fc.property(history, ({ through, gapMs, isOpen }) => {
      const now = through + gapMs;
      const open = isOpen ? [[ID, lastTickAt(through)] as const] : [];
      const handover = { progress: { through, open }, states: {} };
      const beginning = new Beginnings(ticks, false).of(handover, now, 1);
      const { due } = firstRun(beginning);
      const latest = lastTickAt(now);
      const isDone = latest <= through && !isOpen;
      if (isDone) {
        expect(due).toBe(latest + PERIOD_MS);
        return;
      }
      const { tick, passed, next } = ticks.passed(slot, due, now);
      const oldest = isOpen ? lastTickAt(through) : lastTickAt(through) + PERIOD_MS;
      expect({ tick, passed, next }).toEqual({
        tick: latest,
        passed: (latest - oldest) / PERIOD_MS + 1,
        next: latest + PERIOD_MS,
      });
    }),
  ));

it('waits for no tick that was open by a clock far ahead', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), (periods) => {
      const ahead = lastTickAt(TICK) + PERIOD_MS * periods;
      const handover = { progress: { through: TICK, open: [[ID, ahead] as const] }, states: {} };
      const { due } = firstRun(new Beginnings(ticks, false).of(handover, TICK, 1));
      expect(due).toBeLessThanOrEqual(lastTickAt(TICK) + PERIOD_MS);
    }),
  ));
