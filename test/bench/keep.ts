/** Puts the figures of a run into docs/performance.md, with the machine and commit they are of. */

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { COLUMNS, cellsOf, type Figure } from './figure.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PAGE = path.join(ROOT, 'docs/performance.md');
const SECTION = /<!-- figures -->\n.*\n<!-- \/figures -->/s;

export async function keep(figures: readonly Figure[], machine: string): Promise<void> {
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  const rows = [COLUMNS, COLUMNS.map(() => '---'), ...figures.map(cellsOf)];
  const table = rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  const head = `${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine}.`;
  const page = await readFile(PAGE, 'utf8');
  const section = `<!-- figures -->\n${head}\n\n${table}\n<!-- /figures -->`;
  await writeFile(
    PAGE,
    page.replace(SECTION, () => section),
  );
}
