/** The proofs with whole pools at small size; `npm run test:faults` runs them in full. */

import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { POOL_ROWS } from '../faults/rows.ts';
import { startProcess } from '../support/processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../faults/main.ts');

interface Outcome {
  readonly skipped?: true;
  readonly counts?: Readonly<Record<string, number>>;
  readonly holds?: boolean;
}

/** In a process of its own, and there in a private network. */
async function proved(row: string): Promise<Outcome> {
  await using child = startProcess([process.execPath, MAIN, '--small', row]);
  for await (const line of child.lines) return JSON.parse(line) as Outcome;
  throw new Error(child.stderr());
}

/** A pool mostly waits, for leases to end: so many proofs go on at a time. */
const LANES = Array.from({ length: 2 }, () => Promise.resolve() as Promise<unknown>);

const inLane = (number: number, row: string): Promise<Outcome> => {
  const lane = number % LANES.length;
  const outcome = (LANES[lane] as Promise<unknown>).then(() => proved(row));
  LANES[lane] = outcome.catch(() => {});
  return outcome;
};

describe('a pool whose parts fail', { concurrent: true }, () => {
  for (const [number, { name, title }] of POOL_ROWS.entries()) {
    it(title, { timeout: 600_000 }, async ({ skip }) => {
      const outcome = await inLane(number, name);
      const mayLack = process.env['CI'] !== 'true';
      skip(outcome.skipped === true && mayLack, `${name} needs what this machine does not have`);
      // The counts tell why it does not hold.
      expect(outcome).toMatchObject({ holds: true });
    });
  }
});
