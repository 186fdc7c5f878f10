/** The instants at which a slot's check is due: its cron, moved by its offset inside the minute. */

import type { CheckId } from '../shared/domain/check.ts';
import type { Progress } from '../shared/domain/jobset.ts';
import type { Cron } from '../shared/rules/schedule.ts';
import type { CheckTable } from './check-table.ts';

export class Ticks {
  readonly #table: CheckTable;

  constructor(table: CheckTable) {
    this.#table = table;
  }

  after(slot: number, time: number): number {
    const offset = this.#offset(slot);
    return this.#cron(slot).after(time - offset) + offset;
  }

  /** The latest tick in [due, now], how many there are, and the first one after now. */
  passed(slot: number, due: number, now: number): { tick: number; passed: number; next: number } {
    const cron = this.#cron(slot);
    const offset = this.#offset(slot);
    const next = cron.after(due - offset) + offset;
    if (next > now) return { tick: due, passed: 1, next };
    const { count, last } = cron.span(due - offset, now - offset);
    return { tick: last + offset, passed: count + 1, next: cron.after(last) + offset };
  }

  /**
   * Of a slot that is due then and has not been started: its tick, by name, if it has passed. A run at start
   * is no tick; the one after it may have passed already.
   */
  undone(slot: number, due: number, now: number): Progress['open'] {
    const { id, opening } = this.#table;
    const tick = opening[slot] === 1 ? this.after(slot, due) : due;
    return tick > now ? [] : [[id[slot] as CheckId, tick]];
  }

  #cron(slot: number): Cron {
    return this.#table.cron[slot] as Cron;
  }

  #offset(slot: number): number {
    return this.#table.offsetMs[slot] as number;
  }
}
