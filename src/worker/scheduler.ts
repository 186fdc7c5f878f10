/**
 * When each check runs: claimer → **scheduler** → runner. One timer, set for the earliest due run.
 * A tick is computed from the schedule, never from the last completion, so nothing drifts.
 *
 * A tick that falls due while its check still waits or runs is skipped(overlap). Of several ticks
 * that have passed at once (a blocked loop, a suspended machine) only the latest is run; the
 * others are skipped(catchup).
 */

import type { CheckDefinition, CheckId, JobsetId } from '../shared/domain/check.ts';
import type { SkipReason } from '../shared/domain/result.ts';
import { fraction } from '../shared/rules/hash.ts';
import { type Cron, cronOf, offsetOf } from '../shared/rules/schedule.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import { type CheckTable, IDLE, type Seat } from './check-table.ts';
import { DueQueue } from './due-queue.ts';
import type { Plans } from './plan.ts';
import type { Runner } from './runner.ts';
import type { Tally } from './tally.ts';
import type { Claim, HeldJobset, Workload } from './workload.ts';

/** The wall clock is looked at this often at least, for it may be stepped. */
const LONGEST_SLEEP_MS = 1_000;
/** A wall clock that differs from the monotonic one by more than this between two looks was set back. */
const CLOCK_STEP_MS = 500;
/**
 * At start every check runs once, 200 a second: a folder of 2,000 within 10 s. Of a larger one, most
 * checks have their first tick before their turn comes, and need no run at start.
 */
const OPENING_STEP_MS = 5;

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly plans: Plans;
  readonly runner: Runner;
  readonly tally: Tally;
  /** Run each check once when it is first held, besides its ticks. */
  readonly runAtStart: boolean;
  /** How long `drop` waits for runs in flight before it ends them. */
  readonly graceMs: number;
  /** A stored definition that this version cannot compile; it is left out, the others run. */
  readonly onUnusable: (definition: CheckDefinition, error: unknown) => void;
}

/** When the new checks of a jobset have their runs at start. */
interface Opening {
  readonly now: number;
  readonly from: number;
  readonly spreadMs: number;
}

