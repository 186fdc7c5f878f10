/** `watcher workers`: who works in the pool, and which admin leads it. */

import type { Command } from 'commander';
import type { PoolMembers } from '../shared/domain/pool-views.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';

interface WorkersOptions {
  readonly address: string;
  readonly json?: true;
}

const EXAMPLES = `
Any process of the pool can be asked. LOAD is what its checks ask for over what it can
take; from 90 % on it is full. BEAT says how long ago a worker last proved that it lives.

Examples:
  $ watcher workers                            who works, and how much
  $ watcher workers --json                     the same as a JSON object: leader, workers
  $ watcher workers --address 10.0.0.7:9464    the same as another process knows it

Exit codes: 0 ok, 4 not reachable, 5 the answer is stale or a record cannot be read.`;

export const register = (program: Command): void => {
  program
    .command('workers')
    .description('show who works in the pool')
    .addOption(addressOption())
    .option('--json', 'print a JSON object: leader and workers')
    .addHelpText('after', EXAMPLES)
    .action(workers);
};

async function workers({ address, json }: WorkersOptions): Promise<void> {
  const { read } = await import('./client.ts');
  const members = await read<PoolMembers>(address, '/v1/workers');
  if (json) process.stdout.write(`${JSON.stringify(members)}\n`);
  else await print(members);
  const isWhole = !members.stale && members.workers.every((worker) => worker.unreadable === null);
  process.exitCode = isWhole ? EXIT.ok : EXIT.partial;
}

async function print(members: PoolMembers): Promise<void> {
  const { renderTable } = await import('./table.ts');
  const { membersText, workerColumns } = await import('./worker-columns.ts');
  const { systemClock } = await import('../shared/runtime/clock.ts');
  const { stdout } = process;
  const width = stdout.isTTY ? stdout.columns : undefined;
  const lines = renderTable(workerColumns(systemClock.now()), members.workers, width);
  stdout.write(`${membersText(members)}\n\n${lines.join('\n')}\n`);
}
