/**
 * Why a tick may have no run at all: accounts → **absences**. Whoever ran the next one came too late for it,
 * the run before was still going on or waited for its place, or it must not run without proof, or not yet.
 */

import { GAP_MS } from '../../src/shared/coordination/stops.ts';
import type { WorkerId } from '../../src/shared/domain/check.ts';
import { BLIND_MS, type Circumstances, overlaps } from './circumstances.ts';
import type { SimulatedCheck } from './folder.ts';
import type { Ownership } from './ownership.ts';
import type { CheckLog, RunLog } from './run-log.ts';

/** Between a claim's commit and the moment in which the claimer looks at what is due. */
const CLAIM_LAG_MS = 5000;
/** Between two runs that wait for the same place. */
const NEXT_MS = 200;

/** All that are still remembered. */
type RunsOf = (worker: WorkerId) => Iterable<RunLog>;

/** The first tick after it that was run; null: none was. */
interface Next {
  readonly tick: number;
  readonly run: RunLog | null;
}

export class Absences {
  readonly #ownership: Ownership;
  readonly #circumstances: Circumstances;
  readonly #epoch: number;

  readonly #runsOf: RunsOf;

  /** `epoch`: world time 0 on the wall clock. */
  constructor(ownership: Ownership, circumstances: Circumstances, epoch: number, runsOf: RunsOf) {
    this.#ownership = ownership;
    this.#circumstances = circumstances;
    this.#epoch = epoch;
    this.#runsOf = runsOf;
  }

  /** What was run instead where nothing excuses that this tick, due `at`, was not; else null. */
  unexcused(log: CheckLog, at: number): Next | null {
    const { check } = log;
    const { distorted, disturbed } = this.#circumstances;
    if (overlaps(distorted, at - 1000, at + check.periodMs + 15_000)) return null;
    if (check.stops && overlaps(disturbed, at - 12_000, at + 8_000)) return null;
    if (this.#wasGoingOn(log, at) || this.#wasRewritten(check, at)) return null;
    const tick = at + this.#epoch;
    const next = this.#nextRun(log, tick);
    if (next === null) return { tick, run: null };
    if (this.#wasUnpublished(check, at, next.run.start)) return null;
    if (this.#wasLeftBlind(check, at, next.run)) return null;
    if (this.#wasWithheld(check, next.run.start)) return null;
    if (this.#gaveWay(at, next.run, next.tick - this.#epoch)) return null;
    return this.#cameLate(check, next.run, next.tick - this.#epoch) ? null : next;
  }

  #wasGoingOn({ ticks, check }: CheckLog, at: number): boolean {
    const epoch = this.#epoch;
    const waits = overlaps(this.#circumstances.crowded, at, at + check.periodMs);
    for (const [tick, runs] of ticks) {
      const due = tick - epoch;
      if (due >= at || (!waits && due < at - 3 * check.periodMs)) continue;
      // It may have waited for a place from its tick on.
      if (runs.some(({ start, end }) => (waits ? due : start) < at + 200 && end > at - 200))
        return true;
    }
    return false;
  }

  /** It waited for a place until a later tick was due, which took its turn and had to wait, too. */
  #gaveWay(at: number, run: RunLog, due: number): boolean {
    return overlaps(this.#circumstances.crowded, at, due) && this.#wasBusy(run.worker, due);
  }

  /** Some run was under way then, or one has just ended and the next one not begun. */
  #wasBusy(worker: WorkerId, at: number): boolean {
    for (const { start, end } of this.#runsOf(worker))
      if (start <= at && end >= at - NEXT_MS) return true;
    return false;
  }

  #wasRewritten(check: SimulatedCheck, at: number): boolean {
    const written = this.#ownership.writtenAt.get(check.definition.id) ?? [];
    return written.some((then) => then > at - 8000 && then < at + 3000);
  }

  /** A restored store may lack it, which ends its run, and a folder that differs waits to be confirmed. */
  #wasUnpublished(check: SimulatedCheck, at: number, until: number): boolean {
    const written = this.#ownership.writtenAt.get(check.definition.id) ?? [];
    // A watch that passes things over does not tell at once.
    const from = overlaps(this.#circumstances.blind, at, at + 1) ? at - BLIND_MS : at;
    return (
      this.#circumstances.restoredAt.some((then) => then < until) &&
      written.some((then) => then > from && then < until)
    );
  }

  /**
   * It has another owner since, who could not tell what was undone: it could not read it, or what it
   * read was of another time in a store that was restored. Then it looks back for a few seconds alone.
   */
  #wasLeftBlind({ definition }: SimulatedCheck, at: number, { worker, start }: RunLog): boolean {
    const terms = this.#ownership.termsOf(definition.id);
    const claimed = terms.findLast((term) => term.worker === worker && term.from <= start);
    if (claimed === undefined || claimed.from < at) return false;
    const { witnesses, restoredAt } = this.#circumstances;
    const sick = witnesses.get(worker)?.sick ?? [];
    const couldNotRead = overlaps(sick, claimed.from - 1000, claimed.from + 5000);
    if (couldNotRead && at < claimed.from - GAP_MS) return true;
    return restoredAt.some((then) => then > at - 60_000 && then < claimed.from);
  }

  /** Whatever has killed workers waits for its turn to be alone, and then its latest tick is run. */
  #wasWithheld({ definition }: SimulatedCheck, until: number): boolean {
    const spans = this.#ownership.suspectedIn.get(definition.id) ?? [];
    return overlaps(spans, until - 1, until);
  }

  #nextRun({ ticks, check }: CheckLog, tick: number): { tick: number; run: RunLog } | null {
    const last = Math.max(tick, ...ticks.keys());
    for (let next = tick + check.periodMs; next <= last; next += check.periodMs) {
      const [run] = (ticks.get(next) ?? []).sort((a, b) => a.start - b.start);
      if (run !== undefined) return { tick: next, run };
    }
    return null;
  }

  /** Whether the worker of a run came to its check only when that tick was due already. */
  #cameLate(check: SimulatedCheck, run: RunLog, due: number): boolean {
    const inTime = (at: number) => at >= due - CLAIM_LAG_MS && at <= run.start + 100;
    const back = this.#circumstances.witnesses.get(run.worker)?.cameBackAt ?? [];
    const terms = this.#ownership.termsOf(check.definition.id);
    if (back.some(inTime)) return true;
    for (const { worker, from } of terms) if (worker === run.worker && inTime(from)) return true;
    return false;
  }
}
