/**
 * The deadlines of runs with the same timeout, which fall due in the order in which they were set: one
 * timer for all of them. A timer a run would cost more than the rest of a run's own bookkeeping.
 */

import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import type { LoopWatch } from './loop-watch.ts';

/** Something that has a deadline; the links belong to the list that it is in. */
export interface Expiring {
  /** Monotonic ms. */
  readonly deadlineAt: number;
  earlier: Expiring | null;
  later: Expiring | null;
  onDeadline(): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #watch: LoopWatch;
  #first: Expiring | null = null;
  #last: Expiring | null = null;
  #timer: Timer | null = null;

  constructor(clock: Clock, watch: LoopWatch) {
    this.#clock = clock;
    this.#watch = watch;
  }

  /** Its deadline is not before that of any other in the list. */
  add(item: Expiring, now: number): void {
    item.earlier = this.#last;
    if (this.#last === null) this.#first = item;
    else this.#last.later = item;
    this.#last = item;
    // Items leave without touching the timer: it finds out when it goes off.
    this.#timer ??= this.#clock.after(item.deadlineAt - now, this.#onTimer);
  }

  /** Before its deadline, and once. */
  remove(item: Expiring): void {
    const { earlier, later } = item;
    if (earlier === null) this.#first = later;
    else earlier.later = later;
    if (later === null) this.#last = earlier;
    else later.earlier = earlier;
    item.earlier = null;
    item.later = null;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  readonly #onTimer = (): void => {
    const now = this.#clock.monotonicMs();
    this.#timer = null;
    // A stall is known before the first is judged: from here on it is our own work that takes time.
    this.#watch.note(now);
    for (let item = this.#first; item !== null && item.deadlineAt <= now; item = this.#first) {
      this.remove(item);
      item.onDeadline();
    }
    if (this.#first === null || this.#timer !== null) return;
    this.#timer = this.#clock.after(this.#first.deadlineAt - now, this.#onTimer);
  };
}

/** The lists of a probe, by timeout in ms. */
export class DeadlinesByTimeout {
  readonly #clock: Clock;
  readonly #watch: LoopWatch;
  readonly #known = new Map<number, Deadlines>();

  constructor(clock: Clock, watch: LoopWatch) {
    this.#clock = clock;
    this.#watch = watch;
  }

  of(timeoutMs: number): Deadlines {
    const known = this.#known.get(timeoutMs);
    if (known !== undefined) return known;
    const deadlines = new Deadlines(this.#clock, this.#watch);
    this.#known.set(timeoutMs, deadlines);
    return deadlines;
  }

  close(): void {
    for (const deadlines of this.#known.values()) deadlines.close();
  }
}
