import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { judge } from '../../../src/admin/judgement.ts';
import { Memory } from '../../../src/admin/memory.ts';
import type { JobsetId } from '../../../src/shared/domain/check.ts';
import { aFleet } from './fleets.ts';

const NOW = 100_000;

const reasons = (fleet: Fleet, memory = new Memory()): string[] =>
  judge(fleet, memory, NOW).map((finding) =>
    'jobset' in finding
      ? `${finding.reason} ${finding.jobset}`
      : `${finding.reason} ${finding.worker}`,
  );
const FULL = { state: 'full' } as const;

describe('the judgement of a fleet', () => {
  const examples: [string, Fleet, string[]][] = [
    [
      'finds nothing in a pool that is well',
      aFleet({ a: {}, b: {} }, { x: { jobs: 5, owner: 'a' } }),
      [],
    ],
    ['finds what waits', aFleet({ a: {} }, { x: { jobs: 5, waiting: {} } }), ['waiting x']],
    [
      'finds what is in quarantine, and leaves it there',
      aFleet({ a: {} }, { x: { jobs: 1, waiting: { reason: 'quarantined' } } }),
      ['quarantined x'],
    ],
    [
      'finds a worker that is stuck',
      aFleet({ a: { stuckBeats: 3 }, b: {} }, { x: { jobs: 5, owner: 'a' } }),
      ['wedged a'],
    ],
    [
      'finds a worker that has nothing to do',
      aFleet({ a: {}, b: {} }, { x: { jobs: 5, owner: 'a' }, y: { jobs: 5, owner: 'a' } }),
      ['empty_worker x'],
    ],
    [
      'takes an order back that nobody has obeyed for half a minute',
      aFleet(
        { a: {}, b: { ...FULL } },
        {
          old: { jobs: 5, owner: 'a', moveTo: 'b', since: NOW - 30_000 },
          new: { jobs: 5, owner: 'a', moveTo: 'b', since: NOW - 29_999 },
        },
      ),
      ['order_ignored old'],
    ],
    [
      'takes an order back whose worker is gone',
      aFleet({ a: {} }, { x: { jobs: 5, moveTo: 'gone', since: NOW } }),
      ['order_ignored x'],
    ],
    [
      'takes an order back whose worker is leaving',
      aFleet(
        { a: {}, b: { state: 'draining' } },
        { x: { jobs: 5, owner: 'a', moveTo: 'b', since: NOW } },
      ),
      ['order_ignored x'],
    ],
    [
      'lets nothing out of quarantine that still looks held',
      aFleet({ a: {} }, { x: { jobs: 5, owner: 'a', waiting: { reason: 'quarantined' } } }),
      [],
    ],
    [
      'lets what somebody holds wait no more',
      aFleet({ a: {} }, { x: { jobs: 5, owner: 'a', waiting: {} } }),
      ['claimed_waiting x'],
    ],
    [
      'has what nobody with room could claim join the queue',
      aFleet(
        { a: { ...FULL, load: { places: 20 } } },
        {
          held: { jobs: 40, owner: 'a' },
          x: { jobs: 5, since: NOW - 15_000 },
          y: { jobs: 5, since: NOW - 14_999 },
        },
      ),
      ['unclaimed x'],
    ],
    ['leaves it to whoever has room', aFleet({ a: FULL, b: {} }, { x: { jobs: 5, since: 0 } }), []],
    [
      'misses what is left over where every worker has as many jobs as it may',
      aFleet(
        { a: { ...FULL, capacity: { jobs: 5 } } },
        { held: { jobs: 5, owner: 'a' }, x: { jobs: 5, since: 0 } },
      ),
      ['unclaimed x'],
    ],
    [
      'misses what is more than any worker may still take',
      aFleet(
        { a: { capacity: { jobs: 9 } } },
        { held: { jobs: 5, owner: 'a' }, x: { jobs: 5, since: 0 } },
      ),
      ['unclaimed x'],
    ],
    ['leaves it to the first worker that comes', aFleet({}, { x: { jobs: 5, since: 0 } }), []],
    [
      'asks for room in the zone',
      aFleet(
        { a: { ...FULL, zone: 'eu' }, b: { zone: 'us' } },
        { x: { jobs: 5, since: 0, zone: 'eu' } },
      ),
      ['unclaimed x'],
    ],
  ];
  it.each(examples)('%s', (_, fleet, expected) => {
    expect(reasons(fleet)).toEqual(expected);
  });

  it('reckons what nobody has measured as the mean of the pool', () => {
    const fleet = aFleet(
      { a: { ...FULL, load: { places: 20 } } },
      { held: { jobs: 40, owner: 'a' }, x: { jobs: 6, since: 0 } },
    );
    expect(judge(fleet, new Memory(), NOW)).toMatchObject([
      { reason: 'unclaimed', by: 'a', load: 3 },
    ]);
  });

  it('looks at the balance every five seconds alone', () => {
    const fleet = aFleet(
      { a: {}, b: {} },
      { x: { jobs: 5, owner: 'a' }, y: { jobs: 5, owner: 'a' } },
    );
    const memory = new Memory();
    memory.round(NOW - 4_999);
    expect(reasons(fleet, memory)).toEqual([]);
    memory.round(NOW - 5_000);
    expect(reasons(fleet, memory)).toEqual(['empty_worker x']);
  });

  it('says nothing about a jobset until the picture shows what was written', () => {
    const fleet = aFleet({ a: {} }, { x: { jobs: 5, owner: 'a', waiting: {} } });
    const memory = new Memory();
    memory.stands('x' as JobsetId, 3);
    expect(reasons(fleet, memory)).toEqual([]);
  });
});
