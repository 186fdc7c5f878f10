/**
 * The process is killed at any moment, with results on their way to sinks that come and go, and
 * started again on the same state folder. A result counts as soon as the pipeline has taken it: that
 * is when watcher counts its tick as run.
 */

import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../support/seeded-random.ts';
import type { GateMode } from './gate.ts';
import {
  droppedOf,
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
import { HOSTS, SINK_NAMES } from './sink-names.ts';

const SIZES = {
  full: { kills: 100, perSecond: 500, aliveMs: 1_500, drainMs: 300_000 },
  small: { kills: 5, perSecond: 200, aliveMs: 800, drainMs: 60_000 },
} as const satisfies Record<Size, object>;
/** Most of the time a sink is well. */
const MODES: readonly GateMode[] = ['open', 'open', 'slow', 'hangs', 'refuses', 'unavailable'];
const CHANGE_MS = 300;
/** Every third time the process is killed in the middle of a write. */
const TORN_EVERY = 3;

export const killedWithResults: Row = {
  name: 'killed-with-results',
  title: 'Whatever was taken before a kill -9 reaches every sink after the next start',
  covers: ['src/shared/sinks', 'src/outlets.ts'],
  prove: async (size): Promise<Proof | null> => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'killed-'));
    const { perSecond, kills } = SIZES[size];
    const startAt = Math.ceil(Date.now() / 1000) * 1000;
    const sequence = { startAt, perSecond, checks: perSecond, changeEvery: 10 };
    await using doubles = await startSinkDoubles({ sequence, folder: folder.path, posts: true });
    const { sinks, posts, connectTo, env } = doubles;
    const stateFolder = path.join(folder.path, 'state');
    const start = () =>
      startMaker({ sequence, confirm: true, sinks, posts, stateFolder, connectTo }, env);
    const trial = new Trial({ size, doubles, stateFolder, start });
    for (let kill = 0; kill < kills; kill++) await trial.kill(kill);
    return await trial.drain();
  },
};

interface TrialParts {
  readonly size: Size;
  readonly doubles: SinkDoubles;
  readonly stateFolder: string;
  readonly start: () => Maker;
}

class Trial {
  readonly #parts: TrialParts;
  readonly #random = seededRandom(1);
  readonly #confirmed: number[] = [];
  #torn = 0;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async kill(kill: number): Promise<void> {
    const { size, doubles, start, stateFolder } = this.#parts;
    await using maker = start();
    while (maker.confirmed.length === 0) await sleep(10);
    const endAt = Date.now() + this.#random.next() * SIZES[size].aliveMs;
    while (Date.now() < endAt) {
      const host = this.#oneOf(HOSTS);
      await doubles.set(host, this.#oneOf(MODES));
      await sleep(Math.min(CHANGE_MS * this.#random.next(), Math.max(0, endAt - Date.now())));
    }
    await maker.kill();
    this.#confirmed.push(...maker.confirmed);
    if (kill % TORN_EVERY === 0) this.#tear(stateFolder);
  }

  async drain(): Promise<Proof> {
    const { size, doubles, start } = this.#parts;
    for (const host of HOSTS) await doubles.set(host, 'open');
    await using maker = start();
    const { drainMs } = SIZES[size];
    // A backlog goes the faster the more is made beside it.
    await maker.until(isFresh, drainMs);
    maker.pause();
    await maker.until(isIdle, drainMs);
    const last = await maker.end();
    this.#confirmed.push(...maker.confirmed);
    doubles.look();
    return this.#proofOf(last);
  }

  #proofOf({ views, spool }: MakerReport): Proof {
    const { doubles, size } = this.#parts;
    const all = SINK_NAMES.map((name) => doubles.arrivals[name]);
    const counts = {
      kills: SIZES[size].kills,
      torn_writes: this.#torn,
      confirmed: this.#confirmed.length,
      arrived: all.reduce((sum, { arrived }) => sum + arrived, 0),
      missing: all.reduce((sum, arrivals) => sum + arrivals.missing(this.#confirmed), 0),
      repeats: all.reduce((sum, { repeats }) => sum + repeats, 0),
      wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
      torn_lines: doubles.torn(),
      damaged: spool.damaged,
      dropped: droppedOf(views),
      unaccounted: unaccounted(views),
      pending_at_end: pendingOf(views),
    };
    const none = [
      'missing',
      'wrong',
      'damaged',
      'dropped',
      'unaccounted',
      'pending_at_end',
    ] as const;
    return { counts, holds: none.every((name) => counts[name] === 0) && counts.confirmed > 0 };
  }

  /** The start of another record, as if the kill had come while it was written. */
  #tear(stateFolder: string): void {
    const slot = path.join(stateFolder, 'spool-0');
    const last = existsSync(slot)
      ? readdirSync(slot)
          .filter((name) => name.endsWith('.log'))
          .toSorted()
          .at(-1)
      : undefined;
    if (last === undefined) return;
    const file = path.join(slot, last);
    const bytes = readFileSync(file);
    const line = bytes.subarray(0, bytes.indexOf(10));
    appendFileSync(file, line.subarray(0, 1 + this.#random.next() * (line.length - 1)));
    this.#torn += 1;
  }

  #oneOf<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random.next() * list.length)] as T;
  }
}
