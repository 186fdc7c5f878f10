/** `watcher reload`: reads the spec folder of a running watcher again, now. */

import type { Command } from 'commander';
import type { ReloadReport } from '../shared/domain/status.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';

interface ReloadOptions {
  readonly address: string;
  readonly confirm?: true;
  readonly json?: true;
}

const HELP = `
Changes of the folder are noticed without it. Where many checks vanish at once, watcher keeps them
until --confirm says that this is meant; and an admin that begins to lead with another folder than the
one before it leaves the checks as they are for five minutes, or until --confirm.

Exit codes: 0 ok, 1 a file has errors, 5 checks are kept as they were, 4 not reachable.`;

export const register = (program: Command): void => {
  program
    .command('reload')
    .description('make a running watcher read its spec folder again')
    .option('--confirm', 'let the folder count as it is')
    .addOption(addressOption())
    .option('--json', 'print the outcome as a JSON object')
    .addHelpText('after', HELP)
    .action(reload);
};

async function reload({ address, confirm, json }: ReloadOptions): Promise<void> {
  const { read } = await import('./client.ts');
  const path = confirm ? '/v1/reload?confirm=1' : '/v1/reload';
  const report = await read<ReloadReport>(address, path, { method: 'POST' });
  const lines = json ? [JSON.stringify(report)] : await linesOf(report);
  process.stdout.write(`${lines.join('\n')}\n`);
  process.exitCode = exitCodeOf(report);
}

const linesOf = async (report: ReloadReport): Promise<readonly string[]> => {
  const { duration, plural } = await import('./text.ts');
  const { checks, errors, warnings, held, waitingMs } = report;
  return [
    [plural(checks, 'check'), plural(errors, 'error'), plural(warnings, 'warning')].join(', '),
    ...(held > 0 ? [`${plural(held, 'vanished check')} kept; --confirm lets them go`] : []),
    ...(waitingMs === null
      ? []
      : [
          `the folder is not what the last leading admin had: it counts in ${duration(waitingMs)}, when it changes, or with --confirm`,
        ]),
  ];
};

const exitCodeOf = ({ errors, held, waitingMs }: ReloadReport): number => {
  if (errors > 0) return EXIT.bad;
  return held > 0 || waitingMs !== null ? EXIT.partial : EXIT.ok;
};
