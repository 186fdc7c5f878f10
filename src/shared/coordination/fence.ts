/**
 * How long a lease may be trusted, on this machine's own clocks: lease → **fence** → may I? No decision
 * reads another machine's clock, and none asks whether some object is "alive": after a pause longer than
 * the lease, the first statement that runs must already see that it is over.
 */

import type { Clock } from '../runtime/clock.ts';

export class Fence {
  readonly #clock: Clock;
  readonly #marginMs: number;
  /** Taken before the last acknowledged renewal was sent. */
  #monotonicAt = 0;
  #wallAt = 0;
  /** 0: nothing is held. */
  #ttlMs = 0;

  /**
   * `marginMs` covers late timers, a blocked event loop, and clocks that run at different rates: what
   * starts just before the fence closes is over before the lease ends.
   */
  constructor(clock: Clock, marginMs: number) {
    this.#clock = clock;
    this.#marginMs = marginMs;
  }

  /**
   * The monotonic clock stands still while a machine is suspended, and the wall clock may be set: the
   * larger of the two distances is the safe one.
   */
  get attached(): boolean {
    return this.remainingMs > 0;
  }

  /** How long it stays open if nothing renews it; 0 or less when it is closed. */
  get remainingMs(): number {
    const elapsed = Math.max(
      this.#clock.monotonicMs() - this.#monotonicAt,
      this.#clock.now() - this.#wallAt,
    );
    return this.#ttlMs - this.#marginMs - elapsed;
  }

  /** Renews by `renew`, and opens the fence, counted from before the request was sent. */
  async extend(
    renew: () => Promise<{ readonly ttlMs: number; readonly sentAt: number }>,
  ): Promise<void> {
    const wallAt = this.#clock.now();
    const { ttlMs, sentAt } = await renew();
    this.#wallAt = wallAt;
    this.#monotonicAt = sentAt;
    this.#ttlMs = ttlMs;
  }

  /** The lease is known to be gone. */
  close(): void {
    this.#ttlMs = 0;
  }
}
