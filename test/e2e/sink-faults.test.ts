/** The proofs of the result pipeline at small size; `npm run test:faults` runs them in full. */

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SINK_ROWS } from '../faults/rows.ts';
import { startProcess } from '../support/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../faults/main.ts');

interface Outcome {
  readonly skipped?: true;
  readonly counts?: Readonly<Record<string, number>>;
  readonly holds?: boolean;
}

/** In a process of its own: a row may need a namespace, and mounts what is not the machine's. */
async function proved(row: string): Promise<Outcome> {
  await using child = startProcess([process.execPath, MAIN, '--small', row]);
  for await (const line of child.lines) return JSON.parse(line) as Outcome;
  throw new Error(child.stderr());
}

describe('sinks that fail', () => {
  for (const { name, title } of SINK_ROWS) {
    it(title, { timeout: 120_000 }, async ({ skip }) => {
      const outcome = await proved(name);
      const mayLack = process.env['CI'] !== 'true';
      skip(outcome.skipped === true && mayLack, `${name} needs what this machine does not have`);
      // The counts tell why it does not hold.
      expect(outcome).toMatchObject({ holds: true });
    });
  }
});
