/** The ticks of a simulated fleet: counted by jobset from when each worker has run it, instead of run. */

import type { JobsetId } from '../../src/shared/domain/check.ts';

/** From when to when, on the wall clock, a worker has run a jobset. */
export interface Term {
  readonly jobset: JobsetId;
  /** Ticks after it; what it found undone is run at once. */
  readonly from: number;
  to: number;
}

/** Of one jobset; each runs once a minute, and they are spread evenly over it. */
export const CHECKS = 100;
export const TICK_GAP_MS = 60_000 / CHECKS;

/** What was run, by one worker after the other; what of it twice; and what by nobody. */
export const countTicks = (jobsets: Iterable<readonly Term[]>, now: number) => {
  const count = { ticks_run: 0, ticks_twice: 0, ticks_missed: 0 };
  for (const terms of jobsets) {
    const inOrder = terms.toSorted((a, b) => a.from - b.from || a.to - b.to);
    let until = inOrder[0]?.from ?? now;
    for (const { from, to } of inOrder) {
      const end = Math.min(to, now);
      count.ticks_missed += ticksBetween(until, from);
      count.ticks_twice += ticksBetween(from, Math.min(until, end));
      count.ticks_run += ticksBetween(from, end);
      until = Math.max(until, end);
    }
    count.ticks_missed += ticksBetween(until, now);
  }
  return count;
};

const ticksBetween = (from: number, to: number): number =>
  Math.max(0, Math.floor(to / TICK_GAP_MS) - Math.floor(from / TICK_GAP_MS));
