/** Whether somebody has set the wall clock back between two looks at it. */

import type { Clock } from '../shared/runtime/clock.ts';

/** The two clocks differ by more than this between two looks. */
const STEP_MS = 500;

export class ClockStep {
  readonly #clock: Clock;
  #wall = 0;
  #monotonic = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.look();
  }

  /** Begins anew: over hours without a look the two clocks drift apart by themselves. */
  look(): void {
    this.#wall = this.#clock.now();
    this.#monotonic = this.#clock.monotonicMs();
  }

  wasSetBack(): boolean {
    const expected = this.#wall + this.#clock.monotonicMs() - this.#monotonic;
    this.look();
    return this.#wall <= expected - STEP_MS;
  }
}
