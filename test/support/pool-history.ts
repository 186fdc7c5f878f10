/**
 * What a pool has done, put together from what every worker delivered: which ticks of which check were
 * run, by whom, how late, and which were not. A result that was delivered twice is one result.
 */

import { checkIn } from './pool-target.ts';

export interface PoolResult {
  /** Number of the check. */
  readonly check: number;
  /** ms since the epoch, as all times here. */
  readonly tick: number;
  readonly start: number;
  readonly end: number;
  readonly latenessMs: number;
  readonly status: string;
  /** Id of the worker. */
  readonly worker: string;
  readonly token: number;
  readonly detached: boolean;
}

export interface WindowReport {
  /** Ticks that fell due. */
  readonly ticks: number;
  /** Ticks without any result. */
  readonly missed: number;
  /** Ticks with more than one result; those that carry the label of a worker without proof aside. */
  readonly doubled: number;
  /** Ticks with more than one result of whatever label. */
  readonly repeated: number;
  readonly labelled: number;
  /** Results whose tick is none of their check's. */
  readonly stray: number;
  readonly latenessMs: Spread;
}

export interface Punctuality {
  readonly tick: number;
  readonly latenessMs: number | null;
}

export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface HistoryOptions {
  readonly checks: number;
  readonly intervalMs: number;
}

export class History {
  readonly #options: HistoryOptions;
  /** By check, then by tick. */
  readonly #ticks: Map<number, PoolResult[]>[];
  readonly #seen = new Set<string>();

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#ticks = Array.from({ length: options.checks }, () => new Map());
  }

  /** One line of the `jsonl` sink; runs at start are no ticks. */
  take(line: string): void {
    const result = JSON.parse(line);
    const check = checkIn(result.check);
    const ticks = check === null ? undefined : this.#ticks[check];
    if (check === null || ticks === undefined || result.unscheduled === true) return;
    const { worker, status, detached, token } = result;
    const [tick, start] = [Date.parse(result.tick), Date.parse(result.start)];
    const mark = `${check} ${tick} ${worker} ${token} ${start}`;
    if (this.#seen.has(mark)) return;
    this.#seen.add(mark);
    const of = ticks.get(tick) ?? [];
    if (of.length === 0) ticks.set(tick, of);
    of.push({
      ...{ check, tick, start, worker, status, detached },
      token: Number(token),
      end: start + result.duration_ms,
      latenessMs: result.lateness_ms,
    });
  }

  /** All results of ticks in [from, to). */
  *results(from: number, to: number): Iterable<PoolResult> {
    for (const ticks of this.#ticks) {
      for (const [tick, results] of ticks) if (tick >= from && tick < to) yield* results;
    }
  }

  /** Ticks in [from, to) with more than one result, each with all its results. */
  *repeated(from: number, to: number): Iterable<readonly PoolResult[]> {
    for (const ticks of this.#ticks) {
      for (const [tick, results] of ticks) {
        if (tick >= from && tick < to && results.length > 1) yield results;
      }
    }
  }

  /** Checks without a single tick so far. */
  get unseen(): number {
    return this.#ticks.filter((ticks) => ticks.size === 0).length;
  }

  /** Each tick in [from, to), and how late it was first run; null: not at all. */
  *punctuality(from: number, to: number): Iterable<Punctuality> {
    for (const ticks of this.#ticks) {
      for (const { tick, results } of this.#due(ticks, from, to)) {
        // The first that was run is the one that people wait for.
        const lateness = results.map((one) => one.latenessMs);
        yield { tick, latenessMs: results.length === 0 ? null : Math.min(...lateness) };
      }
    }
  }

  /** A check that was never seen counts with all its ticks as missed. */
  window(from: number, to: number): WindowReport {
    const report = { ticks: 0, missed: 0, doubled: 0, repeated: 0, labelled: 0, stray: 0 };
    for (const ticks of this.#ticks) {
      const due = [...this.#due(ticks, from, to)];
      for (const { results } of due) count(report, results);
      const known = new Set(due.map(({ tick }) => tick));
      report.stray += [...ticks.keys()].filter(
        (tick) => tick >= from && tick < to && !known.has(tick),
      ).length;
    }
    const lateness = [...this.punctuality(from, to)].flatMap((one) => one.latenessMs ?? []);
    return { ...report, latenessMs: spreadOf(lateness) };
  }

  *#due(ticks: ReadonlyMap<number, PoolResult[]>, from: number, to: number) {
    const { intervalMs } = this.#options;
    const [some = from] = ticks.keys();
    const offset = some % intervalMs;
    const first = Math.ceil((from - offset) / intervalMs) * intervalMs + offset;
    for (let tick = first; tick < to; tick += intervalMs) {
      yield { tick, results: ticks.get(tick) ?? [] };
    }
  }
}

type Counts = { -readonly [N in keyof Omit<WindowReport, 'latenessMs'>]: number };

/** What one tick adds. */
function count(report: Counts, results: readonly PoolResult[]): void {
  const proven = results.filter(({ detached }) => !detached).length;
  report.ticks += 1;
  if (results.length === 0) report.missed += 1;
  if (results.length > 1) report.repeated += 1;
  if (proven > 1) report.doubled += 1;
  report.labelled += results.length - proven;
}

/** Zeros of nothing. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
