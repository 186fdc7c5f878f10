import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Packed, pack, type Zone } from '../../../src/admin/packing.ts';
import type { CheckId, JobsetId } from '../../../src/shared/domain/check.ts';

const SIZE = 4;
const ids = (...names: string[]): CheckId[] => names as CheckId[];
const jobset = (id: string, ...jobs: string[]): Packed => inZone(null, id, ...jobs);
const inZone = (zone: Zone, id: string, ...jobs: string[]): Packed => ({
  id: id as JobsetId,
  zone,
  jobs: ids(...jobs),
});
const newIds = () => {
  let count = 0;
  return () => {
    count += 1;
    return `new-${count}` as JobsetId;
  };
};
/** A fresh job called `eu:…` is of the zone eu. */
const zoneOf = (job: string): Zone => /^(\w+):/.exec(job)?.[1] ?? null;
const packed = (current: readonly Packed[], gone: readonly string[], fresh: readonly string[]) => {
  const byJobset = new Map(
    current
      .map(({ id, jobs }) => [id, new Set(jobs.filter((job) => gone.includes(job)))] as const)
      .filter(([, jobs]) => jobs.size > 0),
  );
  const zones = new Map(ids(...fresh).map((job) => [job, zoneOf(job)]));
  return pack(current, { gone: byJobset, fresh: zones }, { size: SIZE, newId: newIds() });
};

/** Jobsets of these sizes, their jobs numbered through. */
const numbered = (sizes: readonly number[]): Packed[] => {
  let next = 0;
  return sizes.map((size, i) =>
    jobset(`js-${i}`, ...Array.from({ length: size }, () => `job-${next++}`)),
  );
};
const pairs = (jobsets: readonly Packed[]) =>
  jobsets.flatMap(({ id, jobs }) => jobs.map((job) => [job, id] as const));

describe('packing', () => {
  it('puts nothing to what waits for a place', () => {
    const current = [jobset('x', 'a'), jobset('y', 'b', 'c')];
    const change = { gone: new Map(), fresh: new Map([['n' as CheckId, null]]) };
    const closed = new Set(['x' as JobsetId]);
    const options = { size: SIZE, newId: newIds() };
    expect(pack(current, { ...change, closed }, options)).toEqual([
      jobset('x', 'a'),
      jobset('y', 'b', 'c', 'n'),
    ]);
  });

  it.each([
    [
      'fills new jobsets in order',
      [],
      [],
      ['a', 'b', 'c', 'd', 'e'],
      [jobset('new-1', 'a', 'b', 'c', 'd'), jobset('new-2', 'e')],
    ],
    [
      'puts new checks where there is most room',
      [jobset('x', 'a', 'b', 'c'), jobset('y', 'd')],
      [],
      ['n', 'm'],
      [jobset('x', 'a', 'b', 'c'), jobset('y', 'd', 'n', 'm')],
    ],
    [
      'opens a new jobset when the others are full',
      [jobset('x', 'a', 'b', 'c', 'd')],
      [],
      ['n'],
      [jobset('x', 'a', 'b', 'c', 'd'), jobset('new-1', 'n')],
    ],
    [
      'fills a jobset that has just been emptied',
      [jobset('x', 'a'), jobset('y', 'b', 'c')],
      ['a'],
      ['n'],
      [jobset('x', 'n'), jobset('y', 'b', 'c')],
    ],
    [
      'leaves a jobset empty that has lost all its checks',
      [jobset('x', 'a'), jobset('y', 'b')],
      ['a'],
      [],
      [jobset('x'), jobset('y', 'b')],
    ],
    [
      'keeps the order of the checks that stay',
      [jobset('x', 'a', 'b', 'c')],
      ['b'],
      ['n'],
      [jobset('x', 'a', 'c', 'n')],
    ],
    [
      'keeps zones apart',
      [],
      [],
      ['eu:a', 'b', 'us:c', 'eu:d'],
      [inZone('eu', 'new-1', 'eu:a', 'eu:d'), jobset('new-2', 'b'), inZone('us', 'new-3', 'us:c')],
    ],
    [
      'puts new checks into jobsets of their zone',
      [jobset('x', 'a'), inZone('eu', 'y', 'eu:b', 'eu:c'), inZone('us', 'z', 'us:d')],
      [],
      ['eu:n', 'm'],
      [jobset('x', 'a', 'm'), inZone('eu', 'y', 'eu:b', 'eu:c', 'eu:n'), inZone('us', 'z', 'us:d')],
    ],
    [
      'does not fill a jobset of another zone that has just been emptied',
      [inZone('eu', 'x', 'eu:a')],
      ['eu:a'],
      ['n'],
      [inZone('eu', 'x'), jobset('new-1', 'n')],
    ],
  ])('%s', (_, current, gone, fresh, expected) => {
    expect(packed(current, gone, fresh)).toEqual(expected);
  });

  it('keeps each check where it is, places each new one once, and leaves the other jobsets alone', () => {
    const world = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: SIZE }), { maxLength: 12 }),
      goneAt: fc.array(fc.nat({ max: 47 }), { maxLength: 10 }),
      count: fc.nat({ max: 15 }),
    });
    fc.assert(
      fc.property(world, ({ sizes, goneAt, count }) => {
        const current = numbered(sizes);
        const gone = goneAt.map((n) => `job-${n}`);
        const fresh = Array.from({ length: count }, (_, n) =>
          n % 3 === 0 ? `eu:fresh-${n}` : `fresh-${n}`,
        );
        const after = packed(current, gone, fresh);
        const stays = (job: string): boolean => !gone.includes(job);
        const before = pairs(current).filter(([job]) => stays(job));

        expect(pairs(after).filter(([job]) => stays(job) && !job.includes('fresh'))).toEqual(
          before,
        );
        expect(
          pairs(after)
            .map(([job]) => job)
            .sort(),
        ).toEqual([...before.map(([job]) => job), ...fresh].sort());
        expect(Math.max(0, ...after.map(({ jobs }) => jobs.length))).toBeLessThanOrEqual(SIZE);
        const hosts = after.filter(({ jobs }) => jobs.some((job) => job.includes('fresh')));
        const losers = current.filter(({ jobs }) => !jobs.every(stays));
        const written = after.filter((jobset) => !current.includes(jobset));
        expect(new Set(written.map(({ id }) => id))).toEqual(
          new Set([...hosts, ...losers].map(({ id }) => id)),
        );
        for (const { zone, jobs } of after)
          expect(jobs.filter((job) => job.includes('fresh')).map(zoneOf)).toEqual(
            jobs.filter((job) => job.includes('fresh')).map(() => zone),
          );
        expect(packed(current, gone, fresh)).toEqual(after);
      }),
    );
  });
});
