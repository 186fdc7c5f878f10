/**
 * When each check runs: claimer → **scheduler** → runner. One timer, set for the earliest due run.
 * A tick is computed from the schedule, never from the last completion, so nothing drifts.
 *
 * A tick that falls due while its check still waits or runs is skipped(overlap). Of several ticks
 * that have passed at once (a blocked loop, a suspended machine) only the latest is run; the
 * others are skipped(catchup), or by what kept the check from running.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Handover, StoredState, WorkerProgress } from '../shared/domain/jobset.ts';
import type { SkipReason } from '../shared/domain/result.ts';
import { storedState } from '../shared/rules/state.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import { Beginnings } from './beginnings.ts';
import { type CheckTable, IDLE } from './check-table.ts';
import { ClockStep } from './clock-step.ts';
import { Departed, inBrief } from './departed.ts';
import { DueQueue } from './due-queue.ts';
import type { Plans } from './plan.ts';
import type { Runner } from './runner.ts';
import { Seating, type SeatingOptions } from './seating.ts';
import { Stoppages } from './stoppages.ts';
import type { Tally } from './tally.ts';
import { Ticks } from './ticks.ts';
import type { Authority, Claim, HeldJobset, Workload } from './workload.ts';

/** The wall clock is looked at this often at least, for it may be stepped. */
const LONGEST_SLEEP_MS = 1_000;

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly plans: Plans;
  readonly runner: Runner;
  readonly tally: Tally;
  readonly authority: Pick<Authority, 'doubt'>;
  /** Run each check once when it is first held, besides its ticks. */
  readonly runAtStart: boolean;
  /** Whether a job that is due has to wait until it is put back. */
  readonly withholds: (jobset: JobsetId, job: CheckId) => boolean;
  /** A stored definition that this version cannot compile; it is left out, the others run. */
  readonly onUnusable: SeatingOptions['onUnusable'];
}

