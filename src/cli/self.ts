/** `watcher self`: how a running watcher itself is. */

import type { Command } from 'commander';
import type { SelfReport } from '../shared/domain/status.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';

interface SelfOptions {
  readonly address: string;
  readonly json?: true;
}

export const register = (program: Command): void => {
  program
    .command('self')
    .description('tell how a running watcher itself is')
    .addOption(addressOption())
    .option('--json', 'print the report as a JSON object')
    .addHelpText('after', '\nExit codes: 0 ok, 1 degraded, 4 not reachable.')
    .action(self);
};

async function self({ address, json }: SelfOptions): Promise<void> {
  const { read } = await import('./client.ts');
  const report = await read<SelfReport>(address, '/v1/self');
  const { selfText } = await import('./self-text.ts');
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : selfText(report, process.stdout));
  process.exitCode = report.status === 'ok' ? EXIT.ok : EXIT.bad;
}
