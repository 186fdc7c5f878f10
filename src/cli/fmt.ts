/** `watcher fmt`: check files in canonical form, comments kept. */

import type { Command } from 'commander';
import { EXIT } from './exit-codes.ts';

interface FmtOptions {
  readonly write?: true;
  readonly check?: true;
}

const HELP = `
Prints the canonical form; --write changes the files. What watcher had to repair is written out, so
that a formatted file loads without warnings, to the same checks.

Exit codes: 0 ok, 1 a file cannot be formatted (or, with --check, is not), 2 wrong usage.`;

export const register = (program: Command): void => {
  program
    .command('fmt')
    .description('print check files in canonical form')
    .argument('[path...]', 'folders and files', ['configs'])
    .option('--write', 'change the files instead')
    .option('--check', 'only name the files that are not in canonical form')
    .addHelpText('after', HELP)
    .action(fmt);
};

async function fmt(paths: readonly string[], options: FmtOptions): Promise<void> {
  const { specFiles } = await import('./spec-paths.ts');
  for (const file of await specFiles(paths)) {
    if (!(await formatFile(file, options))) process.exitCode = EXIT.bad;
  }
}

/** Whether the file is as it should be. */
async function formatFile(file: string, { write, check }: FmtOptions): Promise<boolean> {
  const { readFile, writeFile } = await import('node:fs/promises');
  const { formatBytes } = await import('../shared/config/format.ts');
  const { diagnosticOf, RENDERERS } = await import('../shared/config/diagnostics.ts');
  const bytes = await readFile(file);
  const { text, problems } = formatBytes(bytes);
  if (problems) {
    for (const problem of problems)
      process.stderr.write(`${RENDERERS.text(diagnosticOf(file, problem))}\n`);
    return false;
  }
  const isCanonical = bytes.equals(Buffer.from(text));
  if (check) {
    if (!isCanonical) process.stdout.write(`${file}\n`);
    return isCanonical;
  }
  if (!write) process.stdout.write(text);
  else if (!isCanonical) {
    await writeFile(file, text);
    process.stdout.write(`${file}\n`);
  }
  return true;
}
