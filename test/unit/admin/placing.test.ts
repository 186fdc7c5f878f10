import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { Memory } from '../../../src/admin/memory.ts';
import { type Placing, planPlacing } from '../../../src/admin/placing.ts';
import { standingsOf } from '../../../src/admin/standing.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { aFleet } from './fleets.ts';

const plan = (fleet: Fleet, memory = new Memory(), now = 0): Placing[] =>
  planPlacing(fleet, standingsOf(fleet, memory, now), memory);
const inShort = (placings: readonly Placing[]): string[] =>
  placings.map(({ jobset, to, jobs }) => `${jobset} ${jobs} -> ${to}`);

const FULL = { capacity: { places: 10 }, load: { places: 9 } };

describe('placing', () => {
  const examples: [string, Fleet, string[]][] = [
    [
      'gives a waiting jobset to the worker with most room',
      aFleet(
        { a: { load: { places: 50 } }, b: { load: { places: 10 } }, c: { load: { places: 90 } } },
        { q: { jobs: 3, waiting: { load: 6 } } },
      ),
      ['q 3 -> b'],
    ],
    [
      'gives nothing to a full, a draining or a stuck worker',
      aFleet(
        { a: { state: 'full' }, b: { state: 'draining' }, c: { stuckBeats: 1 } },
        { q: { jobs: 3, waiting: { load: 6 } } },
      ),
      [],
    ],
    [
      'splits what only fits in part, and leaves the rest',
      aFleet(
        { a: { capacity: { places: 10 }, load: { places: 6 } } },
        { q: { jobs: 4, waiting: { load: 4 } } },
      ),
      ['q 2 -> a'],
    ],
    [
      'counts what it has just placed',
      aFleet(
        { a: { capacity: { places: 10 }, load: { places: 4 } } },
        {
          q1: { jobs: 1, waiting: { load: 2, since: 1 } },
          q2: { jobs: 1, waiting: { load: 2, since: 2 } },
          q3: { jobs: 1, waiting: { load: 2, since: 3 } },
        },
      ),
      ['q1 1 -> a', 'q2 1 -> a'],
    ],
    [
      'takes the oldest first',
      aFleet(
        { a: { capacity: { places: 10 }, load: { places: 7 } } },
        {
          young: { jobs: 1, waiting: { load: 1, since: 20 } },
          old: { jobs: 1, waiting: { load: 1, since: 10 } },
        },
      ),
      ['old 1 -> a'],
    ],
    [
      'lets no big one keep a small one waiting that fits',
      aFleet(
        { a: { capacity: { places: 10 }, load: { places: 7.5 } }, b: FULL },
        {
          big: { jobs: 1, waiting: { load: 1, since: 10 } },
          small: { jobs: 1, waiting: { load: 0.2, since: 20 } },
        },
      ),
      ['small 1 -> a'],
    ],
    [
      'fills free slots exactly, though its worker still says that it is full',
      aFleet(
        { a: { state: 'full', capacity: { jobs: 3 }, checks: 3 } },
        {
          held: { jobs: 2, owner: 'a' },
          q: { jobs: 2, waiting: {} },
        },
      ),
      ['q 1 -> a'],
    ],
    [
      'gives nothing to one that is full by its load and has slots free',
      aFleet(
        { a: { state: 'full', capacity: { places: 10, jobs: 3 }, load: { places: 9 }, checks: 3 } },
        {
          held: { jobs: 2, owner: 'a' },
          q: { jobs: 2, waiting: {} },
        },
      ),
      [],
    ],
    [
      'stays in the zone',
      aFleet(
        { a: {}, b: { zone: 'eu', load: { places: 100 } } },
        { q: { jobs: 1, zone: 'eu', waiting: { load: 1 } } },
      ),
      ['q 1 -> b'],
    ],
    [
      'prefers whoever does not have to avoid it',
      aFleet(
        { a: {}, b: { load: { places: 150 } } },
        { q: { jobs: 1, avoid: ['a'], waiting: { load: 1 } } },
      ),
      ['q 1 -> b'],
    ],
    [
      'gives it to whoever has to avoid it where nobody else is',
      aFleet({ a: {} }, { q: { jobs: 1, avoid: ['a'], waiting: { load: 1 } } }),
      ['q 1 -> a'],
    ],
    [
      'leaves what is in quarantine there',
      aFleet({ a: {} }, { q: { jobs: 1, waiting: { reason: 'quarantined' } } }),
      [],
    ],
    [
      'runs on an idle worker what is bigger than any room',
      aFleet({ a: { capacity: { places: 1 } } }, { q: { jobs: 2, waiting: { load: 1.9 } } }),
      ['q 1 -> a'],
    ],
    [
      'gives late jobs back to who gave them up only when it has room to spare',
      aFleet(
        { a: { capacity: { places: 10 }, load: { places: 7 } } },
        {
          q: { jobs: 1, waiting: { reason: 'late', by: 'a' as WorkerId, load: 0.5 } },
        },
      ),
      [],
    ],
    [
      'spreads jobs that ask for nothing by their number',
      aFleet(
        { a: {}, b: {} },
        {
          held: { jobs: 5, owner: 'a' },
          q: { jobs: 1, waiting: {} },
        },
      ),
      ['q 1 -> b'],
    ],
    [
      'gives nothing to a worker whose loop is too busy',
      aFleet(
        { a: { load: { places: 1, loop: 0.66 } }, b: { load: { places: 1, loop: 0.2 } } },
        { q: { jobs: 1, waiting: { load: 0.3 } } },
      ),
      ['q 1 -> b'],
    ],
  ];
  it.each(examples)('%s', (_, fleet, expected) => {
    expect(inShort(plan(fleet))).toEqual(expected);
  });

  it('counts what was placed in the last minute as long as no beat tells of it', () => {
    const workers = { a: { capacity: { places: 10 }, load: { places: 6 } } };
    const fleet = aFleet(workers, { q: { jobs: 1, waiting: { load: 1.5 } } });
    const memory = new Memory();
    const [a] = fleet.workers.values();
    if (a) memory.gave(a, 1, 0);
    expect(inShort(plan(fleet, memory, 59_999))).toEqual([]);
    expect(inShort(plan(fleet, memory, 60_000))).toEqual(['q 1 -> a']);
  });

  it('does not count twice what a beat tells of already', () => {
    const memory = new Memory();
    const before = aFleet({ a: { capacity: { places: 10 }, load: { places: 4 } } });
    const [a] = before.workers.values();
    if (a) memory.gave(a, 2, 0);
    const after = aFleet(
      { a: { capacity: { places: 10 }, load: { places: 6 } } },
      { q: { jobs: 1, waiting: { load: 2 } } },
    );
    expect(inShort(plan(after, memory, 2_000))).toEqual(['q 1 -> a']);
  });

  it('leaves a jobset alone until the picture shows what was written about it', () => {
    const fleet = aFleet({ a: {} }, { q: { jobs: 1, waiting: {} } });
    const memory = new Memory();
    memory.stands('q' as JobsetId, 3);
    expect(plan(fleet, memory)).toEqual([]);
    memory.stands('q' as JobsetId, 2);
    expect(plan(fleet, memory)).toHaveLength(1);
  });

  it('gives nothing to a worker that was evicted in the last ten minutes', () => {
    const fleet = aFleet({ a: {} }, { q: { jobs: 1, waiting: {} } });
    const memory = new Memory();
    memory.evicted('a' as WorkerId, 0);
    expect(plan(fleet, memory, 599_999)).toEqual([]);
    expect(plan(fleet, memory, 600_000)).toHaveLength(1);
  });
});
