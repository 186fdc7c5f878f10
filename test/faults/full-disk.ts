/**
 * The state folder's disk fills up while no sink takes anything, then turns read-only, then all is
 * well again: results go on, the oldest repeats make room for what is new, and for changes.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SinkView } from '../../src/shared/domain/status.ts';
import { isInsideNamespace } from '../support/network-namespace.ts';
import type { Arrivals } from './arrivals.ts';
import {
  isFresh,
  isIdle,
  type Maker,
  type MakerReport,
  pendingOf,
  startMaker,
  unaccounted,
} from './maker.ts';
import type { Proof, Row, Size } from './row.ts';
import { type SinkDoubles, startSinkDoubles } from './sink-doubles.ts';
import { HOSTS, SINK_NAMES, viewOf } from './sink-names.ts';
import { isChange, type Sequence } from './synthetic.ts';

/** Both bounds are met in full, the disk's and that of memory after it. */
const SIZES = {
  full: { diskMib: 16, perSecond: 2_000, valueBytes: 0, fullMs: 60_000, readOnlyMs: 30_000 },
  small: { diskMib: 1, perSecond: 500, valueBytes: 16_000, fullMs: 4_000, readOnlyMs: 2_000 },
} as const satisfies Record<Size, object>;
const LOOK_MS = 250;
/** A write that was taken in part only is taken back. */
const NEARLY_FULL_BYTES = 64 * 1024;
const DRAIN_MS = 300_000;
const MOST_TOLD_MS = 10_000;

export const fullDisk: Row = {
  name: 'full-disk',
  title: 'A full or read-only state folder costs the oldest repeats, counted, and nothing else',
  covers: ['src/shared/sinks', 'src/outlets.ts'],
  prove: async (size): Promise<Proof | null> => {
    if (!isInsideNamespace()) return null;
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'full-disk-'));
    const { perSecond, valueBytes, diskMib } = SIZES[size];
    const startAt = Math.ceil(Date.now() / 1000) * 1000;
    const sequence = { startAt, perSecond, checks: 10_000, changeEvery: 50, valueBytes };
    await using doubles = await startSinkDoubles({
      sequence,
      folder: folder.path,
      hook: 'transitions',
    });
    using disk = mountDisk(path.join(folder.path, 'disk'), diskMib);
    for (const host of HOSTS) await doubles.set(host, 'refuses');
    const { connectTo, env } = doubles;
    // The file of results is on another disk, which is well.
    const sinks = doubles.sinks.filter(({ kind }) => kind !== 'jsonl');
    const stateFolder = path.join(disk.path, 'state');
    await using maker = startMaker(
      { sequence, confirm: false, sinks, stateFolder, connectTo },
      env,
    );
    return await new Trial({ size, sequence, doubles, disk, maker }).run();
  },
};

interface Disk extends Disposable {
  readonly path: string;
  /** Another mount over it: the one below is written to, and cannot become read-only. */
  refuseWrites(): void;
  takeWrites(): void;
  isFull(): boolean;
}

const mountDisk = (where: string, mib: number): Disk => {
  mkdirSync(where);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', where]);
  return {
    path: where,
    refuseWrites: () => {
      // Beside it first, where nobody has a file open: a mount that is written to stays writable.
      const aside = `${where}-read-only`;
      mkdirSync(aside, { recursive: true });
      execFileSync('mount', ['--bind', where, aside]);
      execFileSync('mount', ['-o', 'remount,ro,bind', aside]);
      execFileSync('mount', ['--bind', aside, where]);
      execFileSync('umount', ['--lazy', aside]);
    },
    takeWrites: () => execFileSync('umount', ['--lazy', where]),
    isFull: () => {
      const { bavail, bsize } = statfsSync(where);
      return bavail * bsize < NEARLY_FULL_BYTES;
    },
    [Symbol.dispose]: () => execFileSync('umount', ['--lazy', where]),
  };
};

interface TrialParts {
  readonly size: Size;
  readonly sequence: Sequence;
  readonly doubles: SinkDoubles;
  readonly disk: Disk;
  readonly maker: Maker;
}

