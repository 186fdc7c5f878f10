/** Lets the event loop turn during long work, so that timers and sockets are served on time. */

import type { Clock } from './clock.ts';

/** Long enough to cost nothing, short enough that no check is late for it. */
const SLICE_MS = 10;

export class TimeSlice {
  readonly #clock: Clock;
  #startedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonicMs();
  }

  /** Whether it is time for a `rest`: saves the promise when it is not. */
  get isSpent(): boolean {
    return this.#clock.monotonicMs() - this.#startedAt >= SLICE_MS;
  }

  async rest(): Promise<void> {
    await this.#clock.sleep(0);
    this.#startedAt = this.#clock.monotonicMs();
  }
}
