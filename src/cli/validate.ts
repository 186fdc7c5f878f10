/** `watcher validate`: tells everything that is wrong with check files, without running any. */

import { type Command, Option } from 'commander';
import { EXIT } from './exit-codes.ts';

interface ValidateOptions {
  readonly format: 'text' | 'json' | 'github';
  readonly strict?: true;
  readonly json?: true;
  readonly cost?: true;
  readonly settings?: string;
  readonly workers: string;
}

const HELP = `
A folder is read as "watcher run" reads it: its *.yml files, without sub-folders.

With --cost it tells instead what the checks create at the sinks of the settings and of their own
post_* in 30 days: custom metrics and calls, which is what sinks bill. Nothing is sent.

Exit codes: 0 without errors (warnings and advice are fine), 1 with errors, 2 wrong usage.`;

export const register = (program: Command): void => {
  program
    .command('validate')
    .description('tell what is wrong with check files')
    .argument('[path...]', 'folders and files', ['configs'])
    .addOption(
      new Option('--format <format>', 'how problems are shown')
        .choices(['text', 'json', 'github'])
        .default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('--strict', 'count warnings as errors')
    .option('--cost', 'tell what the checks cost at their sinks, instead')
    .option('--settings <file>', 'for --cost: where the sinks are (default: watcher.yml)')
    .option('--workers <n>', 'for --cost: processes that share the checks', '1')
    .addHelpText('after', HELP)
    .action(validate);
};

async function validate(paths: readonly string[], options: ValidateOptions): Promise<void> {
  if (options.cost) return tellCost(paths, options);
  const { loadPaths } = await import('./spec-paths.ts');
  const { count, hasErrors, RENDERERS } = await import('../shared/config/diagnostics.ts');
  const { pressureAdvice } = await import('../shared/config/pressure.ts');
  const { plural } = await import('./text.ts');
  const { definitions, selves, files, diagnostics } = await loadPaths(paths);
  const all = [...diagnostics, ...pressureAdvice(definitions, paths.join(' '))];
  const format = options.json ? 'json' : options.format;
  const lines = all.map(RENDERERS[format]);
  if (format === 'text') {
    const counts = [
      plural(files, 'file'),
      plural(definitions.length, 'check'),
      plural(selves.length, 'self block'),
      plural(count(all, 'error'), 'error'),
      plural(count(all, 'warning'), 'warning'),
      `${count(all, 'info')} advice`,
    ];
    lines.push(counts.join(', '));
  }
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  process.exitCode = hasErrors(all, options.strict) ? EXIT.bad : EXIT.ok;
}

async function tellCost(paths: readonly string[], options: ValidateOptions): Promise<void> {
  const { costSession } = await import('./cost-session.ts');
  const { settings, workers, format } = options;
  const json = options.json === true || format === 'json';
  process.exitCode = await costSession(paths, { settings, workers, json });
}
