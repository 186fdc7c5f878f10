import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { JournalState } from '../../../../src/shared/sinks/journal/journal.ts';

import { A, aFolder, killed, type Opened, open, segmentFiles, seqsOf } from './opening.ts';
import { aWideEmission } from './wide-emission.ts';

const CHILD = new URL('./full-disk-process.ts', import.meta.url).pathname;

interface Report {
  readonly full: JournalState & { readonly readable: number };
  readonly later: JournalState & { readonly last: boolean };
  readonly said: readonly string[];
}

/** `command` limits what the disk takes, then starts `"$@"`. */
const reportOf = (
  folder: string,
  records: number,
  command: readonly string[],
  ...more: readonly string[]
): Report => {
  const child = [process.execPath, CHILD, folder, String(records), ...more];
  const { stdout, stderr } = spawnSync(command[0] as string, [...command.slice(1), ...child], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
};

/** A file system of its own; needs no root where user namespaces are allowed. */
const mounted = (folder: string, options: string) => [
  'unshare',
  '--map-root-user',
  '--mount',
  'sh',
  '-c',
  `mount -t tmpfs -o ${options} tmpfs ${folder} && "$@"`,
  'sh',
];
const canMount = (): boolean =>
  spawnSync('unshare', ['--map-root-user', '--mount', 'true']).status === 0;

describe('when a file may not grow any more', { timeout: 60_000 }, () => {
  // Half of a kilobyte each: no root is needed for this.
  const limited = ['sh', '-c', 'ulimit -f 32; exec "$@"', 'sh'];

  it('loses nothing, says so once, and goes back to the disk after a while', () => {
    const folder = aFolder();
    const { full, later, said } = reportOf(folder, 200, limited);
    expect(full).toMatchObject({ readable: 200, pending: 200, isDurable: false });
    expect(full.pendingInMemory).toBeGreaterThan(0);
    expect(full.diskFailedAt).not.toBeNull();
    expect(later).toMatchObject({ last: true, pending: 101, isDurable: true, diskFailedAt: null });
    expect(said).toEqual([
      expect.stringMatching(/cannot be written.*make room.*EFBIG/),
      expect.stringContaining('can be written again'),
    ]);
  });

  it('leaves no torn record behind', () => {
    const folder = aFolder();
    const { full } = reportOf(folder, 40, ['sh', '-c', 'ulimit -f 16; exec "$@"', 'sh']);
    const texts = segmentFiles(folder).map((file) => readFileSync(file, 'utf8'));
    expect(texts.map((text) => text.at(-1))).toEqual(['\n', '\n']);
    const { journal } = open(folder);
    expect(full.pendingInMemory).toBeGreaterThan(0);
    expect(journal.state.damaged).toBe(0);
    // Half of them were done, and what only memory had went with the process.
    const onDisk = 40 - full.pendingInMemory;
    const left = Array.from({ length: 40 }, (_, n) => n + 1).filter((n) => n > 20 && n <= onDisk);
    expect(seqsOf(journal)).toEqual({ [A]: [...left, 41] });
  });
});

describe.runIf(canMount())('on a file system of its own', { timeout: 60_000 }, () => {
  it('loses nothing when it is full, and uses it again when there is room', () => {
    const folder = aFolder();
    const { full, later, said } = reportOf(folder, 400, mounted(folder, 'size=64k'));
    expect(full).toMatchObject({ readable: 400, pending: 400, isDurable: false });
    expect(full.diskBytes).toBeGreaterThan(10_000);
    expect(later).toMatchObject({ last: true, pending: 201, isDurable: true });
    expect(said[0]).toContain('ENOSPC');
  });

  it('fills one segment of memory however often files can be made and not written', () => {
    const folder = aFolder();
    const { full } = reportOf(folder, 400, mounted(folder, 'size=64k'), 'retries');
    expect(full).toMatchObject({ readable: 420, isDurable: false, memoryBytes: 1024 * 1024 });
  });

  it('keeps everything in memory while it is read-only', () => {
    const folder = aFolder();
    const { full, later, said } = reportOf(folder, 400, mounted(folder, 'ro'));
    expect(full).toMatchObject({ readable: 400, diskBytes: 0, isDurable: false });
    expect(later).toMatchObject({ last: true, pending: 201, isDurable: false });
    expect(said).toEqual([expect.stringContaining('EROFS')]);
  });
});

/** A state folder whose place is taken by a file, until `free`. */
const blocked = () => {
  const place = path.join(aFolder(), 'state');
  writeFileSync(place, '');
  const free = () => {
    rmSync(place);
    mkdirSync(place);
  };
  return { folder: path.join(place, 'spool'), free };
};
const append = ({ journal }: Opened, tick: number) =>
  journal.append(aWideEmission({ tick }), null, [A], false);

it('tries the disk again every ten seconds, and not before', async () => {
  const { folder, free } = blocked();
  const opened = open(folder);
  const { journal, clock } = opened;
  append(opened, 1);
  free();
  await clock.advance(9_999);
  append(opened, 2);
  expect(journal.state).toMatchObject({ isDurable: false, diskBytes: 0 });
  await clock.advance(1);
  append(opened, 3);
  expect(journal.state).toMatchObject({ isDurable: true, pendingInMemory: 2, pending: 3 });
  expect([1, 2, 3].map((seq) => journal.read(seq)?.emission)).toEqual(
    [1, 2, 3].map((tick) => aWideEmission({ tick })),
  );
});

it('says since when, and the same again when it happens again', async () => {
  const { folder } = blocked();
  const opened = open(folder);
  const since = opened.clock.now();
  for (let n = 0; n < 5; n++) {
    append(opened, n);
    await opened.clock.advance(10_000);
  }
  expect(opened.journal.state.diskFailedAt).toBe(since);
  expect(opened.warnings).toHaveLength(1);
});

it('fills one segment of memory however often the disk is tried in vain', async () => {
  const { folder } = blocked();
  const opened = open(folder);
  for (let n = 0; n < 100; n++) {
    append(opened, n);
    await opened.clock.advance(10_000);
  }
  expect(opened.journal.state.memoryBytes).toBe(1024 * 1024);
});

it('writes what only memory has to the disk at the end, if it can by then', () => {
  const { folder, free } = blocked();
  const opened = open(folder);
  for (let tick = 1; tick <= 3; tick++) append(opened, tick);
  opened.journal.done(A, [2]);
  free();
  opened.journal[Symbol.dispose]();
  const { journal } = open(folder);
  const seqs = seqsOf(journal)[A] ?? [];
  expect(seqs.map((seq) => journal.read(seq)?.emission)).toEqual([
    aWideEmission({ tick: 1 }),
    aWideEmission({ tick: 3 }),
  ]);
});

/** The segment of that number cannot be made, as a file of that name is there. */
const occupy = (folder: string, number: number): void =>
  writeFileSync(path.join(folder, 'spool-0', `${number}`.padStart(8, '0').concat('.log')), '');

it('writes acknowledgements that the disk did not take when it works again', async () => {
  const folder = aFolder();
  const opened = open(folder, { limits: { disk: { segmentBytes: 500, totalBytes: 1e6 } } });
  for (let tick = 1; tick <= 3; tick++) append(opened, tick);
  occupy(folder, 4);
  append(opened, 4);
  expect(opened.journal.state.isDurable).toBe(false);
  opened.journal.done(A, [2]);
  await opened.clock.advance(10_000);
  append(opened, 5);
  expect(opened.journal.state.isDurable).toBe(true);
  killed(folder);
  expect(seqsOf(open(folder).journal)).toEqual({ [A]: [1, 3, 5] });
});

it('makes its folder again where somebody has removed it', () => {
  const folder = aFolder();
  const opened = open(folder, { limits: { disk: { segmentBytes: 500, totalBytes: 1e6 } } });
  append(opened, 1);
  rmSync(path.join(folder, 'spool-0'), { recursive: true });
  append(opened, 2);
  append(opened, 3);
  expect(opened.journal.state.isDurable).toBe(true);
  expect(segmentFiles(folder).length).toBeGreaterThan(0);
  expect([1, 2, 3].map((seq) => opened.journal.read(seq) !== null)).toEqual([true, true, true]);
});

it('gives up the oldest of all when memory is full too, and tries the disk then', () => {
  const folder = aFolder();
  const ranges: (readonly [number, number])[] = [];
  const limit = { segmentBytes: 1000, totalBytes: 4000 };
  const opened = open(folder, {
    limits: { disk: limit, memory: limit },
    onEvict: (from, to) => {
      ranges.push([from, to]);
      return new Map();
    },
  });
  opened.journal.recovered();
  for (let tick = 1; tick <= 4; tick++) append(opened, tick);
  expect(segmentFiles(folder)).toHaveLength(2);
  occupy(folder, 3);
  for (let tick = 5; tick <= 12; tick++) append(opened, tick);
  expect([ranges, opened.journal.state.memoryBytes]).toEqual([[], 4000]);
  append(opened, 13);
  expect(ranges).toEqual([[1, 2]]);
  expect(opened.journal.state).toMatchObject({ isDurable: true });
  expect(opened.journal.read(13)?.emission).toEqual(aWideEmission({ tick: 13 }));
});

it('stays within the bound of memory when the disk does not work at all', () => {
  const { folder } = blocked();
  const limit = { segmentBytes: 1000, totalBytes: 4000 };
  const opened = open(folder, { limits: { disk: limit, memory: limit } });
  opened.journal.recovered();
  for (let tick = 1; tick <= 100; tick++) append(opened, tick);
  expect(opened.journal.state.memoryBytes).toBeLessThanOrEqual(4000);
  expect(opened.journal.read(100)).not.toBeNull();
});