export class Scheduler implements Workload {
  readonly #options: SchedulerOptions;
  readonly #queue = new DueQueue();
  /** Which slots came with which jobset, for `drop` and for what a reload took away. */
  readonly #held = new Map<JobsetId, readonly number[]>();
  /** Until when runs at start are given out. */
  #openingUntil = 0;
  #timer: Timer | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;
  #lastWall: number;
  #lastMonotonic: number;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#lastWall = options.clock.now();
    this.#lastMonotonic = options.clock.monotonicMs();
  }

  /** Infinity when nothing of it is due. */
  nextTick(slot: number): number {
    return this.#queue.dueOf(slot);
  }

  hold({ claim, definitions }: HeldJobset): void {
    const now = this.#options.clock.now();
    const before = this.#held.get(claim.jobset) ?? [];
    const opening = this.#reserveOpening(now, definitions.length);
    this.#held.set(
      claim.jobset,
      definitions.flatMap((definition) => this.#seat(definition, claim, opening) ?? []),
    );
    const { table } = this.#options;
    for (const slot of before) {
      const held = table.claim[slot];
      // A slot under another jobset has moved there in the same transaction.
      if (held?.jobset === claim.jobset && held !== claim) this.#remove(slot);
    }
    this.#arm();
  }

  async drop(id: JobsetId): Promise<void> {
    const { table, runner, clock, graceMs } = this.#options;
    const slots = (this.#held.get(id) ?? []).filter((slot) => table.claim[slot]?.jobset === id);
    this.#held.delete(id);
    for (const slot of slots) this.#queue.remove(slot);
    const running = slots.filter((slot) => !runner.withdraw(slot));
    const timer = clock.after(graceMs, () => runner.abort(running));
    await runner.quiet(running);
    timer.cancel();
    if (this.#held.has(id)) return;
    for (const slot of slots) if (table.claim[slot]?.jobset === id) this.#remove(slot);
  }

  #seat(definition: CheckDefinition, claim: Claim, opening: Opening): number | undefined {
    const { table, plans } = this.#options;
    const { id, key } = definition;
    const seat = this.#compile(definition, claim);
    if (!seat) return undefined;
    const { plan } = seat;
    const slot = table.slotOf(id);
    if (slot === undefined) {
      const added = table.add(seat);
      this.#open(added, id, opening);
      return added;
    }
    const known = table.plan[slot];
    if (known) plans.release(known);
    const unchanged = known === plan && table.key[slot] === key;
    table.assign(slot, seat);
    // Not queued: its jobset is being dropped and has come back before the drop was done.
    if (!unchanged || this.nextTick(slot) === Number.POSITIVE_INFINITY) {
      this.#queue.set(slot, this.#tickAfter(slot, opening.now));
    }
    return slot;
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

  /** The next stretch of time for runs at start; only new checks take part of it. */
  #reserveOpening(now: number, checks: number): Opening {
    const from = Math.max(now, this.#openingUntil);
    const spreadMs = checks * OPENING_STEP_MS;
    this.#openingUntil = from + spreadMs;
    return { now, from, spreadMs };
  }

  /** Queues a new check: its first tick, or before that its run at start. */
  #open(slot: number, id: CheckId, { now, from, spreadMs }: Opening): void {
    const tick = this.#tickAfter(slot, now);
    const opening = from + Math.floor(fraction(`${id}:opening`) * spreadMs);
    const first = this.#options.runAtStart && opening < tick;
    this.#options.table.opening[slot] = first ? 1 : 0;
    this.#queue.set(slot, first ? opening : tick);
  }

  #remove(slot: number): void {
    const { table, plans, runner } = this.#options;
    this.#queue.remove(slot);
    const plan = table.plan[slot];
    if (plan) plans.release(plan);
    table.remove(slot);
    runner.discard(slot);
  }

  #tickAfter(slot: number, time: number): number {
    const { table } = this.#options;
    const offset = table.offsetMs[slot] as number;
    return (table.cron[slot] as Cron).after(time - offset) + offset;
  }

  #arm(): void {
    const due = this.#queue.earliest;
    const now = this.#options.clock.now();
    const wakeAt = Math.min(due, now + LONGEST_SLEEP_MS);
    if (this.#timer && this.#wakeAt <= wakeAt) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (due === Number.POSITIVE_INFINITY) return;
    this.#wakeAt = wakeAt;
    this.#timer = this.#options.clock.after(Math.max(1, wakeAt - now), () => this.#wake());
  }

  #wake(): void {
    this.#timer = null;
    const now = this.#options.clock.now();
    this.#followClock(now);
    while (this.#queue.earliest <= now) this.#fire(this.#queue.first, now);
    this.#arm();
  }

  /** A clock that was set back would leave every check silent for as long: start over from now. */
  #followClock(now: number): void {
    const monotonic = this.#options.clock.monotonicMs();
    const expected = this.#lastWall + monotonic - this.#lastMonotonic;
    this.#lastWall = now;
    this.#lastMonotonic = monotonic;
    if (now > expected - CLOCK_STEP_MS) return;
    for (const slot of this.#options.table.slots())
      this.#queue.set(slot, this.#tickAfter(slot, now));
  }

  #fire(slot: number, now: number): void {
    const { table, tally, runner } = this.#options;
    const due = this.#queue.earliest;
    if (table.opening[slot] === 1) {
      table.opening[slot] = 0;
      this.#queue.set(slot, this.#tickAfter(slot, due));
      if (table.phase[slot] === IDLE) runner.submit(slot, due, false);
      return;
    }
    const { tick, passed, next } = this.#passed(slot, due, now);
    this.#queue.set(slot, next);
    tally.scheduled += passed;
    if (table.phase[slot] !== IDLE && !runner.giveWay(slot)) {
      this.#skip(slot, 'overlap', passed);
      return;
    }
    if (passed > 1) this.#skip(slot, 'catchup', passed - 1);
    runner.submit(slot, tick, true);
  }

  /** The latest tick in [due, now], how many there are, and the first one after now. */
  #passed(slot: number, due: number, now: number): { tick: number; passed: number; next: number } {
    const { table } = this.#options;
    const cron = table.cron[slot] as Cron;
    const offset = table.offsetMs[slot] as number;
    const next = cron.after(due - offset) + offset;
    if (next > now) return { tick: due, passed: 1, next };
    const { count, last } = cron.span(due - offset, now - offset);
    return { tick: last + offset, passed: count + 1, next: cron.after(last) + offset };
  }

  #skip(slot: number, reason: SkipReason, count: number): void {
    const { table, tally } = this.#options;
    tally.skip(reason, count);
    table.skipped[slot] = (table.skipped[slot] as number) + count;
  }
}
