/**
 * A sink is away for minutes while results come as from a large pool: it answers 503, hangs, refuses
 * connections. What waits, what it costs, what the other sinks notice, and how it comes back.
 */

import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from '../support/processes.ts';
import { range } from './arrivals.ts';
import type { GateMode } from './gate.ts';
import {
  droppedOf,
  isIdle,
  type Maker,
  type MakerReport,
  pendingOf,
  startMaker,
  unaccounted,
} from './maker.ts';
import type { Proof, Row, Size } from './row.ts';
import { type SinkDoubles, startSinkDoubles } from './sink-doubles.ts';
import { type Host, SINK_NAMES, type SinkName, viewOf, WINDOW_MS } from './sink-names.ts';
import { nextAt, type Sequence } from './synthetic.ts';

/** In full 12 times what 2,000 checks a minute make. */
const SIZES = {
  full: { perSecond: 400, checks: 2_000, upMs: 90_000, downMs: 300_000, lookMs: 5_000 },
  small: { perSecond: 200, checks: 1_000, upMs: 2_000, downMs: 5_000, lookMs: 1_000 },
} as const satisfies Record<Size, object>;
const MODES: readonly GateMode[] = ['unavailable', 'hangs', 'refuses'];
const ROUNDS: Readonly<Record<Size, readonly Host[]>> = {
  full: ['datadog', 'aws'],
  small: ['datadog'],
};
const SINKS_OF: Readonly<Record<Host, readonly SinkName[]>> = {
  datadog: ['datadog series', 'datadog events', 'datadog service checks'],
  aws: ['cloudwatch', 'eventbridge'],
  webhook: ['webhook', 'post'],
};

const MIB = 1024 * 1024;
const MOST = {
  memoryBytes: 32 * MIB,
  spoolBytes: 256 * MIB,
  drainMs: 600_000,
  /** What is live, once the sink is back: on top of a window. */
  liveLateMs: 10_000,
  /** Of one destination: it is asked again after longer and longer waits. */
  calls: 90,
} as const;
/** Of calls on a busy machine. */
const SLACK_MS = 2_000;

export const sinkDown: Row = {
  name: 'sink-down',
  title:
    'A sink that is down for five minutes gets every result afterwards, and no other sink notices',
  covers: ['src/shared/sinks', 'src/outlets.ts'],
  prove: async (size): Promise<Proof | null> => {
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'sink-down-'));
    const { perSecond, checks } = SIZES[size];
    const startAt = Math.ceil(Date.now() / 1000) * 1000;
    const sequence = { startAt, perSecond, checks, changeEvery: 50 };
    await using doubles = await startSinkDoubles({ sequence, folder: folder.path });
    const { sinks, connectTo, env } = doubles;
    const stateFolder = path.join(folder.path, 'state');
    const options = { sequence, confirm: false, sinks, stateFolder, connectTo };
    await using maker = startMaker(options, env);
    return await new Trial({ size, sequence, doubles, maker }).run();
  },
};

interface TrialParts {
  readonly size: Size;
  readonly sequence: Sequence;
  readonly doubles: SinkDoubles;
  readonly maker: Maker;
}

/** The most that was seen over a phase; memory after a collection of garbage. */
interface Seen {
  readonly rssBytes: number;
  readonly usedBytes: number;
  readonly spoolBytes: number;
  readonly blockedMs: number;
  readonly latestMs: number;
  /** Without one, since the process started. */
  readonly peakBytes: number;
}

interface Round {
  readonly host: Host;
  readonly seen: Seen;
  readonly calls: number;
  /** Numbers of results: made while it was down, and made while the backlog went. */
  readonly down: readonly [from: number, to: number];
  readonly live: readonly [from: number, to: number];
  readonly wakeMs: number;
  readonly drainMs: number;
}

class Trial {
  readonly #parts: TrialParts;

  constructor(parts: TrialParts) {
    this.#parts = parts;
  }

