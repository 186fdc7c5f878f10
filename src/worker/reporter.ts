/**
 * What a run means: runner → **reporter** (judge → state → result) → sinks. It writes down what the
 * run says of its check, and tells whom that concerns; the meaning itself is decided by pure rules.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import { isCheckerFault, isNetworkLevel } from '../shared/domain/reasons.ts';
import type { Observation, Result, Verdict } from '../shared/domain/result.ts';
import { isLate } from '../shared/rules/lateness.ts';
import { NetworkWitness } from '../shared/rules/network-suspicion.ts';
import { suggestsUnreachable } from '../shared/rules/offering.ts';
import { fold, isStoredOtherwise } from '../shared/rules/state.ts';
import { defect, failureVerdict, suspended } from '../shared/rules/verdict.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import type { CheckTable } from './check-table.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Plan } from './plan.ts';
import type { Tally } from './tally.ts';
import type { Claim } from './workload.ts';

export interface ReporterOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly tally: Tally;
  readonly load: Pick<LoadMeter, 'ended'>;
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

export interface FinishedRun {
  readonly slot: number;
  readonly host: string;
  readonly tick: number;
  /** False for a run at start: it is no tick, and the account of ticks does not know it. */
  readonly scheduled: boolean;
  readonly claim: Claim;
  readonly start: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A machine that has no route says so; any other failure counts once the check is critical by it. */
const mayBeTheRoad = ({ status, code }: Verdict): boolean =>
  suggestsUnreachable(code) && (status === 'critical' || code === 'checker_no_route');

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #witness = new NetworkWitness();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Whether the runs say that the network here is at fault. */
  get suspectsNetwork(): boolean {
    return this.#witness.suspects(this.#options.clock.monotonicMs());
  }

  /** `isProven`: that its check is owned here, from its start till now. */
  report(run: FinishedRun, observation: Observation, isProven: boolean): void {
    const { clock, table, load, onResult, onStateChange, onUnreachable } = this.#options;
    const { slot } = run;
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
    this.#note(run, observation, verdict);
    load.ended(run, observation, at);
    const result = this.#resultOf(run, observation, { verdict, isProven });
    onResult(result, transition, plan.spec.posts);
    if (mayBeTheRoad(verdict))
      onUnreachable(run.claim.jobset, result.check, { plan, hasTurned: transition !== null });
  }

  /** In the columns of its check and in the account of this worker. */
  #note({ slot, tick, start }: FinishedRun, { durationMs }: Observation, verdict: Verdict): void {
    const { table, tally } = this.#options;
    const latenessMs = start - tick;
    table.reason[slot] = verdict.reason;
    table.lastTick[slot] = tick;
    table.durationMs[slot] = durationMs;
    table.latenessMs[slot] = latenessMs;
    table.lateness.add(slot, latenessMs);
    table.runs[slot] = (table.runs[slot] as number) + 1;
    tally.results[verdict.status]++;
    if (isLate(latenessMs, table.cron[slot]?.intervalMs ?? Number.POSITIVE_INFINITY)) tally.late++;
  }

  #resultOf(
    { slot, tick, start, scheduled, claim }: FinishedRun,
    { durationMs, phases, certificateExpiresAt: expires }: Observation,
    { verdict, isProven }: { readonly verdict: Verdict; readonly isProven: boolean },
  ): Result {
    const { table, worker } = this.#options;
    const result: Mutable<Result> = {
      id: table.id[slot] as CheckId,
      check: table.key[slot] as string,
      tick,
      start,
      latenessMs: start - tick,
      durationMs,
      phases,
      status: verdict.status,
      code: verdict.code,
      reason: verdict.reason,
      values: verdict.values,
      worker,
      token: claim.token,
      detached: !isProven,
    };
    if (!scheduled) result.unscheduled = true;
    if (expires !== undefined) result.certificateExpiresAt = expires;
    return result;
  }

  #verdict(run: FinishedRun, plan: Plan, observation: Observation): Verdict {
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
  #testify({ host }: FinishedRun, observation: Observation): boolean {
    const at = this.#options.clock.monotonicMs();
    const code = observation.kind === 'failure' ? observation.code : null;
    // What went wrong before the network was asked is no evidence about it, for or against.
    if (code !== null && isCheckerFault(code)) return false;
    const failed = code !== null && isNetworkLevel(code);
    const change = this.#witness.record(host, at, failed);
    if (change) this.#options.onSuspicion(change);
    return failed && this.#witness.suspects(at);
  }
}
