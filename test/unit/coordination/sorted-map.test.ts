import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SortedMap } from '../../../src/shared/coordination/sorted-map.ts';
import { seededRandom } from '../../support/seeded-random.ts';

it('lists by prefix like a sorted array, through thousands of puts and deletions', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const map = new SortedMap<number>();
      const model = new Map<string, number>();
      for (let i = 0; i < 4000; i += 1) {
        const key = `${'abc'[Math.floor(random.next() * 3)]}/${Math.floor(random.next() * 2500)}`;
        // Growing first, then shrinking: buckets are split and emptied.
        if (random.next() < (i < 2500 ? 0.9 : 0.2)) {
          map.set(key, i);
          model.set(key, i);
        } else {
          expect(map.delete(key)).toBe(model.delete(key));
        }
      }
      for (const prefix of ['', 'a/', 'b/1', 'c/99', 'd', 'B']) {
        const sorted = [...model]
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1));
        expect(map.withPrefix(prefix)).toEqual(sorted.map(([, value]) => value));
      }
    }),
    { numRuns: 20 },
  );
});

it('is usable again after it has been emptied', () => {
  const map = new SortedMap<number>();
  for (let i = 0; i < 2000; i += 1) map.set(String(i), i);
  for (let i = 0; i < 2000; i += 1) map.delete(String(i));
  expect(map.withPrefix('')).toEqual([]);
  map.set('a', 1);
  expect(map.get('a')).toBe(1);
  expect(map.withPrefix('')).toEqual([1]);
});
