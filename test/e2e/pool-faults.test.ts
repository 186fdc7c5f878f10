/** The proofs with whole pools at small size. */

import { describe, it } from 'vitest';
import { hookOnce } from '../faults/hook-once.ts';
import { POOL_ROWS } from '../faults/rows.ts';
import { secondWorker } from '../faults/second-worker.ts';
import { expectHolds, prove } from '../support/fault-row.ts';

/** Of those that keep a pool on time, the two that show most in little time; the longest come first. */
const ROWS = [secondWorker, hookOnce, ...POOL_ROWS];

describe('a pool whose parts fail', { concurrent: true }, () => {
  for (const row of ROWS)
    it(row.title, { timeout: 300_000 }, async ({ skip }) => {
      expectHolds(row, await prove(row), skip);
    });
});
