import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isoTime } from '../../../src/shared/runtime/clock.ts';

it('writes any instant as Date does, in whatever order instants come', () => {
  const instants = fc.array(fc.integer({ min: -1e12, max: 4e12 }), { minLength: 2, maxLength: 20 });
  fc.assert(
    fc.property(instants, (times) => {
      for (const time of [...times, ...times.map((ms) => ms + 1)]) {
        expect(isoTime(time)).toBe(new Date(time).toISOString());
      }
    }),
  );
});

it('drops fractions of a millisecond', () => {
  expect(isoTime(1_700_000_000_123.9)).toBe('2023-11-14T22:13:20.123Z');
});
