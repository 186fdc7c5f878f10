/** Proofs as they are kept: docs/faults.json, and the page that is made from it. */

import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Proof, Row } from './row.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const RECORDS = path.join(ROOT, 'docs/faults.json');
const PAGE = path.join(ROOT, 'docs/faults.md');

export interface ProofRecord extends Proof {
  readonly row: string;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** What the tree was; `+` after it: with changes that were not committed. */
  readonly commit: string;
}

export async function readRecords(): Promise<readonly ProofRecord[]> {
  return JSON.parse(await readFile(RECORDS, 'utf8').catch(() => '[]')) as ProofRecord[];
}

/** To be asked before the proof: it may take half an hour, and the tree may change meanwhile. */
export function commitOf({ covers }: Row): string {
  const changed = git('status', '--porcelain', '--', ...covers) !== '';
  return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '+' : ''}`;
}

export async function keep(row: Row, proof: Proof, commit: string): Promise<void> {
  const record: ProofRecord = { row: row.name, date: new Date().toISOString(), commit, ...proof };
  const records = [...(await readRecords()), record];
  await writeFile(RECORDS, `${JSON.stringify(records, null, 2)}\n`);
}

export const writePage = async (rows: readonly Row[]): Promise<void> =>
  writeFile(PAGE, pageOf(rows, await readRecords(), isStale));

/** A proof says nothing of code that has changed under it since. */
function isStale({ covers }: Row, { commit }: ProofRecord): boolean {
  if (commit.endsWith('+')) return true;
  return git('diff', '--name-only', commit, '--', ...covers) !== '';
}

/** Pure but for what `stale` looks at: the newest proof of each row. */
export function pageOf(
  rows: readonly Row[],
  records: readonly ProofRecord[],
  stale: (row: Row, record: ProofRecord) => boolean,
): string {
  const lines = rows.map((row) => {
    const record = records.findLast((candidate) => candidate.row === row.name);
    if (record === undefined) return `| \`${row.name}\` | ${row.title} | not proved yet | | |`;
    const outcome = `${record.holds ? 'holds' : '**fails**'}${stale(row, record) ? ', stale' : ''}`;
    const counts = Object.entries(record.counts).map(([name, count]) => `${name} ${count}`);
    const when = `${record.date.slice(0, 10)}, ${record.commit}`;
    return `| \`${row.name}\` | ${row.title} | ${outcome} | ${counts.join(', ')} | ${when} |`;
  });
  return [...HEAD, ...lines, ''].join('\n');
}

const HEAD = [
  '# Faults',
  '',
  'What watcher promises under faults, and the last run that showed it, with real processes and at',
  'full size. `npm run test:faults -- ROW…` proves rows again and writes this page from',
  '`docs/faults.json`; most run with the tests, in a smaller version. *Stale*: what the row tests',
  'has changed since, or had changes that were not committed.',
  '',
  '| row | promise | outcome | counts | when |',
  '|---|---|---|---|---|',
];

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
