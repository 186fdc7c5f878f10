import { describe, expect, it } from 'vitest';
import type { CheckId } from '../../../src/shared/domain/check.ts';
import type { Suspects } from '../../../src/shared/domain/jobset.ts';
import { suspectsAfter, undoneAmong } from '../../../src/shared/rules/suspicion.ts';
import { aCheck, aSpec } from '../../support/builders.ts';

const A = 'a' as CheckId;
const B = 'b' as CheckId;
const PACE = { beatMs: 3_000, takeoverMs: 9_000 };
const MINUTE = 60_000;
/** A minute that begins. */
const NOON = Date.UTC(2026, 0, 1, 12);

const suspicion = (deaths: number, { at = NOON, isTried = false } = {}) => ({
  deaths,
  at,
  isTried,
});

describe('a job that a worker may have died of', () => {
  it('is suspected from the first death on', () => {
    const { jobs, guilty } = suspectsAfter({}, new Set([A]), NOON);
    expect(jobs).toEqual({ [A]: suspicion(1) });
    expect(guilty).toEqual(new Set());
  });

  it('is suspected more with the next death', () => {
    const { jobs } = suspectsAfter({ [A]: suspicion(1) }, new Set([A]), NOON + 10);
    expect(jobs).toEqual({ [A]: suspicion(2, { at: NOON + 10 }) });
  });

  it('is guilty when the worker dies that has run it alone', () => {
    const { jobs, guilty } = suspectsAfter(
      { [A]: suspicion(2, { isTried: true }) },
      new Set([A]),
      NOON,
    );
    expect(guilty).toEqual(new Set([A]));
    expect(jobs[A]?.deaths).toBe(3);
  });

  it('stays guilty until it is quarantined, whatever becomes of those who know', () => {
    const guilty = { [A]: suspicion(3) };
    expect(suspectsAfter(guilty, null, NOON).guilty).toEqual(new Set([A]));
    expect(suspectsAfter(guilty, new Set(), NOON).guilty).toEqual(new Set([A]));
    expect(suspectsAfter(guilty, new Set([A]), NOON).jobs[A]?.deaths).toBe(3);
  });

  it('is not to blame for a death while it was withheld', () => {
    const { jobs, guilty } = suspectsAfter({ [A]: suspicion(2) }, new Set([A, B]), NOON);
    expect(jobs[A]?.deaths).toBe(2);
    expect(jobs[B]?.deaths).toBe(1);
    expect(guilty).toEqual(new Set());
  });

  it('is cleared when its run had ended before its worker died', () => {
    const previous: Suspects['jobs'] = {
      [A]: suspicion(1),
      [B]: suspicion(2, { isTried: true }),
    };
    expect(suspectsAfter(previous, new Set(), NOON)).toEqual({ jobs: {}, guilty: new Set() });
  });

  it('is suspected no more and no less when its worker hands it back', () => {
    const tried = { [A]: suspicion(2, { isTried: true }) };
    expect(suspectsAfter(tried, null, NOON).jobs).toEqual({ [A]: suspicion(2) });
  });

  it('is forgotten ten minutes after the last death', () => {
    const previous = { [A]: suspicion(2, { isTried: true }) };
    expect(suspectsAfter(previous, null, NOON + 10 * MINUTE).jobs).not.toEqual({});
    expect(suspectsAfter(previous, null, NOON + 10 * MINUTE + 1).jobs).toEqual({});
    const { jobs, guilty } = suspectsAfter(previous, new Set([A]), NOON + 11 * MINUTE);
    expect(jobs[A]?.deaths).toBe(1);
    expect(guilty).toEqual(new Set());
  });
});

describe('what a worker that died had not done', () => {
  const everyMinute = aCheck('every-minute');
  const at = (second: number) =>
    aCheck(`at-${second}`, aSpec({ schedule: { cron: `${second} * * * * *` } }));

  it('is what it had under way at its last heartbeat', () => {
    const open = [[everyMinute.id, NOON]] as const;
    const undone = undoneAmong(
      [everyMinute, at(30)],
      { through: NOON + 10_000, open },
      { now: NOON + 16_000, pace: PACE },
    );
    expect(undone).toEqual(new Set([everyMinute.id]));
  });

  it('is what fell due before its next heartbeat', () => {
    const undone = undoneAmong(
      [at(12), at(13), at(14)],
      { through: NOON + 10_000, open: [] },
      { now: NOON + 16_000, pace: PACE },
    );
    expect(undone).toEqual(new Set([at(12).id, at(13).id]));
  });

  it('is nothing that was not due yet', () => {
    const undone = undoneAmong(
      [at(11), at(12)],
      { through: NOON + 10_000, open: [] },
      { now: NOON + 11_500, pace: PACE },
    );
    expect(undone).toEqual(new Set([at(11).id]));
  });

  it('is all that is due when another may have died in between without a word', () => {
    const undone = undoneAmong(
      [at(15), at(19), at(30)],
      { through: NOON + 10_000, open: [] },
      { now: NOON + 20_000, pace: PACE },
    );
    expect(undone).toEqual(new Set([at(15).id, at(19).id]));
  });

  it('leaves out what no version can run', () => {
    const broken = aCheck('broken', aSpec({ schedule: { cron: 'never' } }));
    const left = { through: NOON, open: [] };
    expect(undoneAmong([broken], left, { now: NOON + 60_000, pace: PACE })).toEqual(new Set());
  });
});
