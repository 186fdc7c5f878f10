/** The fault proofs at small size; `npm run test:faults` runs them in full and keeps what it saw. */

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readRecords } from '../faults/record.ts';
import { PROBE_ROWS, ROWS } from '../faults/rows.ts';
import { startProcess } from '../support/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../faults/main.ts');

interface Outcome {
  readonly row: string;
  readonly skipped?: true;
  readonly counts?: Readonly<Record<string, number>>;
  readonly holds?: boolean;
}

/** In a process of its own: a row may need a network namespace, and breaks what is around it. */
async function proved(row: string): Promise<Outcome> {
  await using child = startProcess([process.execPath, MAIN, '--small', row]);
  for await (const line of child.lines) return JSON.parse(line) as Outcome;
  throw new Error(child.stderr());
}

describe('no false DOWN', () => {
  for (const { name, title } of PROBE_ROWS) {
    it(title, { timeout: 120_000 }, async ({ skip }) => {
      const outcome = await proved(name);
      const mayLack = process.env['CI'] !== 'true';
      skip(outcome.skipped === true && mayLack, `${name} needs what this machine does not have`);
      expect(outcome.counts).toMatchObject({ critical: 0 });
      expect(outcome.holds).toBe(true);
    });
  }
});

describe('kept proofs', () => {
  it('are all of rows that exist', async () => {
    const names = ROWS.map((row) => row.name);
    for (const { row } of await readRecords()) expect(names).toContain(row);
  });
});
