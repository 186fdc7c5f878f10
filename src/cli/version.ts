/** `watcher version`: which watcher and which Node this is. */

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';

/** Of the package, from package.json beside `src` and `dist`. */
export const watcherVersion = (): string => {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { readonly version: string }).version;
};

export const register = (program: Command): void => {
  program
    .command('version')
    .description('print the versions of watcher and Node')
    .option('--json', 'print a JSON object')
    .action(({ json }: { readonly json?: true }) => {
      const versions = { watcher: watcherVersion(), node: process.versions.node };
      const text = `watcher ${versions.watcher} on Node ${versions.node}`;
      process.stdout.write(`${json ? JSON.stringify(versions) : text}\n`);
    });
};
