/** `watcher doctor`: whether everything that a run needs is there, sinks included. */

import type { Command } from 'commander';
import type { DoctorFlags } from './doctor-session.ts';

const HELP = `
Each sink of the settings and of the check files is asked whether it would accept results, in the way
that costs least; what cannot be asked without posting is said to be untested. Besides: the spec
folder, the state folder, the listener's address, name servers, open files, and the version of Node.

Exit codes: 0 all ok or untested, 1 when a test failed, 2 wrong usage or settings.`;

export const register = (program: Command): void => {
  program
    .command('doctor')
    .description('test sinks, keys and permissions, and what a run needs')
    .argument('[path...]', 'folders and files (default: the folder of the settings)')
    .option('--settings <file>', 'settings (default: watcher.yml, where there is one)')
    .option('--json', 'print the findings as a JSON object')
    .addHelpText('after', HELP)
    .action(doctor);
};

async function doctor(paths: readonly string[], flags: DoctorFlags): Promise<void> {
  const { doctorSession } = await import('./doctor-session.ts');
  process.exitCode = await doctorSession(paths, flags);
}
