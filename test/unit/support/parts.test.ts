import { execFileSync } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { Parts } from '../../faults/parts.ts';

it('does each part of a proof once for a tree, and anew for another', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'parts-'));
  const root = folder.path;
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { cwd: root });
  const commit = async (name: string, text: string) => {
    await writeFile(path.join(root, name), text);
    git('add', name);
    git('commit', '-q', '-m', name);
  };
  let runs = 0;
  const prove = (holds = true) => {
    const run = async () => {
      runs += 1;
      return runs;
    };
    return new Parts<number>('proof', ['source'], root).outcomeOf('1', run, () => holds);
  };
  git('init', '-q');
  await commit('source', 'one');
  expect([await prove(), await prove()]).toEqual([1, 1]);
  await commit('other', 'that it does not depend on');
  expect(await prove()).toBe(1);
  await writeFile(path.join(root, 'source'), 'not committed');
  expect([await prove(), await prove()]).toEqual([2, 3]);
  await commit('source', 'two');
  expect([await prove(false), await prove(), await prove()]).toEqual([4, 5, 5]);
  await commit('source', 'one');
  expect(await prove()).toBe(1);
});
