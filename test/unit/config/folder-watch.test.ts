import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FolderWatch, watchFolder } from '../../../src/shared/config/folder-watch.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let root: string;
let dir: string;
let watching: FolderWatch;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'watcher-watch-'));
  dir = path.join(root, 'configs');
  await mkdir(dir);
});

afterEach(async () => {
  await watching[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

/** Resolves at the next change that is told of. */
const watchingChanges = async (pollMs = 3_600_000): Promise<() => Promise<void>> => {
  let told = (): void => {};
  watching = watchFolder(dir, {
    clock: systemClock,
    onChange: () => told(),
    pollMs,
    debounceMs: 10,
  });
  await watching.ready;
  return () =>
    new Promise((resolve) => {
      told = resolve;
    });
};

const put = (name: string, text = 'a: 1\n'): Promise<void> => writeFile(path.join(dir, name), text);

describe('watching a folder', () => {
  it('tells of a file that comes, changes and goes', async () => {
    const changed = await watchingChanges();
    for (const act of [
      () => put('a.yml'),
      () => put('a.yml', 'b: 2\n'),
      () => rm(path.join(dir, 'a.yml')),
    ]) {
      const told = changed();
      await act();
      await told;
    }
  });

  it('tells when a mounted volume swaps the folder behind its links', async () => {
    await mkdir(path.join(dir, '..1'));
    await put('..1/a.yml');
    await symlink('..1', path.join(dir, '..data'));
    await symlink('..data/a.yml', path.join(dir, 'a.yml'));
    const changed = await watchingChanges();
    const told = changed();
    await mkdir(path.join(dir, '..2'));
    await put('..2/a.yml', 'b: 2\n');
    await symlink('..2', path.join(dir, '..data_tmp'));
    await rename(path.join(dir, '..data_tmp'), path.join(dir, '..data'));
    await told;
  });

  it('goes on after the folder has been away', async () => {
    const changed = await watchingChanges(20);
    await rename(dir, `${dir}.away`);
    await changed();
    await rename(`${dir}.away`, dir);
    await put('a.yml');
    await changed();
  });

  it('looks by itself every minute, even where there is no folder yet', async () => {
    const clock = new ManualClock();
    let looks = 0;
    watching = watchFolder(path.join(root, 'later'), { clock, onChange: () => looks++ });
    await clock.advance(59_999);
    expect(looks).toBe(0);
    await clock.advance(1);
    expect(looks).toBe(1);
    await clock.advance(120_000);
    expect(looks).toBe(3);
  });

  it('is silent once it is closed', async () => {
    const clock = new ManualClock();
    let looks = 0;
    watching = watchFolder(dir, { clock, onChange: () => looks++ });
    await watching[Symbol.asyncDispose]();
    await clock.advance(120_000);
    expect(looks).toBe(0);
  });
});
