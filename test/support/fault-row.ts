/** One row of the fault proofs at small size, as a test; `npm run test:faults` runs it in full. */

import path from 'node:path';
import { expect } from 'vitest';
import type { Row } from '../faults/row.ts';
import { startProcess } from './processes.ts';

const MAIN = path.resolve(import.meta.dirname, '../faults/main.ts');

interface Outcome {
  readonly skipped?: true;
  readonly counts?: Readonly<Record<string, number>>;
  readonly holds?: boolean;
}

/** In a process of its own: a row may need a private network, and mounts what is not the machine's. */
export const prove = async ({ name }: Pick<Row, 'name'>): Promise<Outcome> => {
  await using child = startProcess([process.execPath, MAIN, '--small', name]);
  for await (const line of child.lines) return JSON.parse(line) as Outcome;
  throw new Error(child.stderr());
};

/** Outside of CI a row may need what the machine does not have. */
export const expectHolds = (
  { name }: Pick<Row, 'name'>,
  outcome: Outcome,
  skip: (condition: boolean, note: string) => void,
): void => {
  const mayLack = process.env['CI'] !== 'true';
  skip(outcome.skipped === true && mayLack, `${name} needs what this machine does not have`);
  expect(outcome.holds, `the counts tell why: ${JSON.stringify(outcome.counts)}`).toBe(true);
};
