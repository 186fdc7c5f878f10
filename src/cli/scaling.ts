/** `watcher scaling`: whether the pool is large enough, and what waits for a worker with room. */

import type { Command } from 'commander';
import type { ScalingView } from '../shared/domain/pool-views.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';

interface ScalingCommandOptions {
  readonly address: string;
  readonly json?: true;
}

const EXAMPLES = `
The leading admin says how many workers the load asks for; any process of the pool can be asked. What waits
is read from that process's copy of the ledger.

Examples:
  $ watcher scaling                            whether workers are missing, and what waits
  $ watcher scaling --json                     the same as a JSON object: level, waitingJobs, jobs
  $ watcher scaling --address 10.0.0.7:9464    the same as another process knows it

Exit codes: 0 the pool is large enough, 1 the scaling limit is hit, 4 not reachable, 5 the answer is stale
or no admin has said anything yet.`;

export const register = (program: Command): void => {
  program
    .command('scaling')
    .description('show whether the pool is large enough')
    .addOption(addressOption())
    .option('--json', 'print a JSON object: level, waitingJobs, quarantinedJobs and jobs')
    .addHelpText('after', EXAMPLES)
    .action(scaling);
};

async function scaling({ address, json }: ScalingCommandOptions): Promise<void> {
  const { read } = await import('./client.ts');
  const view = await read<ScalingView>(address, '/v1/scaling');
  if (json) process.stdout.write(`${JSON.stringify(view)}\n`);
  else await print(view);
  process.exitCode = exitCodeIn(view);
}

const exitCodeIn = ({ level, stale }: ScalingView): number => {
  if (stale || level === null) return EXIT.partial;
  return level.episode === null ? EXIT.ok : EXIT.bad;
};

async function print(view: ScalingView): Promise<void> {
  const { renderTable } = await import('./table.ts');
  const { scalingLines, WAITING_COLUMNS } = await import('./scaling-text.ts');
  const { systemClock } = await import('../shared/runtime/clock.ts');
  const { stdout } = process;
  const width = stdout.isTTY ? stdout.columns : undefined;
  const lines = scalingLines(view, systemClock.now());
  const table =
    view.jobs.length === 0 ? [] : ['', ...renderTable(WAITING_COLUMNS, view.jobs, width)];
  stdout.write(`${[...lines, ...table].join('\n')}\n`);
}
