/**
 * Keeps a lease, for workers and admins alike: lease → **heartbeat** → fence. It runs on the main
 * thread on purpose: a process whose event loop is stuck must lose its lease.
 */

import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { backoffMs, isAway, isLeaseLost } from './backoff.ts';
import type { Fence } from './fence.ts';

export interface LeaseTiming {
  /** A killed worker's jobsets are free after this at the latest. */
  readonly ttlMs: number;
  /** A third of the TTL: two renewals in a row may fail. */
  readonly heartbeatMs: number;
  /** How long before its end a lease is no longer trusted. */
  readonly marginMs: number;
  /** Of one attempt to renew, after which a worker knows that it is cut off. */
  readonly callMs: number;
  /** How much later than the one before it each of those who could claim a jobset tries. */
  readonly rankStepMs: number;
}

export const LEASE_TIMING: LeaseTiming = {
  ttlMs: 6000,
  heartbeatMs: 2000,
  marginMs: 1500,
  callMs: 1000,
  rankStepMs: 150,
};

/** A fleet that started together must not beat together; sooner, never later than it is said to. */
const JITTER = 0.1;

export interface KeepAlive {
  readonly clock: Clock;
  readonly random: Random;
  readonly fence: Fence;
  readonly heartbeatMs: number;
  /** Renews the lease and proves what hangs on it; throws WCH_LEASE_LOST when it is over. */
  readonly beat: () => Promise<{ readonly ttlMs: number; readonly sentAt: number }>;
  /** After each beat, with the fence open. */
  readonly onBeat?: () => void;
  /** The store could not be reached; the fence closes by itself if that lasts. */
  readonly onFailure?: (error: unknown) => void;
}

/** Beats at once and then regularly. Resolves when the lease is lost or the signal aborts. */
export const keepAlive = async (options: KeepAlive, signal: AbortSignal): Promise<void> => {
  const { clock, random, fence, heartbeatMs, beat, onBeat, onFailure } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await fence.extend(beat);
      // An answer that was read late proves the past only: after a pause it may take a second one.
      if (!fence.attached) continue;
      failures = 0;
      onBeat?.();
    } catch (error) {
      if (isLeaseLost(error)) return fence.close();
      if (!isAway(error)) throw error;
      failures += 1;
      onFailure?.(error);
    }
    const pauseMs =
      failures > 0 ? backoffMs(failures, random) : heartbeatMs * (1 - JITTER * random.next());
    await pause(clock, pauseMs, signal);
  }
};

/** A sleep that an abort ends without an error: the loop around it looks at the signal itself. */
export const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  clock.sleep(ms, signal).catch(() => undefined);
