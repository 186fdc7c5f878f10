/** `watcher worker`: runs the checks that it claims in etcd. */

import type { Command } from 'commander';
import type { SettingName, SettingTexts } from '../shared/config/settings-table.ts';
import { addSettings, LISTENER_SETTINGS, POOL_SETTINGS, type WorkerFlags } from './run-options.ts';

const OWN_SETTINGS: readonly SettingName[] = [
  ...POOL_SETTINGS,
  'zone',
  'on_coordination_loss',
  'concurrency',
  'per_host',
  'max_jobs',
  'scaling.mode',
  'dns',
  'connect_to',
  'run_at_start',
  ...LISTENER_SETTINGS,
  'drain',
  'state',
  'log_level',
];

/** Others take over what it hands back: it need not wait long. */
const DEFAULTS: SettingTexts = { state: './.watcher', drain: '5s' };

const HELP = `
Examples:
  $ watcher worker --etcd http://127.0.0.1:2379
  $ watcher worker --etcd https://a:2379,https://b:2379,https://c:2379 \\
      --etcd-tls-ca ca.pem --etcd-tls-cert worker.pem --etcd-tls-key worker.key
  $ watcher worker --processes 4       one for each core

What it runs is what watcher admin has published. Results go where those of watcher run go: a table on
a terminal, else JSON lines. SIGTERM and Ctrl-C hand its checks over to others, a second time at once.`;

export const register = (program: Command): void => {
  const command = program
    .command('worker')
    .description('run checks of a pool: as many workers as you like, on any machine');
  addSettings(command, OWN_SETTINGS, DEFAULTS)
    .option('--processes <number>', 'that many workers, started again when they crash')
    .option('--json', 'print results as JSON lines, on a terminal too')
    .option('--no-table', 'the same')
    .addHelpText('after', HELP)
    .action(worker);
};

async function worker(flags: WorkerFlags): Promise<void> {
  const { workerSession } = await import('./worker-session.ts');
  process.exit(await workerSession(flags, DEFAULTS));
}
