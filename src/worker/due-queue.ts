/**
 * A binary min-heap of slots by due time, in typed arrays: 16 bytes a check, and a million checks
 * put no load on the garbage collector. Slots are small integers given by the check table.
 */

const ABSENT = -1;

export class DueQueue {
  #due = new Float64Array(64);
  #heap = new Int32Array(64);
  /** Slot -> index in the heap, so that a reload can move or take out any slot in O(log n). */
  #position = new Int32Array(64).fill(ABSENT);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The earliest due time; Infinity when the queue is empty. */
  get earliest(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#dueAt(0);
  }

  /** The slot that is due first; -1 when the queue is empty. */
  get first(): number {
    return this.#size === 0 ? ABSENT : this.#slotAt(0);
  }

  /** Slots that are due by then, in no order; costs as much as there are of them. */
  dueBy(time: number): number[] {
    const found: number[] = [];
    const seen = [0];
    for (let index = seen.pop(); index !== undefined; index = seen.pop()) {
      if (index >= this.#size || this.#dueAt(index) > time) continue;
      found.push(this.#slotAt(index));
      seen.push(2 * index + 1, 2 * index + 2);
    }
    return found;
  }

  /** Due time of a slot; Infinity when it is not queued. */
  dueOf(slot: number): number {
    return (this.#position[slot] ?? ABSENT) === ABSENT
      ? Number.POSITIVE_INFINITY
      : (this.#due[slot] as number);
  }

  /** Puts a slot in, or moves it. An infinite due time takes it out. */
  set(slot: number, due: number): void {
    if (due === Number.POSITIVE_INFINITY) {
      this.remove(slot);
      return;
    }
    this.#reserve(slot);
    this.#due[slot] = due;
    let index = this.#position[slot] as number;
    if (index === ABSENT) index = this.#size++;
    this.#place(slot, index);
    this.#down(this.#up(index));
  }

  remove(slot: number): void {
    const index = this.#position[slot] ?? ABSENT;
    if (index === ABSENT) return;
    this.#position[slot] = ABSENT;
    const last = this.#slotAt(--this.#size);
    if (last === slot) return;
    this.#place(last, index);
    this.#down(this.#up(index));
  }

  #slotAt(index: number): number {
    return this.#heap[index] as number;
  }

  #dueAt(index: number): number {
    return this.#due[this.#heap[index] as number] as number;
  }

  #place(slot: number, index: number): void {
    this.#heap[index] = slot;
    this.#position[slot] = index;
  }

  #up(from: number): number {
    const slot = this.#slotAt(from);
    const due = this.#due[slot] as number;
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#dueAt(parent) <= due) break;
      this.#place(this.#slotAt(parent), index);
      index = parent;
    }
    this.#place(slot, index);
    return index;
  }

  #down(from: number): void {
    const slot = this.#slotAt(from);
    const due = this.#due[slot] as number;
    let index = from;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#dueAt(child + 1) < this.#dueAt(child)) child++;
      if (this.#dueAt(child) >= due) break;
      this.#place(this.#slotAt(child), index);
      index = child;
    }
    this.#place(slot, index);
  }

  #reserve(slot: number): void {
    const length = this.#due.length;
    if (slot < length) return;
    const wider = Math.max(slot + 1, length + (length >> 1));
    const due = new Float64Array(wider);
    due.set(this.#due);
    this.#due = due;
    const heap = new Int32Array(wider);
    heap.set(this.#heap);
    this.#heap = heap;
    const position = new Int32Array(wider).fill(ABSENT, length);
    position.set(this.#position);
    this.#position = position;
  }
}
