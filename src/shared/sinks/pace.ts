/** How fast a backlog drains beside what is live: up to ten times as fast as results are made. */

/** Of what is made: with the live ones a sink sees ten times its usual rate at most. */
const TIMES = 9;
/** Where hardly anything is made, a backlog must still end. */
const LEAST_PER_SECOND = 20;
const WINDOW_MS = 60_000;

export class Pace {
  #windowAt: number;
  #made = 0;
  #madeBefore = 0;
  #allowed = 0;
  #allowedAt: number;

  /** Instants are monotonic ms. */
  constructor(now: number) {
    this.#windowAt = now;
    this.#allowedAt = now;
  }

  made(now: number): void {
    this.#roll(now);
    this.#made += 1;
  }

  /** How many of the backlog may go now, at most `most`. */
  allowance(now: number, most: number): number {
    this.#roll(now);
    const gained = ((now - this.#allowedAt) / 1000) * this.#perSecond();
    this.#allowed = Math.min(most, this.#allowed + gained);
    this.#allowedAt = now;
    return Math.floor(this.#allowed);
  }

  spend(count: number): void {
    this.#allowed -= count;
  }

  /** Until `count` may go. */
  waitMs(count: number): number {
    return Math.max(0, ((count - this.#allowed) / this.#perSecond()) * 1000);
  }

  #perSecond(): number {
    const made = Math.max(this.#made, this.#madeBefore) / (WINDOW_MS / 1000);
    return Math.max(LEAST_PER_SECOND, made * TIMES);
  }

  #roll(now: number): void {
    const windows = Math.floor((now - this.#windowAt) / WINDOW_MS);
    if (windows === 0) return;
    this.#madeBefore = windows === 1 ? this.#made : 0;
    this.#made = 0;
    this.#windowAt += windows * WINDOW_MS;
  }
}
