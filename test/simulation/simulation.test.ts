/**
 * A short run of the simulation of the whole pool; `npm run test:simulation` is the long one. Which rules are
 * looked at stands in ownership.ts, vacancies.ts, accounts.ts and inspection.ts.
 */

import { expect, it } from 'vitest';
import { FAULT_KINDS } from './faults.ts';
import { live } from './life.ts';
import { replayOf, simulate } from './simulate.ts';

const MINUTES = 20;

it('breaks no rule of the pool in thirty schedules of all faults', {
  timeout: 120_000,
}, async () => {
  const { failed, counts, fewestFaults } = await simulate({
    schedules: 30,
    minutes: MINUTES,
    seed: 1,
  });
  const found = failed.map(({ seed, violations }) => ({
    replay: replayOf(seed, MINUTES),
    violations: violations.map(({ rule, what }) => `${rule}: ${what}`),
  }));
  expect(found).toEqual([]);
  expect(fewestFaults).toBeGreaterThanOrEqual(5);
  expect(counts['results']).toBeGreaterThan(10_000);
  expect(counts['duplicates']).toBeGreaterThan(0);
});

it('lives the same life twice from one seed', async () => {
  const seed = 4711;
  const once = await live({ seed, minutes: 5 });
  const again = await live({ seed, minutes: 5 });
  const other = await live({ seed: seed + 1, minutes: 5 });
  expect(again).toEqual(once);
  expect(other.hash).not.toBe(once.hash);
});

it.each(FAULT_KINDS)('lives through a storm of nothing but %s', async (kind) => {
  const { violations } = await live({ seed: 7, minutes: 4, kinds: [kind] });
  expect(violations).toEqual([]);
});

it('loses three workers at most to a check that kills them', async () => {
  const { violations, counts } = await live({ seed: 7, minutes: 10, kinds: ['poison'] });
  expect(violations).toEqual([]);
  expect(counts['mostDeaths']).toBe(3);
});
