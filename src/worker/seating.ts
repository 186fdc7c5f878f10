/**
 * Which checks have a slot: scheduler → **seating** → check table, due queue. A definition becomes a
 * plan and a first run; one that is known keeps its state, its next tick and the run in flight.
 */

import type { CheckDefinition, CheckId } from '../shared/domain/check.ts';
import type { SkipReason } from '../shared/domain/result.ts';
import { cronOf, offsetOf } from '../shared/rules/schedule.ts';
import type { Beginning, Beginnings } from './beginnings.ts';
import type { CheckTable, Seat } from './check-table.ts';
import type { DueQueue } from './due-queue.ts';
import type { Plans } from './plan.ts';
import type { Runner } from './runner.ts';
import type { Stoppages } from './stoppages.ts';
import type { Ticks } from './ticks.ts';
import type { Claim } from './workload.ts';

export interface SeatingOptions {
  readonly table: CheckTable;
  readonly plans: Plans;
  readonly runner: Pick<Runner, 'discard'>;
  readonly ticks: Ticks;
  readonly beginnings: Beginnings;
  readonly queue: DueQueue;
  readonly stopped: Pick<Stoppages, 'goOn' | 'forget'>;
  /** Why ticks pass a slot by without a run, where it is not for a blocked loop. */
  readonly missed: Map<number, SkipReason>;
  /** A stored definition that this version cannot compile; it is left out, the others run. */
  readonly onUnusable: (definition: CheckDefinition, error: unknown) => void;
}

export class Seating {
  readonly #options: SeatingOptions;

  constructor(options: SeatingOptions) {
    this.#options = options;
  }

  /** Undefined where it cannot be run. */
  seat(definition: CheckDefinition, claim: Claim, beginning: Beginning): number | undefined {
    const { table, plans, ticks, queue, stopped } = this.#options;
    const { id, key } = definition;
    const seat = this.#compile(definition, claim);
    if (!seat) return undefined;
    const { plan } = seat;
    const slot = table.slotOf(id);
    if (slot === undefined) {
      const added = table.add(seat);
      this.#begin(added, id, beginning);
      return added;
    }
    const known = table.plan[slot];
    if (known) plans.release(known);
    const unchanged = known === plan && table.key[slot] === key;
    table.assign(slot, seat);
    // Stopped: its jobset has come back before it was handed on, or is in part.
    const goesOn = stopped.goOn(slot);
    if (goesOn) this.#misses(slot, beginning);
    if (!unchanged || (!goesOn && queue.dueOf(slot) === Number.POSITIVE_INFINITY))
      queue.set(slot, ticks.after(slot, beginning.now));
    return slot;
  }

  remove(slot: number): void {
    const { table, plans, runner, queue, stopped, missed } = this.#options;
    queue.remove(slot);
    stopped.forget(slot);
    missed.delete(slot);
    const plan = table.plan[slot];
    if (plan) plans.release(plan);
    table.remove(slot);
    runner.discard(slot);
  }

  /** One bad definition must not cost the others of its jobset. */
  #compile(definition: CheckDefinition, claim: Claim): Seat | null {
    const { id, key, spec } = definition;
    try {
      const cron = cronOf(spec.schedule, id);
      const offsetMs = offsetOf(spec.schedule, id);
      return { id, key, plan: this.#options.plans.acquire(spec), cron, offsetMs, claim };
    } catch (error) {
      this.#options.onUnusable(definition, error);
      return null;
    }
  }

  #begin(slot: number, id: CheckId, beginning: Beginning): void {
    const { table, beginnings, queue } = this.#options;
    const state = beginning.states[id];
    if (state) table.setState(slot, state);
    const { due, isOpening } = beginnings.firstRun(slot, id, beginning);
    table.opening[slot] = isOpening ? 1 : 0;
    queue.set(slot, due);
    this.#misses(slot, beginning);
  }

  #misses(slot: number, { missed }: Beginning): void {
    if (missed !== 'catchup') this.#options.missed.set(slot, missed);
  }
}
