/** How long the pool waits after failures, for any number of them and any luck. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backoffMs } from '../../../src/shared/coordination/backoff.ts';

const failures = fc.integer({ min: 1, max: 10_000 });
const luck = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const after = (count: number, next: number): number =>
  backoffMs(count, { next: () => next, uuid: () => '' });

it('waits a second at most, however long it lasts', () =>
  fc.assert(
    fc.property(failures, luck, (count, next) => {
      const ms = after(count, next);
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(1000);
    }),
  ));

it('never waits less after more failures, given the same luck', () =>
  fc.assert(
    fc.property(failures, failures, luck, (a, b, next) => {
      expect(after(Math.min(a, b), next)).toBeLessThanOrEqual(after(Math.max(a, b), next));
    }),
  ));

it('spreads those that failed together over the whole wait', () =>
  fc.assert(
    fc.property(failures, luck, (count, next) => {
      expect(after(count, next)).toBeCloseTo(after(count, 0.5) * 2 * next, 6);
    }),
  ));
