import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SortedMap } from '../../../src/shared/coordination/sorted-map.ts';
import { seededRandom } from '../../support/seeded-random.ts';

/** The map and a model of it, filled, emptied in the middle and thinned out, as the seed says. */
const worn = (seed: number) => {
  const random = seededRandom(seed);
  const map = new SortedMap<number>();
  const model = new Map<string, number>();
  const anyKey = () =>
    `${'abc'[Math.floor(random.next() * 3)]}/${Math.floor(random.next() * 2500)}`;
  const put = (key: string, value: number) => {
    map.set(key, value);
    model.set(key, value);
  };
  const remove = (key: string) => expect(map.delete(key)).toBe(model.delete(key));

  for (let i = 0; i < 2500; i += 1) put(anyKey(), i);
  for (const key of [...model.keys()].filter((key) => key.startsWith('b/'))) remove(key);
  for (let i = 0; i < 1500; i += 1) (random.next() < 0.3 ? put : remove)(anyKey(), i);
  return { map, model };
};

it('lists by prefix like a sorted array, through thousands of puts and deletions', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { map, model } = worn(seed);
      for (const prefix of ['', 'a/', 'b/1', 'c/99', 'd', 'B']) {
        const found = [...model].filter(([key]) => key.startsWith(prefix));
        const sorted = found.sort(([a], [b]) => (a < b ? -1 : 1));
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
