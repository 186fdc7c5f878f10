import { describe, expect, it } from 'vitest';
import {
  demandOf,
  isTimeout,
  meanAfter,
  pressureOf,
  utilisationOf,
  weightOf,
} from '../../../src/shared/rules/load.ts';

describe('demand', () => {
  it.each([
    [2_000, 60_000, 1 / 30],
    [500, 1_000, 0.5],
    [10_000, 5_000, 1],
    [10_000, Number.POSITIVE_INFINITY, 0],
  ])('of %d ms every %d ms is %d of a place', (duration, interval, places) => {
    expect(demandOf(duration, interval)).toBeCloseTo(places);
  });

  it('follows a target that slows down within a few runs', () => {
    let mean = meanAfter(0, 10);
    expect(mean).toBe(10);
    for (let run = 0; run < 5; run += 1) mean = meanAfter(mean, 2_000);
    expect(mean).toBeGreaterThan(1_600);
  });

  it.each([
    ['timeout_connect', true],
    ['timeout_tls', true],
    ['timeout_first_byte', true],
    ['timeout_body', true],
    ['refused', false],
    ['checker_blocked', false],
  ] as const)('after %s is time lost: %s', (code, lost) => {
    expect(isTimeout(code)).toBe(lost);
  });
});

describe('utilisation', () => {
  const capacity = { places: 100, jobs: null };

  it.each([
    [{ places: 50, loop: 0.2 }, 0.5],
    [{ places: 10, loop: 0.6 }, 0.75],
    [{ places: 150, loop: 0.8 }, 1.5],
    [{ places: 0, loop: 0 }, 0],
  ])('of %o is what is scarcer: %d', (load, utilisation) => {
    expect(pressureOf(load, capacity)).toBeCloseTo(utilisation);
    expect(utilisationOf(load, capacity, 1_000)).toBeCloseTo(utilisation);
  });

  it('is that of the limit of jobs where that is nearer', () => {
    expect(utilisationOf({ places: 10, loop: 0 }, { places: 100, jobs: 4 }, 3)).toBe(0.75);
  });
});

describe('the weight of jobs', () => {
  it('is their number where they ask for nothing', () => {
    expect(weightOf(0, 200)).toBeCloseTo(2 * weightOf(0, 100));
    expect(weightOf(0)).toBeGreaterThan(0);
  });
});
