/** `watcher run`: everything in one process, until it is told to stop. */

import type { Command } from 'commander';
import type { SettingName } from '../shared/config/settings-table.ts';
import { addRunOptions, RUN_DEFAULTS, type RunCommandFlags } from './run-options.ts';

const OWN_SETTINGS: readonly SettingName[] = [
  'per_host',
  'listen',
  'listen_tls.cert',
  'listen_tls.key',
  'run_at_start',
  'drain',
  'state',
];

const HELP = `
Examples:
  $ watcher run                                  the checks of configs/*.yml
  $ watcher run --config /etc/watcher/checks     those of another folder
  $ watcher run https://example.com              one URL, every 10 seconds
  $ watcher run api.example.com/health           one check of the folder
  $ watcher run | jq .status                     a JSON object a line for each result

On a terminal a table is shown, worst first; else each result is a JSON line on stdout (--json does
so on a terminal too). SIGTERM and Ctrl-C stop in order, a second time at once; SIGHUP reloads.`;

export const register = (program: Command): void => {
  const command = program
    .command('run')
    .description('run checks in this one process')
    .argument('[url|check...]', 'URLs, or keys of checks of the folder (default: all of it)');
  addRunOptions(command, { more: OWN_SETTINGS, defaults: RUN_DEFAULTS })
    .option('--json', 'print results as JSON lines, on a terminal too')
    .option('--no-table', 'the same')
    .option('--for <duration>', 'stop after that long: 30s, 5m')
    .option('--demo', 'start a small service to watch; has no effect with a URL or check')
    .addHelpText('after', HELP)
    .action(run);
};

async function run(targets: readonly string[], flags: RunCommandFlags): Promise<void> {
  const { runSession } = await import('./run-session.ts');
  process.exit(await runSession(targets, flags));
}