export class Scheduler implements Workload {
  readonly #options: SchedulerOptions;
  readonly #ticks: Ticks;
  readonly #beginnings: Beginnings;
  readonly #clockStep: ClockStep;
  readonly #queue = new DueQueue();
  /** Which slots came with which jobset, for `drop` and for what a reload took away. */
  readonly #held = new Map<JobsetId, readonly number[]>();
  /** Those that are dropped and have not come back; not for long. */
  readonly #leaving = new Map<JobsetId, Promise<Handover>>();
  readonly #departed: Departed;
  readonly #stopped: Stoppages;
  readonly #seating: Seating;
  /** Why ticks pass a slot by without a run, where it is not for a blocked loop; until its next run. */
  readonly #missed = new Map<number, SkipReason>();
  #timer: Timer | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#ticks = new Ticks(options.table);
    this.#beginnings = new Beginnings(this.#ticks, options.runAtStart);
    this.#clockStep = new ClockStep(options.clock);
    this.#departed = new Departed(options.clock);
    this.#stopped = new Stoppages({ ...options, ticks: this.#ticks, queue: this.#queue });
    this.#seating = new Seating({
      ...options,
      ticks: this.#ticks,
      beginnings: this.#beginnings,
      queue: this.#queue,
      stopped: this.#stopped,
      missed: this.#missed,
    });
  }

  /** Infinity when nothing of it is due. */
  nextTick(slot: number): number {
    return this.#queue.dueOf(slot);
  }

  /** How long the first due check has been waiting for this scheduler: one that is stuck shows here. */
  get overdueMs(): number {
    const { clock, authority } = this.#options;
    // An empty queue is due never; in doubt nothing may start.
    return authority.doubt === null ? Math.max(0, clock.now() - this.#queue.earliest) : 0;
  }

  /** Without those that are stopped. */
  get running(): number {
    return this.#options.table.size - this.#stopped.size;
  }

  jobsOf(id: JobsetId): CheckId[] {
    const { table } = this.#options;
    const running = this.slotsOf(id).filter((slot) => !this.#stopped.has(slot));
    return running.map((slot) => table.id[slot] as CheckId);
  }

  hold({ claim, definitions, handover }: HeldJobset): void {
    const now = this.#options.clock.now();
    if (this.#options.table.size === 0) this.#clockStep.look();
    const before = this.#held.get(claim.jobset) ?? [];
    const beginning = this.#beginnings.of(handover, now, definitions.length);
    this.#departed.forget(claim.jobset);
    this.#leaving.delete(claim.jobset);
    this.#held.set(
      claim.jobset,
      definitions.flatMap((definition) => this.#seating.seat(definition, claim, beginning) ?? []),
    );
    const { table } = this.#options;
    for (const slot of before) {
      const held = table.claim[slot];
      // A slot under another jobset has moved there in the same transaction.
      if (held?.jobset === claim.jobset && held !== claim) this.#seating.remove(slot);
    }
    this.#arm();
  }

  drop(id: JobsetId, graceMs: number): Promise<Handover> {
    const leaving = this.#leaving.get(id);
    if (leaving) return leaving;
    // It may come back and be dropped again before this is over: then this one has no say any more.
    const isOver = (): boolean => this.#leaving.get(id) !== dropped;
    const dropped = this.#drop(id, graceMs, isOver);
    this.#leaving.set(id, dropped);
    return dropped;
  }

  async #drop(id: JobsetId, graceMs: number, isOver: () => boolean): Promise<Handover> {
    const { table, runner, clock } = this.#options;
    const slots = this.slotsOf(id);
    this.#held.delete(id);
    const { through, open, running } = this.#stopped.stop(slots);
    const timer = clock.after(graceMs, () => {
      if (isOver()) return;
      // A check that has come back meanwhile, in this jobset or another one, has its run back.
      const late = running.filter((slot) => this.#stopped.has(slot));
      for (const slot of late) open.push(...runner.openTick(slot));
      runner.abort(late);
    });
    await runner.quiet(running);
    timer.cancel();
    const progress = { through, open };
    const handover = { progress, states: this.#statesOf(slots) };
    if (isOver()) return handover;
    this.#leaving.delete(id);
    this.#departed.add(id, progress);
    for (const slot of slots) if (table.claim[slot]?.jobset === id) this.#seating.remove(slot);
    return handover;
  }

  async setAside(id: JobsetId, jobs: ReadonlySet<CheckId>): Promise<Handover> {
    const { table, runner } = this.#options;
    const slots = this.slotsOf(id).filter((slot) => jobs.has(table.id[slot] as CheckId));
    const { through, open, running } = this.#stopped.stop(slots);
    await runner.quiet(running);
    return { progress: { through, open }, states: this.#statesOf(slots) };
  }

  putBack(id: JobsetId, jobs: ReadonlySet<CheckId>): void {
    const { table } = this.#options;
    for (const slot of this.slotsOf(id))
      if (jobs.has(table.id[slot] as CheckId)) this.#stopped.goOn(slot);
    this.#arm();
  }

  progress(): WorkerProgress {
    const { clock, runner } = this.#options;
    const now = clock.now();
    // By name: what has only just come here must not call undone whatever else fell due since.
    const due = this.#queue
      .dueBy(now)
      .flatMap((slot) => this.#ticks.undone(slot, this.nextTick(slot), now));
    // The tick of a run comes before what fell due, or was left when its slot was stopped.
    const open = [...this.#stopped.undone(), ...due, ...runner.open()];
    return { ...inBrief({ through: now, open }), left: this.#departed.lately() };
  }

  states(id: JobsetId): Readonly<Record<CheckId, StoredState>> {
    return this.#statesOf(this.slotsOf(id));
  }

  /** Slots of a jobset that is held. */
  slotsOf(id: JobsetId): readonly number[] {
    const { table } = this.#options;
    return (this.#held.get(id) ?? []).filter((slot) => table.claim[slot]?.jobset === id);
  }

  #statesOf(slots: readonly number[]): Record<CheckId, StoredState> {
    const { table } = this.#options;
    const states: Record<CheckId, StoredState> = {};
    for (const slot of slots) {
      const failAfter = table.plan[slot]?.spec.failAfter ?? 1;
      const state = storedState(table.state(slot), failAfter);
      if (state) states[table.id[slot] as CheckId] = state;
    }
    return states;
  }

  #arm(): void {
    const due = this.#queue.earliest;
    const now = this.#options.clock.now();
    const wakeAt = Math.min(due, now + LONGEST_SLEEP_MS);
    if (this.#timer && this.#wakeAt <= wakeAt) return;
    this.#timer?.cancel();
    this.#timer = null;
    // What is stopped is held, too: it goes on by the clock as it is then.
    if (this.#options.table.size === 0) return;
    this.#wakeAt = wakeAt;
    this.#timer = this.#options.clock.after(Math.max(1, wakeAt - now), () => this.#wake());
  }

  #wake(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const now = this.#options.clock.now();
    this.#followClock(now);
    const { doubt } = this.#options.authority;
    if (doubt !== null) {
      // The clock may be set meanwhile: it is looked at again, too.
      void doubt.then(() => this.#wake());
      return;
    }
    while (this.#queue.earliest <= now) this.#fire(this.#queue.first, now);
    this.#arm();
  }

  /** A clock that was set back would leave every check silent for as long: start over from now. */
  #followClock(now: number): void {
    if (!this.#clockStep.wasSetBack()) return;
    for (const slot of this.#options.table.slots()) {
      const due = Math.min(this.#stopped.dueOf(slot), this.nextTick(slot));
      // What is due already was due before the clock was set, too.
      if (due <= now) continue;
      const tick = this.#ticks.after(slot, now);
      if (this.#stopped.has(slot)) this.#stopped.set(slot, tick);
      else this.#queue.set(slot, tick);
    }
  }

  #fire(slot: number, now: number): void {
    const { table, tally, runner } = this.#options;
    const due = this.#queue.earliest;
    if (this.#isWithheld(slot)) {
      this.#stopped.set(slot, due);
      this.#missed.set(slot, 'suspected');
      return;
    }
    if (table.opening[slot] === 1) {
      table.opening[slot] = 0;
      this.#queue.set(slot, this.#ticks.after(slot, due));
      if (table.phase[slot] === IDLE) runner.submit(slot, due, false);
      return;
    }
    const { tick, passed, next } = this.#ticks.passed(slot, due, now);
    this.#queue.set(slot, next);
    tally.scheduled += passed;
    if (table.phase[slot] !== IDLE && !runner.giveWay(slot)) {
      this.#skip(slot, 'overlap', passed);
      runner.overtaken(slot);
      return;
    }
    if (passed > 1) this.#skip(slot, this.#missed.get(slot) ?? 'catchup', passed - 1);
    this.#missed.delete(slot);
    runner.submit(slot, tick, true);
  }

  #isWithheld(slot: number): boolean {
    const { table, withholds } = this.#options;
    return withholds((table.claim[slot] as Claim).jobset, table.id[slot] as CheckId);
  }

  #skip(slot: number, reason: SkipReason, count: number): void {
    const { table, tally } = this.#options;
    tally.skip(reason, count);
    table.skipped[slot] = (table.skipped[slot] as number) + count;
  }
}
