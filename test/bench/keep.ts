/**
 * Puts the figures of a run into docs/performance.md, with the machine and commit they are of. Parts
 * that were not run keep what they have.
 */

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { COLUMNS, cellsOf, type Figure } from './figure.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PAGE = path.join(ROOT, 'docs/performance.md');
const SECTION = /<!-- figures -->\n(.*)\n<!-- \/figures -->/s;
/** `Parts a b: 2026-01-01, commit …` */
const HEAD = /^Parts ([a-z ]+): (.*)$/;
const ROW = /^\| ([a-z]) \|/;

export async function keep(figures: readonly Figure[], machine: string): Promise<void> {
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  const parts = [...new Set(figures.map(({ part }) => part))];
  const page = await readFile(PAGE, 'utf8');
  const before = SECTION.exec(page)?.[1]?.split('\n') ?? [];
  const heads = [
    ...before.flatMap((line) => headWithout(line, parts)),
    `Parts ${parts.join(' ')}: ${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${machine}.`,
  ];
  const rows = [
    ...[COLUMNS, COLUMNS.map(() => '---')].map(rowOf),
    ...before.filter((line) => !parts.includes(ROW.exec(line)?.[1] ?? parts[0] ?? '')),
    ...figures.map((figure) => rowOf(cellsOf(figure))),
  ];
  const section = `<!-- figures -->\n${heads.join('\n\n')}\n\n${rows.join('\n')}\n<!-- /figures -->`;
  await writeFile(
    PAGE,
    page.replace(SECTION, () => section),
  );
}

const rowOf = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** What an earlier run was of that has not been run anew. */
function headWithout(line: string, parts: readonly string[]): readonly string[] {
  const [, names = '', what] = HEAD.exec(line) ?? [];
  const left = names.split(' ').filter((name) => name !== '' && !parts.includes(name));
  return left.length === 0 ? [] : [`Parts ${left.join(' ')}: ${what}`];
}
