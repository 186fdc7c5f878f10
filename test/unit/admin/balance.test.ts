import { describe, expect, it } from 'vitest';
import { planBalance } from '../../../src/admin/balance.ts';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { Memory } from '../../../src/admin/memory.ts';
import { standingsOf } from '../../../src/admin/standing.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { aFleet, type JobsetSketch, type WorkerSketch } from './fleets.ts';

const LATER = 200_000;

const plan = (fleet: Fleet, memory = new Memory(), now = LATER) =>
  planBalance(fleet, standingsOf(fleet, memory, now), memory, now);
const inShort = (fleet: Fleet, memory?: Memory, now?: number): string[] =>
  plan(fleet, memory, now).map(
    ({ reason, jobset, from, to }) => `${reason}: ${jobset} ${from} -> ${to}`,
  );

/** So many jobsets of so many jobs, held by a worker. */
const held = (owner: string, count: number, jobs = 100): Record<string, JobsetSketch> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`${owner}${n}`, { jobs, owner }] as const),
  );

describe('balance', () => {
  const examples: [string, Fleet, string[]][] = [
    [
      'gives one of two jobsets to a worker that came with nothing',
      aFleet({ a: {}, b: {} }, held('a', 2)),
      ['empty_worker: a0 a -> b'],
    ],
    ['does not only swap the burden', aFleet({ a: {}, b: {} }, held('a', 1)), []],
    [
      'leaves a worker alone that has only just come',
      aFleet({ a: {}, b: { since: LATER - 4_999 } }, held('a', 2)),
      [],
    ],
    [
      'fills a worker that has come lately though it has claimed something',
      aFleet({ a: {}, b: { since: LATER - 119_999 } }, { ...held('a', 40, 10), ...held('b', 1) }),
      ['a0', 'a1', 'a10', 'a11'].map((id) => `empty_worker: ${id} a -> b`),
    ],
    [
      'gives a tenth of the burden at a time',
      aFleet({ a: {}, b: {} }, held('a', 40, 10)),
      ['a0', 'a1', 'a10', 'a11'].map((id) => `empty_worker: ${id} a -> b`),
    ],
    [
      'asks every worker that bears more than the mean',
      aFleet({ a: {}, b: {}, c: {} }, { ...held('a', 6), ...held('b', 6) }),
      ['empty_worker: a0 a -> c', 'empty_worker: b0 b -> c'],
    ],
    [
      'moves one at a time among workers that have something to do',
      aFleet({ a: {}, b: {} }, { ...held('a', 10), ...held('b', 4) }),
      ['imbalance: a0 a -> b'],
    ],
    [
      'leaves what differs by less than the bearable',
      aFleet({ a: {}, b: {} }, { ...held('a', 57, 10), ...held('b', 43, 10) }),
      [],
    ],
    [
      'compares workers by what they can take',
      aFleet(
        { a: { capacity: { places: 400 } }, b: { capacity: { places: 100 } } },
        { ...held('a', 8), ...held('b', 2) },
      ),
      [],
    ],
    [
      'compares by demand, not by number',
      aFleet(
        { a: { load: { places: 60 } }, b: { load: { places: 10 } } },
        { ...held('a', 4), ...held('b', 4) },
      ),
      ['imbalance: a0 a -> b'],
    ],
    [
      'gives nothing to a full or draining worker',
      aFleet({ a: {}, b: { state: 'full' }, c: { state: 'draining' } }, held('a', 9)),
      [],
    ],
    [
      'gives nothing that is more than the room',
      aFleet(
        { a: { load: { places: 4 }, capacity: { places: 5 } }, b: { capacity: { places: 1 } } },
        held('a', 2),
      ),
      [],
    ],
    [
      'gives no more jobs than a worker may have',
      aFleet({ a: {}, b: { capacity: { jobs: 99 } } }, held('a', 2)),
      [],
    ],
    [
      'counts what is on its way',
      aFleet({ a: {}, b: {} }, { ...held('a', 2), moving: { jobs: 100, owner: 'a', moveTo: 'b' } }),
      [],
    ],
    [
      'gives nobody what it has to avoid',
      aFleet(
        { a: {}, b: {} },
        { a0: { jobs: 9, owner: 'a', avoid: ['b'] }, a1: { jobs: 9, owner: 'a', avoid: ['b'] } },
      ),
      [],
    ],
    [
      'moves what is bound to a zone only inside it',
      aFleet(
        { a: { zone: 'eu' }, b: { zone: 'eu' }, c: { zone: 'us' } },
        Object.fromEntries(['x', 'y', 'z'].map((id) => [id, { jobs: 9, owner: 'a', zone: 'eu' }])),
      ),
      ['empty_worker: x a -> b'],
    ],
    [
      'moves what may run anywhere to another zone',
      aFleet({ a: { zone: 'eu' }, c: { zone: 'us' } }, held('a', 2)),
      ['empty_worker: a0 a -> c'],
    ],
    ['has nothing to do in an empty pool', aFleet({ a: {}, b: {} }), []],
    ['has nothing to do for a worker that is alone', aFleet({ a: {} }, held('a', 3)), []],
  ];
  it.each(examples)('%s', (_, fleet, expected) => {
    expect(inShort(fleet)).toEqual(expected);
  });

  it('goes on filling a worker that has been given its first jobsets just now', () => {
    const memory = new Memory();
    memory.filled('b' as WorkerId, LATER);
    const fleet = aFleet({ a: {}, b: {} }, { ...held('a', 9), ...held('b', 1) });
    expect(inShort(fleet, memory, LATER + 5_000)).toEqual(['empty_worker: a0 a -> b']);
  });

  it('goes on balancing until it is good, once it has begun', () => {
    const fleet = aFleet({ a: {}, b: {} }, { ...held('a', 57, 10), ...held('b', 43, 10) });
    const memory = new Memory();
    memory.balanced(LATER - 70_000);
    expect(plan(fleet, memory)).toHaveLength(2);
    const good = aFleet({ a: {}, b: {} }, { ...held('a', 53, 10), ...held('b', 47, 10) });
    expect(plan(good, memory)).toEqual([]);
  });

  it('moves at most two percent of all jobsets in a minute', () => {
    const fleet = aFleet({ a: {}, b: {} }, { ...held('a', 300, 1), ...held('b', 100, 1) });
    const memory = new Memory();
    expect(plan(fleet, memory)).toHaveLength(8);
    for (let n = 0; n < 5; n += 1) memory.balanced(LATER);
    expect(plan(fleet, memory, LATER + 59_999)).toHaveLength(3);
    expect(plan(fleet, memory, LATER + 60_000)).toHaveLength(8);
  });

  it('moves a jobset at most once in ten minutes', () => {
    const fleet = aFleet({ a: {}, b: {} }, held('a', 2));
    const memory = new Memory();
    memory.moved('a0' as JobsetId, 'a' as WorkerId, 0);
    memory.moved('a1' as JobsetId, 'a' as WorkerId, 1);
    expect(inShort(fleet, memory, 599_999)).toEqual([]);
    expect(inShort(fleet, memory, 600_000)).toEqual(['empty_worker: a0 a -> b']);
  });

  it('shares out anew what was moved to a worker that is gone', () => {
    const fleet = aFleet({ a: {}, b: {} }, held('a', 2));
    const memory = new Memory();
    memory.moved('a0' as JobsetId, 'gone' as WorkerId, LATER);
    expect(inShort(fleet, memory, LATER + 1)).toEqual(['empty_worker: a0 a -> b']);
  });
});

