/** The judge of every proof with a pool must see what it is there to see. */

import { describe, expect, it } from 'vitest';
import { History, spreadOf } from '../../support/pool-history.ts';

const INTERVAL_MS = 10_000;
/** A whole number of intervals. */
const T0 = 1_800_000_000_000;

interface Line {
  readonly check?: number;
  readonly tick: number;
  readonly latenessMs?: number;
  readonly worker?: string;
  readonly token?: number;
  readonly detached?: boolean;
  readonly unscheduled?: boolean;
}

const iso = (time: number): string => new Date(time).toISOString();
const lineOf = (line: Line): string =>
  JSON.stringify({
    check: `host.test/check?n=${line.check ?? 0}`,
    tick: iso(line.tick),
    start: iso(line.tick + (line.latenessMs ?? 0)),
    lateness_ms: line.latenessMs ?? 0,
    duration_ms: 5,
    status: 'ok',
    worker: line.worker ?? 'a',
    token: `${line.token ?? 1}`,
    detached: line.detached ?? false,
    ...(line.unscheduled === true ? { unscheduled: true } : {}),
  });

const historyOf = (lines: readonly Line[], checks = 1): History => {
  const history = new History({ checks, intervalMs: INTERVAL_MS });
  for (const line of lines) history.take(lineOf(line));
  return history;
};
/** Four ticks, 3 s after each full interval. */
const TICKS = [0, 1, 2, 3].map((n) => T0 + 3_000 + n * INTERVAL_MS);
const [, , third = 0] = TICKS;
const whole = TICKS.map((tick) => ({ tick }));
const END = T0 + 4 * INTERVAL_MS;
const NONE = { missed: 0, doubled: 0, repeated: 0, labelled: 0, stray: 0 };

describe('the history of a pool', () => {
  it('finds nothing wrong with one result for each tick', () => {
    expect(historyOf(whole).window(T0, END)).toMatchObject({ ...NONE, ticks: 4 });
  });

  it('finds the tick without a result, only in the window', () => {
    const history = historyOf(whole.filter(({ tick }) => tick !== third));
    expect(history.window(T0, END)).toMatchObject({ ...NONE, ticks: 4, missed: 1 });
    expect(history.window(T0, third)).toMatchObject({ ...NONE, ticks: 2 });
    expect(history.window(third, END)).toMatchObject({ ticks: 2, missed: 1 });
  });

  it('counts a check that never ran with all its ticks', () => {
    const history = historyOf(whole, 2);
    expect(history.unseen).toBe(1);
    expect(history.window(T0, END)).toMatchObject({ ticks: 8, missed: 4 });
  });

  it('tells a doubled tick from one that a worker without proof has run as well', () => {
    const another = { tick: third, worker: 'b', token: 2 };
    expect(historyOf([...whole, another]).window(T0, END)).toMatchObject({
      ...NONE,
      doubled: 1,
      repeated: 1,
    });
    const labelled = { ...another, detached: true };
    expect(historyOf([...whole, labelled]).window(T0, END)).toMatchObject({
      ...NONE,
      repeated: 1,
      labelled: 1,
    });
  });

  it('takes one result that is delivered twice for one', () => {
    expect(historyOf([...whole, ...whole]).window(T0, END)).toMatchObject(NONE);
  });

  it('sees the same worker run a tick twice', () => {
    const again = { tick: third, latenessMs: 700 };
    expect(historyOf([...whole, again]).window(T0, END)).toMatchObject({ doubled: 1 });
    expect([...historyOf([...whole, again]).repeated(T0, END)]).toHaveLength(1);
  });

  it('leaves runs at start out, and names a tick that is none', () => {
    const start = { tick: third + 1, unscheduled: true };
    const stray = { tick: third + 1 };
    expect(historyOf([...whole, start]).window(T0, END)).toMatchObject(NONE);
    expect(historyOf([...whole, stray]).window(T0, END)).toMatchObject({ ...NONE, stray: 1 });
  });

  it('measures the lateness of the run that came first', () => {
    const late = { tick: third, latenessMs: 4_000 };
    const later = { tick: third, latenessMs: 9_000, worker: 'b' };
    const others = whole.filter(({ tick }) => tick !== third);
    const { latenessMs } = historyOf([...others, later, late]).window(T0, END);
    expect(latenessMs).toEqual({ p50: 0, p99: 4_000, max: 4_000 });
  });
});

describe('a spread', () => {
  it('is of what was measured, and zeros of nothing', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(spreadOf(hundred)).toEqual({ p50: 50, p99: 99, max: 100 });
    expect(spreadOf([])).toEqual({ p50: 0, p99: 0, max: 0 });
  });
});
