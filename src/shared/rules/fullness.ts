/** When a worker takes nothing more while others have room, and when it does again: with hysteresis. */

import type { Capacity } from '../domain/jobset.ts';
import { FULL_AT, ROOM_BELOW } from './load.ts';

/** A loop of whose timers a hundredth comes later than this… */
const SLOW_LOOP_MS = 500;
/** …for this long is more than a burst. */
const SLOW_FOR_MS = 30_000;

/** What a worker remembers of its strain. */
export interface Fullness {
  readonly isLoaded: boolean;
  readonly isSlow: boolean;
  /** Since when its loop has been slow, in monotonic ms; null: it is not. */
  readonly slowSince: number | null;
}

export const ROOM: Fullness = { isLoaded: false, isSlow: false, slowSince: null };

export interface Strain {
  /** Of places and loop, as in load.ts. */
  readonly pressure: number;
  readonly loopDelayP99Ms: number;
  /** Monotonic ms. */
  readonly at: number;
}

export const fullnessAfter = (before: Fullness, strain: Strain): Fullness => {
  const { pressure, loopDelayP99Ms, at } = strain;
  const isLoaded = pressure >= (before.isLoaded ? ROOM_BELOW : FULL_AT);
  const slowSince = loopDelayP99Ms > SLOW_LOOP_MS ? (before.slowSince ?? at) : null;
  const isSlow = slowSince !== null && at - slowSince >= SLOW_FOR_MS;
  return { isLoaded, isSlow, slowSince };
};

/**
 * A limit of jobs is exact both ways: whoever sets one wants that many, and a job that goes makes room for
 * one that waits.
 */
export const isFull = (
  { isLoaded, isSlow }: Fullness,
  jobs: number,
  { jobs: most }: Capacity,
): boolean => isLoaded || isSlow || (most !== null && jobs >= most);