  async run(): Promise<Proof> {
    const { size, maker, doubles } = this.#parts;
    const up = await this.#watch(SIZES[size].upMs);
    const rounds: Round[] = [];
    for (const host of ROUNDS[size]) rounds.push(await this.#round(host));
    maker.pause();
    const { cpuMs } = await maker.until(isIdle, MOST.drainMs);
    const last = await maker.end();
    doubles.look();
    return this.#proofOf({ up, rounds, last, cpuMs });
  }

  async #watch(forMs: number): Promise<Seen> {
    const { size, maker } = this.#parts;
    const until = Date.now() + forMs;
    let seen = await this.#look();
    while (Date.now() < until) {
      await sleep(Math.min(SIZES[size].lookMs, until - Date.now()));
      seen = mostOf([seen, await this.#look()]);
    }
    return { ...seen, peakBytes: (await memoryOf(maker.pid)).peakBytes };
  }

  async #look(): Promise<Seen> {
    const { rssBytes, usedBytes, spool, blockedMs, latestMs } = await this.#parts.maker.report();
    const { diskBytes: spoolBytes } = spool;
    return { rssBytes, usedBytes, spoolBytes, blockedMs, latestMs, peakBytes: 0 };
  }

  async #round(host: Host): Promise<Round> {
    const { size, sequence, doubles, maker } = this.#parts;
    const names = SINKS_OF[host];
    const before = callsTo(names, await maker.report());
    const from = nextAt(Date.now(), sequence);
    const seen: Seen[] = [];
    for (const mode of MODES) {
      await doubles.set(host, mode);
      seen.push(await this.#watch(SIZES[size].downMs / MODES.length));
    }
    const calls = callsTo(names, await maker.report()) - before;
    const to = nextAt(Date.now(), sequence);
    await doubles.set(host, 'open');
    const healedAt = Date.now();
    const { wokenAt, drainedAt, seenMeanwhile } = await this.#drain(names, healedAt);
    return {
      host,
      seen: mostOf([...seen, seenMeanwhile]),
      calls,
      down: [from, to],
      live: [nextAt(wokenAt, sequence), nextAt(drainedAt, sequence)],
      wakeMs: wokenAt - healedAt,
      drainMs: drainedAt - healedAt,
    };
  }

  /** Until nothing waits longer than what is live may. */
  async #drain(names: readonly SinkName[], healedAt: number) {
    const { size, doubles, maker } = this.#parts;
    const asleep = new Map(names.map((name) => [name, doubles.arrivals[name].arrived]));
    const seen: Seen[] = [];
    let wokenAt = healedAt;
    for (;;) {
      await sleep(Math.min(500, SIZES[size].lookMs));
      for (const [name, before] of asleep)
        if (doubles.arrivals[name].arrived > before) {
          asleep.delete(name);
          wokenAt = Date.now();
        }
      seen.push(await this.#look());
      const { views } = await maker.report();
      const isBehind = names.some((name) => (viewOf(name, views)?.lagMs ?? 0) > freshMs(name));
      const isOver = Date.now() - healedAt > 2 * MOST.drainMs;
      if ((asleep.size === 0 && !isBehind) || isOver) break;
    }
    const { peakBytes } = await memoryOf(maker.pid);
    return {
      wokenAt,
      drainedAt: Date.now(),
      seenMeanwhile: { ...mostOf(seen), peakBytes },
    };
  }

  #proofOf({ up, rounds, last, cpuMs }: Outcome): Proof {
    const { doubles } = this.#parts;
    const made = [...range(last.first, last.next - last.skipped)];
    const all = SINK_NAMES.map((name) => doubles.arrivals[name]);
    const down = mostOf(rounds.map(({ seen }) => seen));
    const most = (of: (round: Round) => number): number => Math.round(Math.max(...rounds.map(of)));
    const counts = {
      results: made.length,
      arrived: all.reduce((sum, { arrived }) => sum + arrived, 0),
      missing: all.reduce((sum, arrivals) => sum + arrivals.missing(made), 0),
      repeats: all.reduce((sum, { repeats }) => sum + repeats, 0),
      wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
      dropped: droppedOf(last.views),
      unaccounted: unaccounted(last.views),
      pending_at_end: pendingOf(last.views),
      rss_up_mib: inMib(up.rssBytes),
      rss_more_mib: inMib(down.rssBytes - up.rssBytes),
      used_up_mib: inMib(up.usedBytes),
      used_more_mib: inMib(down.usedBytes - up.usedBytes),
      peak_more_mib: inMib(down.peakBytes - up.peakBytes),
      spool_mib: inMib(down.spoolBytes),
      calls_per_destination: most(({ host, calls }) => calls / SINKS_OF[host].length),
      others_late_ms: most((round) => this.#othersLateMs(round)),
      wake_ms: most(({ wakeMs }) => wakeMs),
      live_late_ms: most(({ host, live }) => this.#lateMs(SINKS_OF[host], live)),
      drain_ms: most(({ drainMs }) => drainMs),
      blocked_up_ms: Math.round(up.blockedMs),
      blocked_down_ms: Math.round(down.blockedMs),
      made_late_ms: Math.round(down.latestMs),
      cpu_us_per_result: Math.round((cpuMs * 1000) / made.length),
    };
    return { counts, holds: holds(counts) };
  }

  #othersLateMs({ host, down }: Round): number {
    const others = SINK_NAMES.filter((name) => !SINKS_OF[host].includes(name));
    return Math.max(
      ...others.map((name) => this.#lateMs([name], down) - WINDOW_MS[name] - SLACK_MS),
    );
  }

  /** Beyond a window. */
  #lateMs(names: readonly SinkName[], [from, to]: readonly [number, number]): number {
    const { arrivals } = this.#parts.doubles;
    return Math.max(...names.map((name) => arrivals[name].oldestMs(from, to) - WINDOW_MS[name]));
  }
}

interface Outcome {
  readonly up: Seen;
  readonly rounds: readonly Round[];
  readonly last: MakerReport;
  readonly cpuMs: number;
}

const holds = (counts: Readonly<Record<string, number>>): boolean => {
  const none = ['missing', 'wrong', 'dropped', 'unaccounted', 'pending_at_end'];
  const limits: Readonly<Record<string, number>> = {
    rss_more_mib: MOST.memoryBytes / MIB,
    spool_mib: MOST.spoolBytes / MIB,
    calls_per_destination: MOST.calls,
    others_late_ms: 0,
    live_late_ms: MOST.liveLateMs,
    drain_ms: MOST.drainMs,
  };
  const isWithin = ([name, limit]: readonly [string, number]) => (counts[name] ?? 0) <= limit;
  return none.every((name) => counts[name] === 0) && Object.entries(limits).every(isWithin);
};

const mostOf = (seen: readonly Seen[]): Seen => {
  const most = (of: (one: Seen) => number): number => Math.max(...seen.map(of));
  return {
    rssBytes: most(({ rssBytes }) => rssBytes),
    usedBytes: most(({ usedBytes }) => usedBytes),
    spoolBytes: most(({ spoolBytes }) => spoolBytes),
    blockedMs: most(({ blockedMs }) => blockedMs),
    latestMs: most(({ latestMs }) => latestMs),
    peakBytes: most(({ peakBytes }) => peakBytes),
  };
};

const inMib = (bytes: number): number => Math.round((bytes / MIB) * 10) / 10;
const freshMs = (name: SinkName): number => WINDOW_MS[name] + MOST.liveLateMs;

const callsTo = (names: readonly SinkName[], { views }: MakerReport): number =>
  names.reduce((sum, name) => sum + (viewOf(name, views)?.calls ?? 0), 0);
