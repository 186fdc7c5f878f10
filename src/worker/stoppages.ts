/**
 * Slots that are stopped while their jobs are handed on or held back: scheduler → **stoppages** → due queue,
 * runner. What is left of each is one number, the first tick that is to be run by whoever has it next.
 */

import type { Clock } from '../shared/runtime/clock.ts';
import type { CheckTable } from './check-table.ts';
import type { DueQueue } from './due-queue.ts';
import type { OpenTick, Runner } from './runner.ts';
import type { Ticks } from './ticks.ts';

export interface StoppagesOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly ticks: Ticks;
  readonly queue: DueQueue;
  readonly runner: Pick<Runner, 'openTick' | 'withdraw'>;
}

/** Where slots have stopped, and which of them have a run in flight still. */
interface Stopped {
  readonly through: number;
  readonly open: OpenTick[];
  readonly running: readonly number[];
}

export class Stoppages {
  readonly #options: StoppagesOptions;
  readonly #due = new Map<number, number>();

  constructor(options: StoppagesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#due.size;
  }

  has(slot: number): boolean {
    return this.#due.has(slot);
  }

  /** Infinity when it is not stopped. */
  dueOf(slot: number): number {
    return this.#due.get(slot) ?? Number.POSITIVE_INFINITY;
  }

  /** It is stopped, and this is left to be run. */
  set(slot: number, due: number): void {
    this.#due.set(slot, due);
    this.#options.queue.remove(slot);
  }

  /** False when it was not stopped. */
  goOn(slot: number): boolean {
    const due = this.#due.get(slot);
    if (due === undefined) return false;
    this.#due.delete(slot);
    this.#options.queue.set(slot, due);
    return true;
  }

  forget(slot: number): void {
    this.#due.delete(slot);
  }

  /** Nothing of them starts any more; those `running` end by themselves. */
  stop(slots: readonly number[]): Stopped {
    const { clock, queue, runner } = this.#options;
    const now = clock.now();
    const open: OpenTick[] = [];
    let through = now;
    const running = slots.filter((slot) => {
      const wasStopped = this.has(slot);
      const due = queue.dueOf(slot);
      const ticks = runner.openTick(slot);
      const isRunning = !runner.withdraw(slot);
      if (wasStopped) open.push(...this.#options.ticks.undone(slot, this.dueOf(slot), now));
      else {
        through = Math.min(through, due - 1);
        this.set(slot, isRunning ? due : (ticks[0]?.[1] ?? due));
      }
      if (!isRunning) open.push(...ticks);
      return isRunning;
    });
    return { through, open, running };
  }

  /**
   * Ticks that have fallen due since. They are named, for they may be many and stopped for long: if they held
   * back how far everything is done, whoever comes next would repeat all of it.
   */
  undone(): OpenTick[] {
    const { clock, ticks } = this.#options;
    const now = clock.now();
    return [...this.#due].flatMap(([slot, due]) => ticks.undone(slot, due, now));
  }
}
