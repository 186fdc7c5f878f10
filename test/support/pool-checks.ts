/** The checks of a test's pool: as files of a folder that an admin follows, and as definitions. */

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CheckDefinition } from '../../src/shared/domain/check.ts';
import { definitionOf, specOf } from './many-checks.ts';
import { HOST, keyOf } from './pool-target.ts';

export interface PoolChecks {
  readonly checks: number;
  /** How often each check runs: a minute, at a second that watcher picks, or fewer whole seconds. */
  readonly intervalMs?: number;
  /** Lines of a check besides those that all have, indented by two. */
  readonly detailsOf?: (check: number) => string;
  /** Which host it asks; of all of them. */
  readonly hostOf?: (check: number) => string;
}

/** Checks in one file. */
const FILE_SIZE = 500;

export async function writeChecks(folder: string, options: PoolChecks): Promise<void> {
  const { checks } = options;
  await mkdir(folder, { recursive: true });
  const numbers = Array.from({ length: checks }, (_, number) => number);
  for (let from = 0; from < checks; from += FILE_SIZE) {
    const texts = numbers.slice(from, from + FILE_SIZE).map((n) => checkText(n, options));
    await writeFile(path.join(folder, `checks-${from}.yml`), texts.join('\n'));
  }
}

/** As `checkText` has them, every minute. */
export const definitionsOf = (checks: number): readonly CheckDefinition[] => {
  const spec = specOf({ cron: '* * * * *', connection: 'fresh' });
  return Array.from({ length: checks }, (_, number) =>
    definitionOf(number, spec, { originOf: () => HOST }),
  );
};

const checkText = (number: number, options: PoolChecks): string => {
  const { intervalMs = 60_000, detailsOf, hostOf = () => HOST } = options;
  const every = intervalMs / 1000;
  // Six fields name the second: each takes its share of all checks.
  const cron = every === 60 ? '* * * * *' : `${number % every}/${every} * * * * *`;
  return [
    `${keyOf(number, hostOf(number))}:`,
    `  cron_schedule: "${cron}"`,
    '  scheme: http',
    '  response_json_values: [status]',
    '  success_test: { key: status, value: ok }',
    ...(detailsOf === undefined ? [] : [detailsOf(number)]),
    '',
  ].join('\n');
};

export const hostsOf = ({ checks, hostOf = () => HOST }: PoolChecks): ReadonlySet<string> =>
  new Set(Array.from({ length: checks }, (_, number) => hostOf(number)));
