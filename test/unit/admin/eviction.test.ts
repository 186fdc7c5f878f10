import { describe, expect, it } from 'vitest';
import { planEviction } from '../../../src/admin/eviction.ts';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { aFleet, type WorkerSketch } from './fleets.ts';

const STUCK: WorkerSketch = { stuckBeats: 3, load: { overdueMs: 21_000 } };
const JOBSETS = { one: { jobs: 5, owner: 'a' } };

describe('eviction', () => {
  const examples: [string, Fleet, string[]][] = [
    [
      'takes a worker out that has been stuck for three beats',
      aFleet({ a: STUCK, b: {} }, JOBSETS),
      ['a'],
    ],
    ['waits for the third beat', aFleet({ a: { ...STUCK, stuckBeats: 2 }, b: {} }, JOBSETS), []],
    ['leaves a worker that nobody could stand in for', aFleet({ a: STUCK }, JOBSETS), []],
    [
      'counts no draining worker as one who could',
      aFleet({ a: STUCK, b: { state: 'draining' } }, JOBSETS),
      [],
    ],
    [
      'counts a full worker as one who could',
      aFleet({ a: STUCK, b: { state: 'full' } }, JOBSETS),
      ['a'],
    ],
    [
      'counts no stuck worker as one who could',
      aFleet({ a: STUCK, b: { stuckBeats: 1 } }, JOBSETS),
      [],
    ],
    ['leaves a worker that holds nothing', aFleet({ a: STUCK, b: {} }), []],
    [
      'leaves a worker whose zone nobody else is in',
      aFleet({ a: { ...STUCK, zone: 'eu' }, b: {} }, { one: { jobs: 5, owner: 'a', zone: 'eu' } }),
      [],
    ],
    [
      'takes one at a time, the longest stuck first',
      aFleet(
        { a: STUCK, c: { stuckBeats: 3, load: { overdueMs: 40_000 } }, b: {} },
        { ...JOBSETS, two: { jobs: 1, owner: 'c' } },
      ),
      ['c'],
    ],
  ];
  it.each(examples)('%s', (_, fleet, expected) => {
    expect(planEviction(fleet).map(({ worker }) => worker)).toEqual(expected);
  });
});
