/**
 * One run after the other: scheduler → **runner** (probe → judge → state) → results. The runner
 * owns what is in flight; what a run means is decided by the pure rules it calls.
 */

import type { CheckId } from '../shared/domain/check.ts';
import { isCheckerFault, isNetworkLevel } from '../shared/domain/reasons.ts';
import type { Observation, Result, Verdict } from '../shared/domain/result.ts';
import { isLate } from '../shared/rules/lateness.ts';
import { NetworkWitness } from '../shared/rules/network-suspicion.ts';
import { fold } from '../shared/rules/state.ts';
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
  readonly places: PlaceLimits;
  /** This worker's id, on every result. */
  readonly worker: string;
  /** Called once for each result, in the order in which runs end; must not throw. */
  readonly onResult: Sink['write'];
  /** Most targets began to fail at once, so the network here is at fault, or that is over. */
  readonly onSuspicion: (change: 'entered' | 'left') => void;
}

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
    if (this.#places.enter(run)) this.#begin(run);
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

  #begin(run: Run): void {
    const { clock, table, authority } = this.#options;
    const plan = table.plan[run.slot];
    if (!plan) return;
    run.start = clock.now();
    run.attached = authority.attached;
    table.phase[run.slot] = RUNNING;
    run.abort = plan.probe.start(table.key[run.slot] as string, plan.prepared, (observation) =>
      this.#finish(run, observation),
    );
  }

  #finish(run: Run, observation: Observation): void {
    if (run.discarded) {
      this.#forget(run);
      this.#options.table.free(run.slot);
    } else {
      // What sinks have kept by then is what the account of ticks may call run: never the other way.
      this.#report(run, observation);
      this.#settle(run);
    }
    this.#startNext(run);
  }

  #report(run: Run, observation: Observation): void {
    const { clock, table, tally, authority, worker, onResult } = this.#options;
    const { slot, tick, start } = run;
    const plan = table.plan[slot];
    if (!plan) return;
    const at = clock.now();
    const { state, verdict, transition } = fold(
      table.state(slot),
      this.#verdict(run, plan, observation),
      {
        failAfter: plan.spec.failAfter,
        at,
      },
    );
    table.setState(slot, state);
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
      detached: !(run.attached && authority.attached),
    };
    if (!run.scheduled) result.unscheduled = true;
    const expires = observation.certificateExpiresAt;
    if (expires !== undefined) result.certificateExpiresAt = expires;
    onResult(result, transition, plan.spec.posts);
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
  #forget(run: Run): void {
    const { table, tally } = this.#options;
    this.#bySlot[run.slot] = null;
    table.phase[run.slot] = IDLE;
    if (!run.scheduled) return;
    tally.pending--;
    tally.skip('released', 1);
    table.skipped[run.slot] = (table.skipped[run.slot] as number) + 1;
  }

  #startNext(ended: Run): void {
    const next = this.#places.leave(ended);
    if (next) this.#begin(next);
    if (this.#watchers.size > 0) for (const look of this.#watchers) look();
  }
}
