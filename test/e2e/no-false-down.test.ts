/** The fault proofs at small size; `npm run test:faults` runs them in full and keeps what it saw. */

import { describe, expect, it } from 'vitest';
import { readRecords } from '../faults/record.ts';
import { PROBE_ROWS, ROWS } from '../faults/rows.ts';
import { expectHolds, prove } from '../support/fault-row.ts';

describe('no false DOWN', () => {
  for (const row of PROBE_ROWS)
    it(row.title, { timeout: 120_000 }, async ({ skip }) => {
      const outcome = await prove(row);
      expectHolds(row, outcome, skip);
      expect(outcome.counts).toMatchObject({ critical: 0 });
    });
});

describe('kept proofs', () => {
  it('are all of rows that exist', async () => {
    const names = ROWS.map((row) => row.name);
    for (const { row } of await readRecords()) expect(names).toContain(row);
  });
});
