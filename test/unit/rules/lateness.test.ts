import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isBehind,
  isLate,
  LogHistograms,
  RecentLateness,
} from '../../../src/shared/rules/lateness.ts';

describe('late', () => {
  it.each([
    [1_000, 2_000],
    [4_000, 2_000],
    [10_000, 5_000],
    [60_000, 30_000],
    [86_400_000, 30_000],
    [Number.POSITIVE_INFINITY, 30_000],
  ])('for a check every %d ms is more than %d ms', (interval, budget) => {
    expect(isLate(budget, interval)).toBe(false);
    expect(isLate(budget + 1, interval)).toBe(true);
  });
});

describe('behind', () => {
  it('is a check with three late runs in a row', () => {
    expect(isBehind(2, 40_000, 60_000)).toBe(false);
    expect(isBehind(3, 40_000, 60_000)).toBe(true);
  });

  it('is a check with one run that is late by more than its interval', () => {
    expect(isBehind(1, 60_001, 60_000)).toBe(true);
    expect(isBehind(1, 60_000, 60_000)).toBe(false);
  });

  it('is not a check every second that starts one and a half late', () => {
    expect(isBehind(0, 1_500, 1_000)).toBe(false);
  });
});

describe('histograms', () => {
  it('have nothing to say before the first run', () => {
    expect(new LogHistograms().quantiles(0)).toBeNull();
  });

  it('give upper bounds at most 42 % (or one ms) above the true quantile', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5_000_000 }), { minLength: 1, maxLength: 200 }),
        (times) => {
          const histograms = new LogHistograms();
          for (const ms of times) histograms.add(0, ms);
          const sorted = times.toSorted((a, b) => a - b);
          const found = histograms.quantiles(0);
          for (const [q, bound] of [
            [0.5, found?.p50],
            [0.95, found?.p95],
            [0.99, found?.p99],
          ] as const) {
            const truth = sorted[Math.ceil(q * sorted.length) - 1]!;
            expect(bound).toBeGreaterThanOrEqual(truth);
            expect(bound).toBeLessThanOrEqual(Math.max(truth, 1) * Math.SQRT2 + 1);
          }
        },
      ),
    );
  });

  it('take a negative time, after a clock was set back, for none', () => {
    const histograms = new LogHistograms();
    histograms.add(0, -3_600_000);
    expect(histograms.quantiles(0)).toEqual({ p50: 1, p95: 1, p99: 1 });
  });

  it('take what is above their range into the last bucket', () => {
    const histograms = new LogHistograms();
    histograms.add(0, 1e12);
    expect(histograms.quantiles(0)?.p50).toBeGreaterThan(2 * 3_600_000);
  });

  it('forget an old outlier and show a new habit', () => {
    const histograms = new LogHistograms();
    histograms.add(0, 60_000);
    for (let n = 0; n < 600; n++) histograms.add(0, 2);
    expect(histograms.quantiles(0)).toEqual({ p50: 2, p95: 2, p99: 2 });
    for (let n = 0; n < 600; n++) histograms.add(0, 500);
    expect(histograms.quantiles(0)?.p50).toBe(512);
  });

  it('keep the slots apart, also when they grow', () => {
    const histograms = new LogHistograms(2);
    histograms.add(0, 10);
    histograms.add(1, 1000);
    histograms.grow(5000);
    histograms.add(4999, 4);
    histograms.clear(0);
    expect(histograms.quantiles(0)).toBeNull();
    expect(histograms.quantiles(1)?.p50).toBe(1024);
    expect(histograms.quantiles(4999)?.p50).toBe(4);
    histograms.grow(1);
    expect(histograms.quantiles(4999)?.p50).toBe(4);
  });
});

describe('the lateness of the last minute', () => {
  const START = Date.UTC(2026, 0, 1);
  const at = (seconds: number): number => START + 1_000 * seconds;

  it('is null without a run', () => {
    expect(new RecentLateness().p99(START)).toBe(null);
  });

  it('is that of the worst hundredth of all runs', () => {
    const recent = new RecentLateness();
    for (let run = 0; run < 980; run += 1) recent.add(5, at(run % 30));
    for (let run = 0; run < 20; run += 1) recent.add(20_000, at(29));
    expect(recent.p99(at(30))).toBeGreaterThanOrEqual(20_000);
    for (let run = 0; run < 2_000; run += 1) recent.add(5, at(30));
    expect(recent.p99(at(31))).toBeLessThan(10);
  });

  it('forgets a run after fifty to sixty seconds', () => {
    const recent = new RecentLateness();
    recent.add(20_000, at(9));
    for (let second = 10; second < 59; second += 1) recent.add(5, at(second));
    expect(recent.p99(at(59))).toBeGreaterThanOrEqual(20_000);
    expect(recent.p99(at(60))).toBeLessThan(10);
  });

  it('is forgotten as a whole after a minute without a run, and when the clock is set back', () => {
    const recent = new RecentLateness();
    recent.add(20_000, at(100));
    expect(recent.p99(at(400))).toBe(null);
    recent.add(20_000, at(400));
    expect(recent.p99(at(100))).toBe(null);
  });
});
