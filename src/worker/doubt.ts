/**
 * After a pause a worker does not know whether its claims are gone: the fence has closed although no attempt
 * to renew has failed. It starts nothing until the first attempt after that is over, and no longer than a
 * call may take.
 */

import type { Clock, Timer } from '../shared/runtime/clock.ts';

export class Doubt {
  readonly #clock: Clock;
  readonly #mostMs: number;
  /** An attempt to renew has failed since the last one that did not. */
  #hasFailed = true;
  #now: Promise<void> | null = null;
  #resolve: () => void = () => {};
  #timer: Timer | null = null;

  constructor(clock: Clock, mostMs: number) {
    this.#clock = clock;
    this.#mostMs = mostMs;
  }

  /** To be asked for with the fence closed only; null: what cannot be proven now is lost. */
  get now(): Promise<void> | null {
    if (this.#hasFailed) return null;
    if (this.#now === null) {
      this.#now = new Promise((resolve) => {
        this.#resolve = resolve;
      });
      this.#timer = this.#clock.after(this.#mostMs, () => this.settle(true));
    }
    return this.#now;
  }

  /** An attempt to renew is over: whoever waits for that goes on. */
  settle(failed: boolean): void {
    this.#hasFailed = failed;
    this.#now = null;
    this.#timer?.cancel();
    this.#resolve();
  }
}
