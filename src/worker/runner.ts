/**
 * One run after the other: scheduler → **runner** (probe → reporter) → results. The runner owns what
 * is in flight, and each tick until it is accounted for; what a run means is the reporter's.
 */

import type { CheckId } from '../shared/domain/check.ts';
import type { Progress } from '../shared/domain/jobset.ts';
import type { Observation, SkipReason } from '../shared/domain/result.ts';
import { hostOf } from '../shared/rules/verdict.ts';
import { IDLE, RUNNING, WAITING } from './check-table.ts';
import type { LoadMeter } from './load-meter.ts';
import { type PlaceLimits, Places } from './places.ts';
import type { Plan } from './plan.ts';
import type { Abort } from './probes/probe.ts';
import { type FinishedRun, Reporter, type ReporterOptions } from './reporter.ts';
import type { Authority, Claim } from './workload.ts';

export interface RunnerOptions extends ReporterOptions {
  readonly authority: Authority;
  /** No check runs without proof, whatever its spec says. */
  readonly stopOnLoss: boolean;
  readonly places: PlaceLimits;
  /** Hears of each run that ended with a result, and of each check that is gone. */
  readonly load: Pick<LoadMeter, 'ended' | 'overtaken' | 'forget'>;
}

/** A tick that waits or runs. */
export type OpenTick = Progress['open'][number];

