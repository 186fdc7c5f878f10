/** `watcher once`: each check one time, now; for scripts and for trying a file out. */

import type { Command } from 'commander';
import { addRunOptions, type RunFlags } from './run-options.ts';

/** Its results are what it has to say. */
const DEFAULTS = { log_level: 'warn' };

const HELP = `
Examples:
  $ watcher once                            the checks of configs/*.yml
  $ watcher once https://example.com        one URL
  $ watcher once --json | jq .duration_ms   a JSON line for each result

Exit codes: 0 all ok, 1 a check is critical or warning or a file has errors, 5 some are unknown.`;

export const register = (program: Command): void => {
  const command = program
    .command('once')
    .description('run each check one time and tell how it went')
    .argument('[url|check...]', 'URLs, or keys of checks of the folder (default: all of it)');
  addRunOptions(command, { defaults: DEFAULTS })
    .option('--json', 'print a JSON line for each result, as it comes')
    .addHelpText('after', HELP)
    .action(once);
};

async function once(args: readonly string[], flags: RunFlags): Promise<void> {
  const { onceSession } = await import('./once-session.ts');
  process.exitCode = await onceSession({ args, flags, defaults: DEFAULTS });
}
