import { describe, expect, it } from 'vitest';
import { fullnessAfter, isFull, ROOM, type Strain } from '../../../src/shared/rules/fullness.ts';

const strain = (overrides: Partial<Strain>): Strain => ({
  pressure: 0,
  loopDelayP99Ms: 0,
  at: 0,
  ...overrides,
});
const unlimited = { places: 100, jobs: null };

/** Whether it is full after each of them. */
const course = (...strains: readonly Partial<Strain>[]): boolean[] => {
  let fullness = ROOM;
  return strains.map((one) => {
    fullness = fullnessAfter(fullness, strain(one));
    return isFull(fullness, 1_000, unlimited);
  });
};

describe('a worker is full', () => {
  it('from nine tenths of what it can take on, until it is below eight', () => {
    const pressures = [0.89, 0.9, 0.85, 0.8, 0.79, 0.85, 0.9];
    const full = course(...pressures.map((pressure) => ({ pressure })));
    expect(full).toEqual([false, true, true, true, false, false, true]);
  });

  it('once its loop has been slow for half a minute, and not by a burst', () => {
    const slow = (at: number) => ({ loopDelayP99Ms: 600, at });
    expect(course(slow(0), slow(29_999), slow(30_000))).toEqual([false, false, true]);
    expect(course(slow(0), { at: 10_000 }, slow(20_000), slow(49_999))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(course(slow(0), slow(30_000), { loopDelayP99Ms: 500, at: 40_000 })).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('with as many jobs as it may have, exactly, both ways', () => {
    const capacity = { places: 100, jobs: 100 };
    expect([99, 100, 101, 99].map((jobs) => isFull(ROOM, jobs, capacity))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });
});
