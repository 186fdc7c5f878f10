/**
 * `npm run test:faults -- [ROW…] [--small] [--page]`: proves rows at full size with real processes,
 * keeps what came out in docs/faults.json and writes docs/faults.md. `--small` proves without
 * keeping, as the tests do; `--page` only writes the page. One JSON line a row on stdout.
 */

import { parseArgs } from 'node:util';
import { setup } from '../support/fetch-programs.ts';
import { enterNamespace, raiseNetwork } from '../support/network-namespace.ts';
import { commitOf, keep, writePage } from './record.ts';
import type { Row, Size } from './row.ts';
import { ROWS } from './rows.ts';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
  },
});

if (flags.page) {
  await writePage(ROWS);
  process.exit(0);
}
// A namespace has no network to fetch anything from.
await setup();
if (await enterNamespace()) raiseNetwork();
const outcomes: boolean[] = [];
for (const row of chosen(positionals))
  outcomes.push(await prove(row, flags.small ? 'small' : 'full'));
process.exit(outcomes.every((holds) => holds) ? 0 : 1);

function chosen(names: readonly string[]): readonly Row[] {
  const unknown = names.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(', ')}`);
  return names.length === 0 ? ROWS : ROWS.filter((row) => names.includes(row.name));
}

async function prove(row: Row, size: Size): Promise<boolean> {
  const commit = size === 'full' ? commitOf(row) : '';
  const proof = await row.prove(size);
  console.log(JSON.stringify({ row: row.name, ...(proof ?? { skipped: true }) }));
  if (proof === null) return process.env['CI'] !== 'true';
  if (size === 'full') {
    await keep(row, proof, commit);
    await writePage(ROWS);
  }
  return proof.holds;
}
