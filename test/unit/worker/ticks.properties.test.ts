/** Which ticks of a check have passed, for any schedule and any time in which nobody looked. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cronOf } from '../../../src/shared/rules/schedule.ts';
import { CheckTable } from '../../../src/worker/check-table.ts';
import { Plans } from '../../../src/worker/plan.ts';
import { Ticks } from '../../../src/worker/ticks.ts';
import { aCheck, aSpec, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedProbe } from '../../support/scripted-probe.ts';

const check = fc.record({
  cron: fc.constantFrom(
    '* * * * * *',
    '*/7 * * * * *',
    '5,20,21 * * * * *',
    '*/3 * * * *',
    '0 2 * * *',
  ),
  offsetMs: fc.nat({ max: 59_999 }),
});

const aSlot = ({ cron, offsetMs }: { readonly cron: string; readonly offsetMs: number }) => {
  const table = new CheckTable();
  const schedule = { cron, timezone: 'UTC', splayMs: 0 };
  const { id, key, spec } = aCheck('host/', aSpec({ schedule }));
  const plan = new Plans({ http: new ScriptedProbe(new ManualClock()) }).acquire(spec);
  const claim = { jobset: 'jobset', token: '1' } as never;
  const slot = table.add({ id, key, plan, cron: cronOf(schedule, id), offsetMs, claim });
  return { slot, ticks: new Ticks(table) };
};

it('are those that one finds who goes from each to the next', () =>
  fc.assert(
    fc.property(
      check,
      fc.nat({ max: 86_400_000 }),
      fc.nat({ max: 400_000 }),
      (check, from, gapMs) => {
        const { slot, ticks } = aSlot(check);
        const due = ticks.after(slot, TICK + from);
        const now = due + gapMs;
        let tick = due;
        let passed = 1;
        let next = ticks.after(slot, due);
        for (; next <= now; next = ticks.after(slot, next)) {
          tick = next;
          passed += 1;
        }
        expect(due).toBeGreaterThan(TICK + from);
        expect(ticks.passed(slot, due, now)).toEqual({ tick, passed, next });
      },
    ),
  ));
