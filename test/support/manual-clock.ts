/**
 * Virtual time: a Clock that moves only when told to, so that a day of a fleet's life is a test of a
 * second or two, and the same each time.
 *
 * Settling: after each timer, everything that it set off by promises runs to its end before the next
 * timer. `process.nextTick`, called from a promise job, runs only when the whole queue of promise jobs
 * is empty; waiting for it costs 0.2 us, where a turn of the event loop (`setImmediate`) costs ten
 * times that. Code that waits for real input or output does not settle this way: such tests need real
 * time.
 */

import { type Clock, sleepOn, type Timer } from '../../src/shared/runtime/clock.ts';

class ManualTimer implements Timer {
  readonly dueAt: number;
  /** Timers due at the same instant go off in the order in which they were set. */
  readonly order: number;
  fn: (() => void) | null;
  readonly #onCancel: () => void;

  constructor(dueAt: number, order: number, fn: () => void, onCancel: () => void) {
    this.dueAt = dueAt;
    this.order = order;
    this.fn = fn;
    this.#onCancel = onCancel;
  }

  cancel(): void {
    if (this.fn === null) return;
    this.fn = null;
    this.#onCancel();
  }
}

const isBefore = (a: ManualTimer, b: ManualTimer): boolean =>
  a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order);

/** Resolves when every promise job that is queued now, and all that follow from them, have run. */
export const settled = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Cancelled timers that are not worth a sweep. */
const FEW = 10_000;

export class ManualClock implements Clock {
  /** Binary heap, the earliest first. Cancelled timers stay until they come up, or are most of it. */
  #heap: ManualTimer[] = [];
  #cancelled = 0;
  readonly #onCancel = (): void => {
    this.#cancelled += 1;
    if (this.#cancelled > FEW && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  };
  #elapsedMs = 0;
  #wallOffset: number;
  #order = 0;

  /** `startAt` is the wall clock's first instant, ms since the epoch. */
  constructor(startAt: number = Date.UTC(2026, 0, 1)) {
    this.#wallOffset = startAt;
  }

  now(): number {
    return this.#wallOffset + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(ms: number, fn: () => void): Timer {
    const dueAt = this.#elapsedMs + Math.max(0, ms);
    const timer = new ManualTimer(dueAt, this.#order, fn, this.#onCancel);
    this.#order += 1;
    this.#push(timer);
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Lets `ms` pass: timers go off in the order of their instants, each at its own. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms;
    await settled();
    for (let timer = this.#heap[0]; timer && timer.dueAt <= target; timer = this.#heap[0]) {
      this.#pop();
      if (timer.fn === null) {
        this.#cancelled -= 1;
        continue;
      }
      this.#elapsedMs = Math.max(this.#elapsedMs, timer.dueAt);
      const fn = timer.fn;
      timer.fn = null;
      fn();
      await settled();
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, target);
  }

  /** Lets time pass until the promise is done, at most `limitMs`. Resolves as the promise does. */
  async until<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let isDone = false;
    const mark = () => {
      isDone = true;
    };
    promise.then(mark, mark);
    const limit = this.#elapsedMs + limitMs;
    await settled();
    while (!isDone) {
      const next = this.#heap[0];
      if (next === undefined || next.dueAt > limit)
        throw new Error(`not done within ${limitMs} ms of virtual time`);
      await this.advance(Math.max(0, next.dueAt - this.#elapsedMs));
    }
    return promise;
  }

  /** Time passes and no timer goes off, as under SIGSTOP; they are overdue afterwards. */
  stall(ms: number): void {
    this.#elapsedMs += ms;
  }

  /** Somebody sets the wall clock; the monotonic one and the timers do not notice. */
  stepWall(ms: number): void {
    this.#wallOffset += ms;
  }

  #sweep(): void {
    const kept = this.#heap.filter(({ fn }) => fn !== null);
    // In the order in which they go off, they are a heap.
    this.#heap = kept.sort((a, b) => a.dueAt - b.dueAt || a.order - b.order);
    this.#cancelled = 0;
  }

  #push(timer: ManualTimer): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(timer);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const above = heap[parent] as ManualTimer;
      if (!isBefore(timer, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right && isBefore(right, heap[child] as ManualTimer)) child += 1;
      const below = heap[child] as ManualTimer;
      if (!isBefore(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
