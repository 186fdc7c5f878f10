/**
 * Whether a destination may be called now: closed, open until an instant, or half-open, where one
 * call decides. Full jitter, so that a pool of workers does not come back as one.
 */

import type { Random } from '../runtime/random.ts';

/**
 * What may heal by itself is tried again soon, so that a sink that is back gets what is live within ten
 * seconds and a window; what waits for a person is not.
 */
const BACKOFF = {
  retry: { firstMs: 500, cappedMs: 10_000 },
  denied: { firstMs: 5_000, cappedMs: 300_000 },
} as const;
export type Setback = keyof typeof BACKOFF;

export class Breaker {
  readonly #random: Random;
  #failures = 0;
  #openUntil = Number.NEGATIVE_INFINITY;
  /** Why the last call failed; null when it did not. */
  reason: string | null = null;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Monotonic ms; in the past when calls may be made. */
  get openUntil(): number {
    return this.#openUntil;
  }

  get isClosed(): boolean {
    return this.#failures === 0;
  }

  isOpen(now: number): boolean {
    return now < this.#openUntil;
  }

  succeed(): void {
    this.#failures = 0;
    this.#openUntil = Number.NEGATIVE_INFINITY;
    this.reason = null;
  }

  /** `afterMs` is what the sink asked for: never called sooner. */
  fail(setback: Setback, reason: string, { now, afterMs = 0 }: { now: number; afterMs?: number }) {
    this.reason = reason;
    // Calls that were under way when the first one failed tell nothing new.
    if (this.isOpen(now)) {
      this.#openUntil = Math.max(this.#openUntil, now + afterMs);
      return;
    }
    const { firstMs, cappedMs } = BACKOFF[setback];
    const ceiling = Math.min(cappedMs, firstMs * 2 ** this.#failures);
    this.#failures += 1;
    // A sink that needs a person is never tried at once: there the jitter is over the upper half.
    const least = setback === 'denied' ? ceiling / 2 : 0;
    const waitMs = least + this.#random.next() * (ceiling - least);
    this.#openUntil = now + Math.max(waitMs, afterMs);
  }
}