class Trial {
  readonly #parts: TrialParts;
  #fullAt = 0;
  #toldAt = 0;
  #memoryBytes = 0;
  #blockedMs = 0;
  #latestMs = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async run(): Promise<Proof> {
    const { size, doubles, disk, maker } = this.#parts;
    await this.#watch(SIZES[size].fullMs);
    disk.refuseWrites();
    await this.#watch(SIZES[size].readOnlyMs);
    const { next: downTo } = await maker.report();
    disk.takeWrites();
    for (const host of HOSTS) await doubles.set(host, 'open');
    await maker.until(isFresh, DRAIN_MS);
    maker.pause();
    await maker.until(isIdle, DRAIN_MS);
    const last = await maker.end();
    doubles.look();
    return this.#proofOf(last, downTo);
  }

  async #watch(forMs: number): Promise<void> {
    const { disk, maker } = this.#parts;
    for (const until = Date.now() + forMs; Date.now() < until; ) {
      await sleep(LOOK_MS);
      if (this.#fullAt === 0 && disk.isFull()) this.#fullAt = Date.now();
      const { spool, blockedMs, latestMs } = await maker.report();
      if (this.#toldAt === 0 && spool.problem !== null) this.#toldAt = Date.now();
      this.#memoryBytes = Math.max(this.#memoryBytes, spool.memoryBytes);
      this.#blockedMs = Math.max(this.#blockedMs, blockedMs);
      this.#latestMs = Math.max(this.#latestMs, latestMs);
    }
  }

  #proofOf({ first, next, skipped, views }: MakerReport, downTo: number): Proof {
    const { doubles, sequence } = this.#parts;
    const made = { first, to: next - skipped, downTo };
    const sinks = SINK_NAMES.flatMap((name) => {
      const view = viewOf(name, views);
      return view ? [accountOf({ arrivals: doubles.arrivals[name], view, made, sequence })] : [];
    });
    const sum = (of: (one: Account) => number): number =>
      sinks.reduce((total, one) => total + of(one), 0);
    const counts = {
      results: made.to - first,
      missing: sum(({ missing }) => missing),
      missing_changes: sum(({ changes }) => changes),
      dropped_overflow: sum(({ overflow }) => overflow),
      dropped_otherwise: sum(({ otherwise }) => otherwise),
      not_counted: sum(({ missing, overflow, otherwise }) =>
        Math.max(0, missing - overflow - otherwise),
      ),
      not_oldest: sum(({ notOldest }) => notOldest),
      wrong: SINK_NAMES.reduce((total, name) => total + doubles.arrivals[name].wrong, 0),
      unaccounted: unaccounted(views),
      pending_at_end: pendingOf(views),
      told_after_ms: this.#toldAt - this.#fullAt,
      memory_mib: Math.round(this.#memoryBytes / 1024 / 1024),
      blocked_ms: Math.round(this.#blockedMs),
      made_late_ms: Math.round(this.#latestMs),
    };
    const none = [
      'missing_changes',
      'dropped_otherwise',
      'not_counted',
      'not_oldest',
      'wrong',
      'unaccounted',
      'pending_at_end',
    ] as const;
    const isMet = counts.dropped_overflow > 0;
    const isTold = this.#fullAt > 0 && this.#toldAt > 0 && counts.told_after_ms <= MOST_TOLD_MS;
    return { counts, holds: isMet && isTold && none.every((name) => counts[name] === 0) };
  }
}

interface Account {
  readonly missing: number;
  /** Among the missing. */
  readonly changes: number;
  readonly overflow: number;
  readonly otherwise: number;
  /** Missing although an older one, which was no change and waited too, has arrived. */
  readonly notOldest: number;
}

const accountOf = ({
  arrivals,
  view,
  made: { first, to, downTo },
  sequence,
}: {
  readonly arrivals: Arrivals;
  readonly view: SinkView;
  readonly made: { readonly first: number; readonly to: number; readonly downTo: number };
  readonly sequence: Sequence;
}): Account => {
  const { overflow, ...others } = view.dropped;
  const account = { missing: 0, changes: 0, overflow, otherwise: 0, notOldest: 0 };
  account.otherwise = Object.values(others).reduce((a, b) => a + b, 0);
  let hasOlder = false;
  for (let n = first; n < to; n++) {
    if (!arrivals.isFor(n)) continue;
    const isLost = !arrivals.has(n);
    if (isLost) account.missing += 1;
    if (isLost && isChange(n, sequence)) account.changes += 1;
    if (isChange(n, sequence) || n >= downTo) continue;
    if (isLost && hasOlder) account.notOldest += 1;
    hasOlder ||= !isLost;
  }
  return account;
};
