/** Idle slots in the order in which they became so, linked through themselves: no churn of a Set. */

import type { Slot } from './slot.ts';

export class IdleSlots {
  readonly #capacity: number;
  #size = 0;
  #oldest: Slot | null = null;
  #newest: Slot | null = null;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Returns the oldest, which has left, when there are too many. */
  add(slot: Slot): Slot | null {
    slot.isIdle = true;
    slot.older = this.#newest;
    if (this.#newest === null) this.#oldest = slot;
    else this.#newest.newer = slot;
    this.#newest = slot;
    this.#size += 1;
    const oldest = this.#oldest;
    if (this.#size <= this.#capacity || oldest === null) return null;
    this.remove(oldest);
    return oldest;
  }

  remove(slot: Slot): void {
    const { older, newer } = slot;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    slot.older = null;
    slot.newer = null;
    slot.isIdle = false;
    this.#size -= 1;
  }
}
