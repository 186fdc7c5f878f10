/** The proofs of the result pipeline at small size. */

import { describe, it } from 'vitest';
import { SINK_ROWS } from '../faults/rows.ts';
import { expectHolds, prove } from '../support/fault-row.ts';

/** They wait more than they compute. */
describe('sinks that fail', { concurrent: true }, () => {
  for (const row of SINK_ROWS)
    it(row.title, { timeout: 120_000 }, async ({ skip }) => {
      expectHolds(row, await prove(row), skip);
    });
});
