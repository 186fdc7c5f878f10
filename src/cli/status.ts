/** `watcher status`: the checks of a running watcher, worst first. */

import { Argument, type Command, Option } from 'commander';
import {
  CHECK_STATUSES,
  type CheckStatus,
  type CheckView,
  type StatusPage,
} from '../shared/domain/status.ts';
import { addressOption } from './address-option.ts';
import { statusExitCode } from './exit-codes.ts';

interface StatusOptions {
  readonly address: string;
  readonly status?: CheckStatus;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  $ watcher status                            all checks, worst first
  $ watcher status --status critical          only those that are critical
  $ watcher status api.example.com/health     one check with its lateness

Exit codes: 0 all ok, 1 a check is critical or warning, 5 some are unknown, 4 not reachable.`;

export const register = (program: Command): void => {
  program
    .command('status')
    .description('show the checks of a running watcher')
    .addArgument(new Argument('[check]', 'key of one check'))
    .addOption(new Option('--status <status>', 'only these').choices(CHECK_STATUSES))
    .addOption(addressOption())
    .option('--json', 'print a JSON object: summary and checks')
    .addHelpText('after', EXAMPLES)
    .action(status);
};

async function status(check: string | undefined, options: StatusOptions): Promise<void> {
  const { summary, checks } = await allPages(check, options);
  const { worstFirst } = await import('./check-columns.ts');
  const ranked = worstFirst(checks);
  if (options.json) process.stdout.write(`${JSON.stringify({ summary, checks: ranked })}\n`);
  else await print({ summary, checks: ranked, next: null });
  process.exitCode = statusExitCode(ranked.map((view) => view.status));
}

async function allPages(check: string | undefined, options: StatusOptions): Promise<StatusPage> {
  const { read } = await import('./client.ts');
  const query = new URLSearchParams();
  if (check !== undefined) query.set('check', check);
  if (options.status !== undefined) query.set('status', options.status);
  const checks: CheckView[] = [];
  for (let next: number | null = 0; ; ) {
    query.set('offset', String(next));
    const page = await read<StatusPage>(options.address, `/v1/status?${query}`);
    checks.push(...page.checks);
    next = page.next;
    if (next === null) return { summary: page.summary, checks, next };
  }
}

async function print({ summary, checks }: StatusPage): Promise<void> {
  const { renderTable } = await import('./table.ts');
  const { checkColumns, latenessColumn, summaryText } = await import('./check-columns.ts');
  const { systemClock } = await import('../shared/runtime/clock.ts');
  const { stdout } = process;
  const columns = checkColumns({ now: systemClock.now(), stream: stdout });
  const late = columns.findIndex((column) => column.title === 'LATE');
  const detailed = columns.toSpliced(late, 1, latenessColumn);
  const lines = renderTable(detailed, checks, stdout.isTTY ? stdout.columns : undefined);
  stdout.write(`${summaryText(summary, stdout)}\n\n${lines.join('\n')}\n`);
}
