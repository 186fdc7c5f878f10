/** `watcher ledger`: which worker runs which check, as the process that is asked knows it. */

import { Argument, type Command } from 'commander';
import type { JobsetView, LedgerPage } from '../shared/domain/pool-views.ts';
import { addressOption } from './address-option.ts';
import { EXIT } from './exit-codes.ts';
import type { LedgerRow } from './ledger-columns.ts';

interface LedgerOptions {
  readonly address: string;
  readonly json?: true;
}

const EXAMPLES = `
Every worker and every admin has a copy of the ledger, kept by watching: any of them can be asked, also
while the store is away. The copy is then called stale, and checks may be shown by their ids.

A check that waits for a worker with room says why (watcher scaling); one on the move says where to.

Examples:
  $ watcher ledger                              which worker runs which check
  $ watcher ledger api.example.com/health       where that one stands
  $ watcher ledger --address 10.0.0.7:9464      the same as another process knows it
  $ watcher ledger --json | grep '"owner":null' jobsets that nobody runs

Exit codes: 0 ok, 2 no such check, 4 not reachable, 5 the copy is stale or a record cannot be read.`;

export const register = (program: Command): void => {
  program
    .command('ledger')
    .description('show which worker runs which check')
    .addArgument(new Argument('[check]', 'key of one check'))
    .addOption(addressOption())
    .option('--json', 'print a JSON object a line for each jobset: id, owner, heartbeat, jobs, …')
    .addHelpText('after', EXAMPLES)
    .action(ledger);
};

async function ledger(check: string | undefined, options: LedgerOptions): Promise<void> {
  const rows: LedgerRow[] = [];
  let last: LedgerPage | null = null;
  let unreadable = 0;
  for await (const page of pages(check, options.address)) {
    last = page;
    unreadable += page.unreadable;
    if (options.json) for (const jobset of page.jobsets) printJson(jobset, page);
    else rows.push(...(await rowsOf(page.jobsets, check)));
  }
  if (last === null) return;
  if (!options.json) await print(rows, last, unreadable);
  process.exitCode = last.stale || unreadable > 0 ? EXIT.partial : EXIT.ok;
}

async function* pages(check: string | undefined, address: string): AsyncGenerator<LedgerPage> {
  const { read } = await import('./client.ts');
  const query = new URLSearchParams(check === undefined ? {} : { check });
  for (;;) {
    const page: LedgerPage = await read<LedgerPage>(address, `/v1/ledger?${query}`);
    yield page;
    if (page.next === null) return;
    query.set('after', page.next);
  }
}

const printJson = (jobset: JobsetView, { stale }: LedgerPage): void => {
  process.stdout.write(`${JSON.stringify({ ...jobset, stale })}\n`);
};

/** All rows of the jobsets, or that of one check. */
const rowsOf = async (
  jobsets: readonly JobsetView[],
  check: string | undefined,
): Promise<readonly LedgerRow[]> => {
  const { rowsOfJobset } = await import('./ledger-columns.ts');
  const rows = jobsets.flatMap(rowsOfJobset);
  if (check === undefined) return rows;
  const { checkIdOf } = await import('../shared/config/check-id.ts');
  const id = checkIdOf(check);
  return rows.filter((row) => row.job === id).map((row) => ({ ...row, check }));
};

async function print(
  rows: readonly LedgerRow[],
  page: LedgerPage,
  unreadable: number,
): Promise<void> {
  const { renderTable } = await import('./table.ts');
  const { LEDGER_COLUMNS, ledgerSummary, staleText } = await import('./ledger-columns.ts');
  const { stdout } = process;
  const lines = renderTable(LEDGER_COLUMNS, rows, stdout.isTTY ? stdout.columns : undefined);
  const stale = staleText(page);
  const head = [...(stale === null ? [] : [stale]), ledgerSummary(rows, unreadable)];
  stdout.write(`${head.join('\n')}\n\n${lines.join('\n')}\n`);
}
