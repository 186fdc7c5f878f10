/** `watcher jobs`: checks that run in the pool without a file in its spec folder. */

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { WatcherError } from '../shared/domain/errors.ts';
import type { AddReport } from '../shared/domain/pool-views.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';

interface JobsOptions {
  readonly address: string;
  readonly json?: true;
}

interface AddOptions extends JobsOptions {
  readonly worker?: string;
}

const EXAMPLES = `
Examples:
  $ watcher jobs add canary.yml                  run the checks of a file until they are removed
  $ watcher jobs add canary.yml --json           what was added where, as JSON
  $ watcher jobs remove api.example.com/health   stop one of them
  $ watcher jobs release api.example.com/health  run one again that was quarantined`;

const ADD_HELP = `
The files are check files as in the spec folder (configs/README.md); what they hold stays in the pool
until \`watcher jobs remove\`, whatever becomes of the files. With errors in a file, nothing of it is added.

Examples:
  $ watcher jobs add canary.yml                  run its checks on whichever worker has room
  $ watcher jobs add canary.yml --worker ID      run them on that worker first (watcher workers)
  $ cat canary.yml | watcher jobs add -          from standard input

Exit codes: 0 all added, 1 a file has errors or a check is there already, 2 usage, 4 not reachable,
5 only some were added.`;

const REMOVE_HELP = `
Examples:
  $ watcher jobs remove api.example.com/health   stop a check that was added by \`jobs add\`

Checks of the spec folder are removed there. Exit codes: 0 all removed, 2 usage or no such check,
4 not reachable.`;

const RELEASE_HELP = `
A check during whose runs three workers have died is quarantined: no worker runs it until its definition
changes or it is released (watcher ledger shows it). Released, it has three more tries. A check that waits
for a worker with room may be released, too: the next worker runs it, with all that waits in its jobset,
whether it has room or not.

Examples:
  $ watcher jobs release api.example.com/health  run a check again that was quarantined

Exit codes: 0 all released, 2 usage, no such check or one that does not wait, 4 not reachable.`;

export const register = (program: Command): void => {
  const jobs = program
    .command('jobs')
    .description('add checks to a running pool, remove them, or release them from quarantine')
    .helpCommand(false)
    .addHelpText('after', EXAMPLES);
  jobs
    .command('add')
    .description('add the checks of these files')
    .argument('<file...>', 'check files, or - for standard input')
    .option('--worker <id>', 'the worker that runs them first')
    .addOption(addressOption())
    .option('--json', 'print a JSON object a line for each file: added, refused, diagnostics')
    .addHelpText('after', ADD_HELP)
    .action(add);
  jobs
    .command('remove')
    .description('remove checks that were added')
    .argument('<check...>', 'keys of checks')
    .addOption(addressOption())
    .option('--json', 'print a JSON object a line for each check: removed')
    .addHelpText('after', REMOVE_HELP)
    .action(remove);
  jobs
    .command('release')
    .description('run checks again that are quarantined or wait')
    .argument('<check...>', 'keys of checks')
    .addOption(addressOption())
    .option('--json', 'print a JSON object a line for each check: released')
    .addHelpText('after', RELEASE_HELP)
    .action(release);
};

async function add(files: readonly string[], options: AddOptions): Promise<void> {
  const contents = await Promise.all(files.map(contentOf));
  let added = 0;
  let refused = 0;
  for (const [index, yaml] of contents.entries()) {
    const report = await send(yaml, options);
    added += report.added.length;
    refused += report.refused.length + errorsOf(report);
    const text = options.json ? JSON.stringify(report) : await reportText(report, files[index]);
    if (text !== '') process.stdout.write(`${text}\n`);
  }
  if (refused === 0) process.exitCode = EXIT.ok;
  else process.exitCode = added > 0 ? EXIT.partial : EXIT.bad;
}

async function remove(checks: readonly string[], { address, json }: JobsOptions): Promise<void> {
  const { read } = await import('./client.ts');
  for (const check of checks) {
    const query = new URLSearchParams({ check });
    await read(address, `/v1/jobs?${query}`, { method: 'DELETE' });
    process.stdout.write(`${json ? JSON.stringify({ removed: check }) : `removed ${check}`}\n`);
  }
}

async function release(checks: readonly string[], { address, json }: JobsOptions): Promise<void> {
  const { read } = await import('./client.ts');
  for (const check of checks) {
    const query = new URLSearchParams({ check });
    await read(address, `/v1/jobs/release?${query}`, { method: 'POST' });
    process.stdout.write(`${json ? JSON.stringify({ released: check }) : `released ${check}`}\n`);
  }
}

const contentOf = async (file: string): Promise<Buffer> => {
  try {
    return await readFile(file === '-' ? '/dev/stdin' : file);
  } catch (cause) {
    throw new WatcherError('WCH_USAGE', `${file} cannot be read`, { cause });
  }
};

/** A refusal has the same report as a success. */
const send = async (yaml: Buffer, { address, worker }: AddOptions): Promise<AddReport> => {
  const { ask, refusalOf } = await import('./client.ts');
  const query = new URLSearchParams(worker === undefined ? {} : { worker });
  const answer = await ask(address, `/v1/jobs?${query}`, { method: 'POST', yaml });
  const report = answer.body as Partial<AddReport> | null;
  const { added, refused, diagnostics } = report ?? {};
  if (added && refused && diagnostics) return { added, refused, diagnostics };
  throw refusalOf(answer);
};

const errorsOf = ({ diagnostics }: AddReport): number =>
  diagnostics.filter(({ severity }) => severity === 'error').length;

const reportText = async (report: AddReport, file = '-'): Promise<string> => {
  const { RENDERERS } = await import('../shared/config/diagnostics.ts');
  const { inert } = await import('../shared/runtime/inert.ts');
  const { added, refused, diagnostics } = report;
  return [
    ...diagnostics.map((diagnostic) => RENDERERS.text({ ...diagnostic, file })),
    ...added.map(({ check, jobset, worker }) => {
      return `added ${inert(check)} to jobset ${jobset} of ${inert(worker ?? 'no worker yet')}`;
    }),
    ...refused.map(({ check, why }) => `not added ${inert(check)}: ${inert(why)}`),
  ].join('\n');
};
