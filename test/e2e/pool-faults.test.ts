/** The proofs with whole pools at small size. */

import { describe, it } from 'vitest';
import { POOL_ROWS } from '../faults/rows.ts';
import { expectHolds, prove } from '../support/fault-row.ts';

/** A pool mostly waits, for leases to end: so many proofs go on at a time. */
const LANES = Array.from({ length: 2 }, () => Promise.resolve() as Promise<unknown>);

const inLane = <T>(number: number, task: () => Promise<T>): Promise<T> => {
  const lane = number % LANES.length;
  const outcome = (LANES[lane] as Promise<unknown>).then(task);
  LANES[lane] = outcome.catch(() => {});
  return outcome;
};

describe('a pool whose parts fail', { concurrent: true }, () => {
  for (const [number, row] of POOL_ROWS.entries())
    it(row.title, { timeout: 600_000 }, async ({ skip }) => {
      expectHolds(row, await inLane(number, () => prove(row)), skip);
    });
});
