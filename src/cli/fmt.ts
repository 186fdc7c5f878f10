/** `watcher fmt`: check files in canonical form, comments kept. */

import type { Command } from 'commander';
import type { Diagnostic } from '../shared/domain/diagnostic.ts';
import { EXIT } from './exit-codes.ts';

interface FmtOptions {
  readonly write?: true;
  readonly check?: true;
  readonly json?: true;
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
    .option('--json', 'print a JSON object a file: canonical, text, diagnostics')
    .addHelpText('after', HELP)
    .action(fmt);
};

interface FileReport {
  readonly file: string;
  readonly canonical: boolean;
  /** The canonical form; null where the file is too broken to have one. */
  readonly text: string | null;
  readonly diagnostics: readonly Diagnostic[];
}

async function fmt(paths: readonly string[], options: FmtOptions): Promise<void> {
  const { specFiles } = await import('./spec-paths.ts');
  const { writeFile } = await import('node:fs/promises');
  for (const file of await specFiles(paths)) {
    const report = await reportOf(file);
    const { text, canonical } = report;
    if (options.write && text !== null && !canonical) await writeFile(file, text);
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else await show(report, options);
    if (text === null || (options.check && !canonical)) process.exitCode = EXIT.bad;
  }
}

async function reportOf(file: string): Promise<FileReport> {
  const { readFile } = await import('node:fs/promises');
  const { formatBytes } = await import('../shared/config/format.ts');
  const { diagnosticOf } = await import('../shared/config/diagnostics.ts');
  const bytes = await readFile(file);
  const { text, problems } = formatBytes(bytes);
  const canonical = text !== null && bytes.equals(Buffer.from(text));
  const diagnostics = (problems ?? []).map((problem) => diagnosticOf(file, problem));
  return { file, canonical, text, diagnostics };
}

async function show(report: FileReport, { write, check }: FmtOptions): Promise<void> {
  const { file, canonical, text, diagnostics } = report;
  const { RENDERERS } = await import('../shared/config/diagnostics.ts');
  for (const diagnostic of diagnostics) process.stderr.write(`${RENDERERS.text(diagnostic)}\n`);
  if (text === null) return;
  if (!write && !check) process.stdout.write(text);
  else if (!canonical) process.stdout.write(`${file}\n`);
}
