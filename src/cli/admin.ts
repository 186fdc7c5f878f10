/** `watcher admin`: publishes the folder to the workers of a pool. */

import type { Command } from 'commander';
import type { SettingName } from '../shared/config/settings-table.ts';
import { addSettings, LISTENER_SETTINGS, POOL_SETTINGS, type RunFlags } from './run-options.ts';

const OWN_SETTINGS: readonly SettingName[] = [
  'config',
  ...POOL_SETTINGS,
  'scaling.pool',
  'scaling.waiting_grace',
  'scaling.command',
  'scaling.webhook',
  'connect_to',
  ...LISTENER_SETTINGS,
  'state',
  'log_level',
];

const HELP = `
Examples:
  $ watcher admin --config configs --etcd http://127.0.0.1:2379

Of several admins one leads and publishes; the others stand by, and one of them leads when it dies. All
should have the same folder. Workers run on without any. SIGHUP reloads.`;

export const register = (program: Command): void => {
  const command = program
    .command('admin')
    .description('publish a folder of checks to the workers of a pool');
  addSettings(command, OWN_SETTINGS)
    .option('--json', 'print where it answers as a JSON object, once it does')
    .addHelpText('after', HELP)
    .action(admin);
};

async function admin(flags: RunFlags): Promise<void> {
  const { adminSession } = await import('./admin-session.ts');
  process.exit(await adminSession(flags));
}
