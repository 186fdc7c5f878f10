/**
 * When each check runs: claimer → **scheduler** → runner. One timer, set for the earliest due run.
 * A tick is computed from the schedule, never from the last completion, so nothing drifts.
 *
 * A tick that falls due while its check still waits or runs is skipped(overlap). Of several ticks
 * that have passed at once (a blocked loop, a suspended machine) only the latest is run; the
 * others are skipped(catchup).
 */

import type { CheckDefinition, CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Handover, Progress, StoredState, WorkerProgress } from '../shared/domain/jobset.ts';
import type { SkipReason } from '../shared/domain/result.ts';
import { cronOf, offsetOf } from '../shared/rules/schedule.ts';
import { storedState } from '../shared/rules/state.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import { type Beginning, Beginnings } from './beginnings.ts';
import { type CheckTable, IDLE, type Seat } from './check-table.ts';
import { ClockStep } from './clock-step.ts';
import { DueQueue } from './due-queue.ts';
import type { Plans } from './plan.ts';
import type { OpenTick, Runner } from './runner.ts';
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
  /** A stored definition that this version cannot compile; it is left out, the others run. */
  readonly onUnusable: (definition: CheckDefinition, error: unknown) => void;
}

/** Ticks in flight that a checkpoint names one by one; with more it goes back to the oldest of them. */
const OPEN_TICKS = 1_000;
/** Whoever took a jobset over has said so itself long before, unless it died at once. */
const LEFT_MS = 60_000;

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
  /** How far jobsets were when they were dropped. */
  readonly #left = new Map<JobsetId, { readonly progress: Progress; readonly at: number }>();
  /** Slots that are stopped while their jobset is handed on: the first tick that is left to be run. */
  readonly #stopped = new Map<number, number>();
  #timer: Timer | null = null;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#ticks = new Ticks(options.table);
    this.#beginnings = new Beginnings(this.#ticks, options.runAtStart);
    this.#clockStep = new ClockStep(options.clock);
  }

  /** Infinity when nothing of it is due. */
  nextTick(slot: number): number {
    return this.#queue.dueOf(slot);
  }

  hold({ claim, definitions, handover }: HeldJobset): void {
    const now = this.#options.clock.now();
    if (this.#options.table.size === 0) this.#clockStep.look();
    const before = this.#held.get(claim.jobset) ?? [];
    const beginning = this.#beginnings.of(handover, now, definitions.length);
    this.#left.delete(claim.jobset);
    this.#leaving.delete(claim.jobset);
    this.#held.set(
      claim.jobset,
      definitions.flatMap((definition) => this.#seat(definition, claim, beginning) ?? []),
    );
    const { table } = this.#options;
    for (const slot of before) {
      const held = table.claim[slot];
      // A slot under another jobset has moved there in the same transaction.
      if (held?.jobset === claim.jobset && held !== claim) this.#remove(slot);
    }
    // At once: what is due and not begun would count as not done, with all that came after it.
    this.#wake();
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
    const slots = this.#slotsOf(id);
    this.#held.delete(id);
    const { through, open, running } = this.#stop(slots);
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
    this.#left.set(id, { progress, at: clock.monotonicMs() });
    for (const slot of slots) if (table.claim[slot]?.jobset === id) this.#remove(slot);
    return handover;
  }

  async setAside(id: JobsetId, jobs: ReadonlySet<CheckId>): Promise<Handover> {
    const { table, runner } = this.#options;
    const slots = this.#slotsOf(id).filter((slot) => jobs.has(table.id[slot] as CheckId));
    const { through, open, running } = this.#stop(slots);
    await runner.quiet(running);
    return { progress: { through, open }, states: this.#statesOf(slots) };
  }

  putBack(id: JobsetId): void {
    for (const slot of this.#slotsOf(id)) this.#goOn(slot);
    this.#arm();
  }

  progress(): WorkerProgress {
    const left = this.#leftLately();
    const leftAt = [...this.#stopped.values()].reduce(
      (a, b) => Math.min(a, b),
      this.#queue.earliest,
    );
    const through = Math.min(this.#options.clock.now(), leftAt - 1);
    const open = this.#options.runner.open();
    const progress = { through, open };
    return { ...(open.length <= OPEN_TICKS ? progress : withoutNames(progress)), left };
  }

  #leftLately(): Record<JobsetId, Progress> {
    const since = this.#options.clock.monotonicMs() - LEFT_MS;
    const left: Record<JobsetId, Progress> = {};
    let named = 0;
    for (const [id, { progress, at }] of this.#left) {
      if (at < since) {
        this.#left.delete(id);
        continue;
      }
      named += progress.open.length;
      left[id] = named <= OPEN_TICKS ? progress : withoutNames(progress);
    }
    return left;
  }

  states(id: JobsetId): Readonly<Record<CheckId, StoredState>> {
    return this.#statesOf(this.#slotsOf(id));
  }

  #slotsOf(id: JobsetId): number[] {
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

  /** Nothing of them starts any more; those `running` end by themselves. */
  #stop(slots: readonly number[]): {
    readonly through: number;
    readonly open: OpenTick[];
    readonly running: readonly number[];
  } {
    const { runner, clock } = this.#options;
    const open: OpenTick[] = [];
    let through = clock.now();
    const running = slots.filter((slot) => {
      const due = Math.min(
        this.nextTick(slot),
        this.#stopped.get(slot) ?? Number.POSITIVE_INFINITY,
      );
      const ticks = runner.openTick(slot);
      this.#queue.remove(slot);
      through = Math.min(through, due - 1);
      const isRunning = !runner.withdraw(slot);
      if (!isRunning) open.push(...ticks);
      if (!this.#stopped.has(slot))
        this.#stopped.set(slot, isRunning ? due : (ticks[0]?.[1] ?? due));
      return isRunning;
    });
    return { through, open, running };
  }

  /** False when it was not stopped. */
  #goOn(slot: number): boolean {
    const due = this.#stopped.get(slot);
    if (due === undefined) return false;
    this.#stopped.delete(slot);
    this.#queue.set(slot, due);
    return true;
  }

  #seat(definition: CheckDefinition, claim: Claim, beginning: Beginning): number | undefined {
    const { table, plans } = this.#options;
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
    const goesOn = this.#goOn(slot);
    if (!unchanged || (!goesOn && this.nextTick(slot) === Number.POSITIVE_INFINITY))
      this.#queue.set(slot, this.#ticks.after(slot, beginning.now));
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

  #begin(slot: number, id: CheckId, beginning: Beginning): void {
    const { table } = this.#options;
    const state = beginning.states[id];
    if (state) table.setState(slot, state);
    const { due, isOpening } = this.#beginnings.firstRun(slot, id, beginning);
    table.opening[slot] = isOpening ? 1 : 0;
    this.#queue.set(slot, due);
  }

  #remove(slot: number): void {
    const { table, plans, runner } = this.#options;
    this.#queue.remove(slot);
    this.#stopped.delete(slot);
    const plan = table.plan[slot];
    if (plan) plans.release(plan);
    table.remove(slot);
    runner.discard(slot);
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
      const stopped = this.#stopped.get(slot);
      const due = stopped ?? this.nextTick(slot);
      // What is due already was due before the clock was set, too.
      if (due <= now) continue;
      const tick = this.#ticks.after(slot, now);
      if (stopped === undefined) this.#queue.set(slot, tick);
      else this.#stopped.set(slot, tick);
    }
  }

  #fire(slot: number, now: number): void {
    const { table, tally, runner } = this.#options;
    const due = this.#queue.earliest;
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
      return;
    }
    if (passed > 1) this.#skip(slot, 'catchup', passed - 1);
    runner.submit(slot, tick, true);
  }

  #skip(slot: number, reason: SkipReason, count: number): void {
    const { table, tally } = this.#options;
    tally.skip(reason, count);
    table.skipped[slot] = (table.skipped[slot] as number) + count;
  }
}

/** The same in less: all from the oldest open tick on counts as not done. */
const withoutNames = ({ through, open }: Progress): Progress => {
  const oldest = open.reduce((earliest, [, tick]) => Math.min(earliest, tick), through + 1);
  return { through: oldest - 1, open: [] };
};