interface Run extends FinishedRun {
  /** Of its check when the run begins: while it waited the claim may have been renewed. */
  claim: Claim;
  start: number;
  /** Whether its claim was proven when it started. */
  attached: boolean;
  abort: Abort | null;
  /** Set when its check was taken away meanwhile: the run ends, and says nothing. */
  discarded: boolean;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #reporter: Reporter;
  readonly #places: Places<Run>;
  /**
   * An array, not a Map: a Map that has been rehashed in the old generation keeps the runs of its
   * dead tables alive through every scavenge, and they fill the heap.
   */
  readonly #bySlot: (Run | null)[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#reporter = new Reporter(options);
    this.#places = new Places(options.places);
  }

  get inFlight(): number {
    return this.#places.inFlight;
  }

  /** Whether the runs say that the network here is at fault. */
  get suspectsNetwork(): boolean {
    return this.#reporter.suspectsNetwork;
  }

  get waiting(): number {
    return this.#places.waiting;
  }

  /** Hosts that hold runs up by the cap of runs to one, and how many. */
  behindHosts(): Iterable<readonly [host: string, runs: number]> {
    return this.#places.behindHosts();
  }

  /** Runs the check now, or as soon as there is a place. The slot must be idle. */
  submit(slot: number, tick: number, scheduled: boolean): void {
    const { table, tally } = this.#options;
    const host = hostOf(table.plan[slot]?.spec.request.url ?? (table.key[slot] as string));
    const claim = table.claim[slot] as Claim;
    const run: Run = {
      slot,
      host,
      tick,
      scheduled,
      claim,
      start: 0,
      attached: true,
      abort: null,
      discarded: false,
    };
    while (this.#bySlot.length <= slot) this.#bySlot.push(null);
    this.#bySlot[slot] = run;
    table.phase[slot] = WAITING;
    if (scheduled) tally.pending++;
    if (this.#places.enter(run) && !this.#begin(run)) this.#startNext(run);
  }

  /** The tick of a slot that waits or runs: one or none. */
  openTick(slot: number): OpenTick[] {
    const run = this.#bySlot[slot];
    if (!run?.scheduled || run.discarded) return [];
    return [[this.#options.table.id[slot] as CheckId, run.tick]];
  }

  open(): OpenTick[] {
    if (this.inFlight + this.waiting === 0) return [];
    return this.#bySlot.flatMap((run) => (run === null ? [] : this.openTick(run.slot)));
  }

  /** Nothing can be proven any more: what must not run twice ends now, within the margin of the fence. */
  fence(): void {
    for (const run of this.#bySlot) {
      if (run?.abort && this.#isFenced(run)) this.#endFenced(run, run.abort);
    }
  }

  /** Takes a waiting run out; a running one goes on. True when the slot is idle afterwards. */
  withdraw(slot: number): boolean {
    const run = this.#bySlot[slot];
    if (!run) return true;
    if (run.abort) return false;
    this.#places.withdraw(run);
    this.#forget(run);
    return true;
  }

  /** The slot's next tick has fallen due while it waits or runs, and is lost to it. */
  overtaken(slot: number): void {
    const { clock, load } = this.#options;
    const run = this.#bySlot[slot];
    if (run) load.overtaken(slot, (run.abort ? run.start : clock.now()) - run.tick);
  }

  /** The check is gone: what its run sees is not a result any more. */
  discard(slot: number): void {
    this.#options.load.forget(slot);
    if (this.withdraw(slot)) {
      this.#options.table.free(slot);
      return;
    }
    const run = this.#bySlot[slot];
    if (run) run.discarded = true;
  }

  /** Ends runs without a result, and without waiting for the target. */
  abort(slots: Iterable<number>): void {
    for (const slot of slots) {
      const run = this.#bySlot[slot];
      if (!run?.abort) continue;
      run.abort();
      this.#forget(run);
      this.#startNext(run);
    }
  }

  /** Ends a run at start in favour of a tick, which it must not cost. False when there is none. */
  giveWay(slot: number): boolean {
    const run = this.#bySlot[slot];
    if (!run || run.scheduled) return false;
    if (!this.withdraw(slot)) this.abort([slot]);
    return true;
  }

  /** Resolves when no run of these slots is in flight. */
  quiet(slots: readonly number[]): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (slots.some((slot) => this.#bySlot[slot])) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** False when it must not run any more. */
  #begin(run: Run): boolean {
    const { clock, table, authority } = this.#options;
    const plan = table.plan[run.slot] as Plan;
    run.start = clock.now();
    run.claim = table.claim[run.slot] as Claim;
    run.attached = authority.owns(run.claim);
    if (!run.attached && this.#isFenced(run)) {
      this.#forget(run, 'fenced');
      return false;
    }
    table.phase[run.slot] = RUNNING;
    const done = (observation: Observation) => this.#finish(run, observation);
    const onSend = this.#isFenced(run) ? () => this.#beforeSending(run) : undefined;
    const key = table.key[run.slot] as string;
    run.abort = plan.probe.start(key, plan.prepared, done, onSend);
    return true;
  }

  /** A process that wakes up hears of its connections before its timers, and so before the fence. */
  #beforeSending(run: Run): void {
    if (run.abort && !this.#isProven(run)) this.#endFenced(run, run.abort);
  }

  #endFenced(run: Run, abort: Abort): void {
    abort();
    this.#forget(run, 'fenced');
    this.#startNext(run);
  }

  #finish(run: Run, observation: Observation): void {
    if (run.discarded) {
      this.#forget(run);
      this.#options.table.free(run.slot);
    } else if (this.#isFenced(run) && !this.#isProven(run)) {
      this.#forget(run, 'fenced');
    } else {
      // What sinks have kept by then is what the account of ticks may call run: never the other way.
      this.#reporter.report(run, observation, this.#isProven(run));
      this.#settle(run);
    }
    this.#startNext(run);
  }

  /** The run has ended with a result. */
  #settle(run: Run): void {
    const { table, tally } = this.#options;
    this.#bySlot[run.slot] = null;
    table.phase[run.slot] = IDLE;
    if (run.scheduled) {
      tally.pending--;
      tally.run++;
    } else tally.unscheduled++;
  }

  /** The run ends without a result; its tick is accounted for all the same. */
  #forget(run: Run, reason: SkipReason = 'released'): void {
    const { table, tally } = this.#options;
    this.#bySlot[run.slot] = null;
    table.phase[run.slot] = IDLE;
    if (!run.scheduled) return;
    tally.pending--;
    tally.skip(reason, 1);
    table.skipped[run.slot] = (table.skipped[run.slot] as number) + 1;
  }

  /** At its start and now. */
  #isProven({ attached, claim }: Run): boolean {
    return attached && this.#options.authority.owns(claim);
  }

  #isFenced(run: Run): boolean {
    const { table, stopOnLoss } = this.#options;
    return stopOnLoss || table.plan[run.slot]?.spec.onCoordinationLoss === 'stop';
  }

  /** In doubt the place stays taken, and so nothing starts. */
  #startNext(ended: Run): void {
    const { doubt } = this.#options.authority;
    if (doubt !== null) {
      void doubt.then(() => this.#startNext(ended));
      return;
    }
    let next = this.#places.leave(ended);
    while (next && !this.#begin(next)) next = this.#places.leave(next);
    if (this.#watchers.size > 0) for (const look of this.#watchers) look();
  }
}
