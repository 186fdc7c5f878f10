/**
 * Parts of the documentation that are made from the code stand between two comments,
 * `<!-- NAME -->` and `<!-- /NAME -->`. A test compares; `UPDATE_DOCS=1` writes instead.
 */

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '../..');

export async function expectSection(file: string, name: string, content: string): Promise<void> {
  const page = path.join(ROOT, file);
  const text = await readFile(page, 'utf8');
  const [open, close] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`];
  const from = text.indexOf(open) + open.length;
  const to = text.indexOf(close);
  expect(to, `${file} has no section ${name}`).toBeGreaterThanOrEqual(from);
  if (process.env['UPDATE_DOCS'] === '1') {
    await writeFile(page, text.slice(0, from) + content + text.slice(to));
  } else {
    expect(text.slice(from, to), `${file} is out of date: UPDATE_DOCS=1 writes it`).toBe(content);
  }
}

export const markdownTable = (
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string =>
  [titles, titles.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
