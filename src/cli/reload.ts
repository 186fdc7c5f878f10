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
until --confirm says that this is meant.

Exit codes: 0 ok, 1 a file has errors, 5 vanished checks are kept, 4 not reachable.`;

export const register = (program: Command): void => {
  program
    .command('reload')
    .description('make a running watcher read its spec folder again')
    .option('--confirm', 'let checks go that have vanished from the folder')
    .addOption(addressOption())
    .option('--json', 'print the outcome as a JSON object')
    .addHelpText('after', HELP)
    .action(reload);
};

async function reload({ address, confirm, json }: ReloadOptions): Promise<void> {
  const { read } = await import('./client.ts');
  const path = confirm ? '/v1/reload?confirm=1' : '/v1/reload';
  const report = await read<ReloadReport>(address, path, 'POST');
  const { plural } = await import('./text.ts');
  const counts = [
    plural(report.checks, 'check'),
    plural(report.errors, 'error'),
    plural(report.warnings, 'warning'),
  ];
  const kept = `\n${plural(report.held, 'vanished check')} kept; --confirm lets them go`;
  const text = `${counts.join(', ')}${report.held > 0 ? kept : ''}`;
  process.stdout.write(`${json ? JSON.stringify(report) : text}\n`);
  process.exitCode = exitCodeOf(report);
}

const exitCodeOf = ({ errors, held }: ReloadReport): number => {
  if (errors > 0) return EXIT.bad;
  return held > 0 ? EXIT.partial : EXIT.ok;
};
