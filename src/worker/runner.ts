/**
 * One run after the other: scheduler → **runner** (probe → judge → state) → results. The runner
 * owns what is in flight; what a run means is decided by the pure rules it calls.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Progress } from '../shared/domain/jobset.ts';
import { isCheckerFault, isNetworkLevel } from '../shared/domain/reasons.ts';
import type { Observation, Result, SkipReason, Verdict } from '../shared/domain/result.ts';
import { isLate } from '../shared/rules/lateness.ts';
import { NetworkWitness } from '../shared/rules/network-suspicion.ts';
import { suggestsUnreachable } from '../shared/rules/offering.ts';
import { fold, isStoredOtherwise } from '../shared/rules/state.ts';
import { defect, failureVerdict, hostOf, suspended } from '../shared/rules/verdict.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { type CheckTable, IDLE, RUNNING, WAITING } from './check-table.ts';
import { type PlaceLimits, Places } from './places.ts';
import type { Plan } from './plan.ts';
import type { Abort } from './probes/probe.ts';
import type { Tally } from './tally.ts';
import type { Authority, Claim } from './workload.ts';

export interface RunnerOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly tally: Tally;
  readonly authority: Authority;
  /** No check runs without proof, whatever its spec says. */
  readonly stopOnLoss: boolean;
  readonly places: PlaceLimits;
  /** This worker's id, on every result. */
  readonly worker: string;
  /** Called once for each result, in the order in which runs end; must not throw. */
  readonly onResult: Sink['write'];
  /** Most targets began to fail at once, so the network here is at fault, or that is over. */
  readonly onSuspicion: (change: 'entered' | 'left') => void;
  /** Every failure that may be the road's; `hasTurned`: the result before was another. */
  readonly onUnreachable: (
    jobset: JobsetId,
    key: string,
    failure: { readonly plan: Plan; readonly hasTurned: boolean },
  ) => void;
  /** What a checkpoint says of this jobset is not true any more. */
  readonly onStateChange: (jobset: JobsetId) => void;
}

/** A machine that has no route says so; any other failure counts once the check is critical by it. */
const mayBeTheRoad = ({ status, code }: Verdict): boolean =>
  suggestsUnreachable(code) && (status === 'critical' || code === 'checker_no_route');

/** A tick that waits or runs. */
export type OpenTick = Progress['open'][number];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Run {
  readonly slot: number;
  readonly host: string;
  readonly tick: number;
  /** False for a run at start: it is no tick, and the account of ticks does not know it. */
  readonly scheduled: boolean;
  readonly claim: Claim;
  start: number;
  attached: boolean;
  abort: Abort | null;
  /** Set when its check was taken away meanwhile: the run ends, and says nothing. */
  discarded: boolean;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #places: Places<Run>;
  /**
   * An array, not a Map: a Map that has been rehashed in the old generation keeps the runs of its
   * dead tables alive through every scavenge, and they fill the heap.
   */
  readonly #bySlot: (Run | null)[] = [];
  readonly #witness = new NetworkWitness();
  readonly #watchers = new Set<() => void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#places = new Places(options.places);
  }

  get inFlight(): number {
    return this.#places.inFlight;
  }

  /** Whether the runs say that the network here is at fault. */
  get suspectsNetwork(): boolean {
    return this.#witness.suspects(this.#options.clock.monotonicMs());
  }

  get waiting(): number {
    return this.#places.waiting;
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

  /** The check is gone: what its run sees is not a result any more. */
  discard(slot: number): void {
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
      this.#report(run, observation);
      this.#settle(run);
    }
    this.#startNext(run);
  }

  #report(run: Run, observation: Observation): void {
    const { clock, table, tally, worker } = this.#options;
    const { onResult, onStateChange, onUnreachable } = this.#options;
    const { slot, tick, start } = run;
    const plan = table.plan[slot];
    if (!plan) return;
    const at = clock.now();
    const { failAfter } = plan.spec;
    const before = table.state(slot);
    const judged = this.#verdict(run, plan, observation);
    const { state, verdict, transition } = fold(before, judged, { failAfter, at });
    table.setState(slot, state);
    if (isStoredOtherwise(before, state, failAfter))
      onStateChange((table.claim[slot] as Claim).jobset);
    table.reason[slot] = verdict.reason;
    const latenessMs = start - tick;
    table.lastTick[slot] = tick;
    table.durationMs[slot] = observation.durationMs;
    table.latenessMs[slot] = latenessMs;
    table.lateness.add(slot, latenessMs);
    table.runs[slot] = (table.runs[slot] as number) + 1;
    tally.results[verdict.status]++;
    if (isLate(latenessMs, table.cron[slot]?.intervalMs ?? Number.POSITIVE_INFINITY)) tally.late++;
    const result: Mutable<Result> = {
      id: table.id[slot] as CheckId,
      check: table.key[slot] as string,
      tick,
      start,
      latenessMs,
      durationMs: observation.durationMs,
      phases: observation.phases,
      status: verdict.status,
      code: verdict.code,
      reason: verdict.reason,
      values: verdict.values,
      worker,
      token: run.claim.token,
      detached: !this.#isProven(run),
    };
    if (!run.scheduled) result.unscheduled = true;
    const expires = observation.certificateExpiresAt;
    if (expires !== undefined) result.certificateExpiresAt = expires;
    onResult(result, transition, plan.spec.posts);
    if (mayBeTheRoad(verdict))
      onUnreachable(run.claim.jobset, result.check, { plan, hasTurned: transition !== null });
  }

  #verdict(run: Run, plan: Plan, observation: Observation): Verdict {
    const suspects = this.#testify(run, observation);
    if (observation.kind === 'failure') {
      const verdict = failureVerdict(observation);
      return suspects ? suspended(verdict) : verdict;
    }
    try {
      return plan.judge(observation);
    } catch (error) {
      return defect(error);
    }
  }

  /** True when the run failed in a way that tells more of the network here than of its target. */
  #testify(run: Run, observation: Observation): boolean {
    const at = this.#options.clock.monotonicMs();
    const code = observation.kind === 'failure' ? observation.code : null;
    // What went wrong before the network was asked is no evidence about it, for or against.
    if (code !== null && isCheckerFault(code)) return false;
    const failed = code !== null && isNetworkLevel(code);
    const change = this.#witness.record(run.host, at, failed);
    if (change) this.#options.onSuspicion(change);
    return failed && this.#witness.suspects(at);
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
