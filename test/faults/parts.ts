/**
 * What a proof of an hour has done so far, so that it goes on where it was ended. Kept under
 * node_modules/.cache for the very tree that it is about, and nowhere while that has uncommitted changes.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');

export class Parts<T> {
  readonly #folder: string | null;

  /** Of a proof by this name, as far as it depends on these folders and files. */
  constructor(name: string, depends: readonly string[], root = ROOT) {
    const git = (...args: readonly string[]): string =>
      execFileSync('git', [...args, '--', ...depends], { cwd: root, encoding: 'utf8' }).trim();
    const isClean = git('status', '--porcelain') === '';
    const tree = createHash('sha256').update(git('ls-tree', 'HEAD')).digest('hex').slice(0, 12);
    this.#folder = isClean ? path.join(root, 'node_modules/.cache/parts', name, tree) : null;
  }

  /** As it came out before, or does now. One that does not hold is not kept: it has to say so each time. */
  async outcomeOf(part: string, run: () => Promise<T>, holds: (outcome: T) => boolean): Promise<T> {
    if (this.#folder === null) return run();
    const file = path.join(this.#folder, `${part}.json`);
    const kept = await readFile(file, 'utf8').catch(() => null);
    if (kept !== null) return JSON.parse(kept) as T;
    const outcome = await run();
    if (!holds(outcome)) return outcome;
    await mkdir(this.#folder, { recursive: true });
    // Whole or not at all, should it be ended here.
    await writeFile(`${file}.new`, JSON.stringify(outcome));
    await rename(`${file}.new`, file);
    return outcome;
  }
}
