/**
 * From wall-clock entries to instants: the rules for the nights when clocks change, as cronie has
 * them (docs/scheduling.md). One object serves every check with the same expression and zone.
 */

import type { Stretch, Timezone } from './timezone.ts';
import type { WallClock } from './wall-clock.ts';

/** Times are ms since the epoch; instants fall on whole seconds. */
export interface Cron {
  /** The first instant strictly after `t`; Infinity when there is none. */
  after(t: number): number;
  /** The instants in (after, through]: how many, and the last one (-Infinity without any). */
  span(after: number, through: number): { readonly count: number; readonly last: number };
  /** The usual distance between two instants. */
  readonly intervalMs: number;
}

/** A Monday midnight in a leap year: where the usual distance is looked for. */
const SAMPLE_START = 1_704_067_199_000;
const SAMPLE_SIZE = 16;

export class WallClockCron implements Cron {
  readonly #entries: WallClock;
  readonly #zone: Timezone;
  /**
   * Whether entries follow the clock as it is shown: twice in a repeated hour, never in a skipped
   * one. The others run exactly once, at the first instant at which the clock shows their time
   * or a later one.
   */
  readonly #followsClock: boolean;
  // The last answer: no instant lies in [#from, #next), in seconds.
  #from = 0;
  #next = -1;
  #intervalMs = 0;

  constructor(entries: WallClock, zone: Timezone, followsClock: boolean) {
    this.#entries = entries;
    this.#zone = zone;
    this.#followsClock = followsClock;
  }

  after(t: number): number {
    const from = Math.floor(t / 1000) + 1;
    if (from < this.#from || from > this.#next) {
      this.#next = this.#first(from);
      this.#from = from;
    }
    return this.#next * 1000;
  }

  span(after: number, through: number): { readonly count: number; readonly last: number } {
    const end = Math.floor(through / 1000) + 1;
    let count = 0;
    let last = Number.NEGATIVE_INFINITY;
    for (let from = Math.floor(after / 1000) + 1; from < end; ) {
      const stretch = this.#zone.at(from);
      const to = Math.min(end, stretch.to);
      if (this.#landsAt(stretch, from)) {
        count++;
        last = from;
      }
      const start = this.#wallStart(stretch, from);
      const entries = this.#entries.count(start, to + stretch.offset);
      if (entries > 0) last = this.#entries.last(start, to + stretch.offset) - stretch.offset;
      count += entries;
      from = to;
    }
    return { count, last: last * 1000 };
  }

  get intervalMs(): number {
    if (this.#intervalMs === 0) this.#intervalMs = this.#usualDistance();
    return this.#intervalMs;
  }

  #first(second: number): number {
    let from = second;
    for (;;) {
      const stretch = this.#zone.at(from);
      if (this.#landsAt(stretch, from)) return from;
      const entry = this.#entries.first(this.#wallStart(stretch, from));
      if (entry === Number.POSITIVE_INFINITY || entry - stretch.offset < stretch.to)
        return entry - stretch.offset;
      from = stretch.to;
    }
  }

  /** Where entries count from: an entry that the clock showed before it was put back has run. */
  #wallStart(stretch: Stretch, from: number): number {
    const wall = from + stretch.offset;
    return this.#followsClock ? wall : Math.max(wall, stretch.from + stretch.before);
  }

  /**
   * Whether entries of a skipped hour run at this instant, the end of the gap. They are one run;
   * an entry for the very end of the gap is counted with the ordinary ones.
   */
  #landsAt(stretch: Stretch, from: number): boolean {
    if (this.#followsClock || from !== stretch.from || stretch.offset <= stretch.before)
      return false;
    const gapEnd = from + stretch.offset;
    const entry = this.#entries.first(from + stretch.before);
    return entry < gapEnd && this.#entries.first(gapEnd) !== gapEnd;
  }

  #usualDistance(): number {
    const distances: number[] = [];
    let instant = this.after(SAMPLE_START);
    while (distances.length < SAMPLE_SIZE) {
      const next = this.after(instant);
      distances.push(next - instant);
      if (next === Number.POSITIVE_INFINITY) break;
      instant = next;
    }
    distances.sort((a, b) => a - b);
    return distances[(distances.length - 1) >> 1] as number;
  }
}