/** What a worker's jobs really ask for is not what the leader reckons: single jobsets differ. */
const simulate = (
  workers: Record<string, WorkerSketch>,
  jobsets: { id: string; jobs: number; owner: string; places: number }[],
  rounds: number,
) => {
  const memory = new Memory();
  const moves: { at: number; jobset: string; reason: string }[] = [];
  const loads = () =>
    Object.keys(workers).map((id) =>
      jobsets.filter(({ owner }) => owner === id).reduce((sum, { places }) => sum + places, 0),
    );
  for (let round = 0; round < rounds; round += 1) {
    const now = LATER + round * 5_000;
    const measured = loads();
    const sketches = Object.fromEntries(
      Object.entries(workers).map(([id, sketch], n) => [
        id,
        { ...sketch, load: { places: measured[n] ?? 0 } },
      ]),
    );
    const fleet = aFleet(
      sketches,
      Object.fromEntries(jobsets.map(({ id, jobs, owner }) => [id, { jobs, owner }])),
    );
    for (const { jobset, to, reason, load } of plan(fleet, memory, now)) {
      const moved = jobsets.find(({ id }) => id === jobset);
      const receiver = fleet.workers.get(to);
      if (moved === undefined || receiver === undefined) throw new Error(`no ${jobset}`);
      moved.owner = to;
      memory.gave(receiver, load, now);
      memory.moved(jobset, to, now);
      if (reason === 'empty_worker') memory.filled(to, now);
      else memory.balanced(now);
      moves.push({ at: now, jobset, reason });
    }
  }
  return { moves, loads: loads() };
};

describe('a balance that goes on', () => {
  const many = (count: number, workers: number) =>
    Array.from({ length: count }, (_, n) => ({
      ...{ id: `j${n}`, jobs: 100, owner: `w${n % workers}` },
      // From next to nothing to four places.
      places: ((n * 37) % 41) / 10,
    }));
  const named = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`w${n}`, {}] as const));

  it('fills ten new workers beside ninety within two minutes, with few moves', () => {
    const { moves, loads } = simulate(named(100), many(1_000, 90), 24);
    const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
    expect(Math.min(...loads)).toBeGreaterThan(0.7 * mean);
    // A tenth of them has to move in any case.
    expect(moves.length).toBeLessThan(160);
  });

  it('comes to rest', () => {
    const { moves } = simulate(named(10), many(100, 7), 360);
    expect(moves.filter(({ at }) => at > 1_200_000)).toEqual([]);
  });

  it('never moves a jobset twice in ten minutes', () => {
    const { moves } = simulate(named(10), many(100, 3), 360);
    for (const [id, ofOne] of Map.groupBy(moves, ({ jobset }) => jobset))
      for (const [n, { at }] of ofOne.entries())
        expect(at - (ofOne[n - 1]?.at ?? -600_000), id).toBeGreaterThanOrEqual(600_000);
  });
});
