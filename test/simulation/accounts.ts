/**
 * What became of every tick: results as they came, and when it is time, the judgement whether each tick
 * has one, has only one without the label `detached`, and why not.
 *
 * The rules, in terms of the world and not of the code:
 * - one worker, under one token, runs a tick once;
 * - a result without the label was run from start to end while the store had its worker as the owner;
 *   only where a lease was ended before its time may it be later, by a heartbeat and a call;
 * - a tick has a second result without the label only where the first worker did not get to say that it
 *   was done: no heartbeat sent after it had reached the store when the next owner claimed;
 * - a tick has none only where whoever ran the next one came too late for it, its run before was still
 *   going on, it must not run without proof and there was none, or its next owner could not tell what was
 *   undone.
 */

import type { CheckId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { Absences } from './absences.ts';
import { type Circumstances, overlaps } from './circumstances.ts';
import type { Folder, SimulatedCheck } from './folder.ts';
import { CALL_MS } from './link.ts';
import type { Ownership, Report } from './ownership.ts';
import { type CheckLog, firstTick, type RunLog } from './run-log.ts';

/** How long a worker goes on after its lease was ended early: a heartbeat with jitter, two calls. */
const EARLY_END_MS = 2200 + 2 * 1000 + 100;
/** How late a run is at most when nothing is wrong. */
const ON_TIME_MS = 1000;

export interface AccountsOptions {
  readonly folder: Folder;
  readonly ownership: Ownership;
  readonly circumstances: Circumstances;
  /** World time 0 on the wall clock. */
  readonly epoch: number;
  readonly report: Report;
}

export class Accounts {
  results = 0;
  duplicates = 0;
  missing = 0;
  readonly #options: AccountsOptions;
  readonly #logs = new Map<CheckId, CheckLog>();
  readonly #absences: Absences;

  constructor(options: AccountsOptions) {
    const { ownership, circumstances, epoch } = options;
    this.#options = options;
    this.#absences = new Absences(ownership, circumstances, epoch, (id) => this.#runsOf(id));
  }

  forget(id: CheckId): void {
    this.#logs.delete(id);
  }

  /** A run has ended with a result. `start` and `end` are the world's. */
  add(result: Result, start: number, end: number): void {
    const { folder, ownership, report } = this.#options;
    const check = folder.checks.get(result.id);
    this.results += 1;
    if (check === undefined) return;
    const { tick, worker, token, detached } = result;
    const by = { worker: worker as WorkerId, token };
    const term = ownership.termOf(result.id, by);
    const run: RunLog = { ...by, start, end, detached, term };
    const log = this.#logOf(check, tick);
    const runs = log.ticks.get(tick);
    if (runs === undefined) log.ticks.set(tick, [run]);
    else {
      const isSame = (other: RunLog) => other.worker === worker && other.token === token;
      // A clock that was set back shows the same time twice, a store that went back gives a token twice.
      const isExcused =
        overlaps(this.#options.circumstances.distorted, start - 60_000, end) ||
        this.#options.circumstances.restoredAt.some((at) => at > start - 60_000 && at < end);
      if (runs.some(isSame) && !isExcused)
        report('I3', `${worker} ran tick ${this.#name(check, tick)} twice under token ${token}`);
      runs.push(run);
    }
    if (!detached || check.stops) this.#requireTerm(check, tick, run);
  }

  /** Judges ticks due before `until`; those due since `calmFrom` must have been run plainly and on time. */
  judge(until: number, calmFrom: number): void {
    const { epoch, folder, report } = this.#options;
    for (const check of folder.checks.values()) {
      const log = this.#logs.get(check.definition.id);
      if (log === undefined) {
        const due = firstTick(check, epoch + calmFrom);
        if (due < epoch + until)
          report('I10', `${this.#name(check, due)} was not run in calm, nor any before it`);
        continue;
      }
      log.check = check;
      for (let tick = log.judged; tick < epoch + until; tick += check.periodMs) {
        const isCalm = tick >= epoch + calmFrom;
        this.#judgeTick(log, tick, isCalm);
      }
      log.judged = Math.max(log.judged, firstTick(check, epoch + until));
    }
    // Not before all are judged: the runs of one check excuse another one.
    for (const { check, ticks, judged } of this.#logs.values())
      for (const tick of ticks.keys()) if (tick < judged - 2 * check.periodMs) ticks.delete(tick);
  }

  *#runsOf(worker: WorkerId): Iterable<RunLog> {
    for (const { ticks } of this.#logs.values())
      for (const runs of ticks.values())
        for (const run of runs) if (run.worker === worker) yield run;
  }

  #logOf(check: SimulatedCheck, tick: number): CheckLog {
    const { id } = check.definition;
    let log = this.#logs.get(id);
    if (log === undefined) {
      log = { check, ticks: new Map(), judged: tick };
      this.#logs.set(id, log);
    }
    return log;
  }

  #name(check: SimulatedCheck, tick: number): string {
    return `${check.definition.id}@${tick - this.#options.epoch}`;
  }

  /** No proof outlasts the term that it is about. */
  #requireTerm(check: SimulatedCheck, tick: number, run: RunLog): void {
    const { ownership, report } = this.#options;
    const { term } = run;
    const rule = check.stops ? 'fence' : 'I1';
    const label = run.detached ? 'detached ' : '';
    const what = `${label}run of ${this.#name(check, tick)} by ${run.worker} under ${run.token}`;
    if (term === undefined) {
      if (!ownership.jobsetOf.has(check.definition.id)) return;
      report(rule, `${what} has no term`);
      return;
    }
    const late = run.end - term.to;
    if (late > (term.isCutShort ? EARLY_END_MS : 0))
      report(rule, `${what} ended ${late.toFixed(1)} ms after the term`);
  }

  #judgeTick(log: CheckLog, tick: number, isCalm: boolean): void {
    const { report } = this.#options;
    const runs = log.ticks.get(tick) ?? [];
    const name = this.#name(log.check, tick);
    if (runs.length === 0) return this.#judgeMissing(log, tick, isCalm);
    const plain = runs.filter(({ detached }) => !detached).sort((a, b) => a.start - b.start);
    if (isCalm) {
      const [run] = runs;
      const lateMs = (run?.start ?? 0) - (tick - this.#options.epoch);
      if (runs.length > 1) report('I3', `${name} was run ${runs.length} times in calm`);
      if (plain.length === 0) report('I12', `${name} is detached in calm`);
      if (lateMs > ON_TIME_MS) report('I10', `${name} was ${lateMs.toFixed(0)} ms late in calm`);
      return;
    }
    for (let i = 1; i < plain.length; i += 1)
      this.#judgeDuplicate(log.check, tick, plain[i - 1] as RunLog, plain[i] as RunLog);
  }

  #judgeDuplicate(check: SimulatedCheck, tick: number, first: RunLog, second: RunLog): void {
    this.duplicates += 1;
    if (
      this.#options.circumstances.restoredAt.some(
        (at) => at > first.start - 8000 && at < second.start,
      )
    )
      return;
    // A clock that is set while a run lasts moves its start, and the two may seem to change places.
    const lastEnd = Math.max(first.end, second.end);
    if (overlaps(this.#options.circumstances.distorted, first.start - 1000, lastEnd)) return;
    const claimedAt = second.term?.from ?? Number.POSITIVE_INFINITY;
    // It could not read how far the other was, and no check must be blind for that.
    const sick = this.#options.circumstances.witnesses.get(second.worker)?.sick ?? [];
    if (overlaps(sick, claimedAt - 1000, second.start)) return;
    // Nobody could know by the ledger, also not the worker itself when it claims it again.
    if (!this.#wasNamed(first)) return;
    const { beats } = this.#options.circumstances.witnesses.get(first.worker) ?? {};
    const takenOverAt = this.#takenOverAt(check, first) ?? claimedAt;
    const told = beats?.find(({ sentAt, at }) => sentAt > first.end && at < takenOverAt);
    const who = `${first.worker} until ${first.end.toFixed(0)}, ${second.worker} from ${second.start.toFixed(0)}`;
    const name = this.#name(check, tick);
    if (told !== undefined)
      this.#options.report(
        'I3',
        `${name} was run again (${who}) though a beat of ${told.at} said it`,
      );
    else if (first.worker === second.worker && !this.#wasOthers(check, first, second))
      this.#options.report('I3', `${name} was run again by the same worker (${who})`);
  }

  /** From its first beat on the ledger says whose beats tell of a jobset; it may be taken away before. */
  #wasNamed({ worker, term }: RunLog): boolean {
    if (term === undefined || !term.isCutShort) return true;
    const beats = this.#options.circumstances.witnesses.get(worker)?.beats ?? [];
    return beats.some(({ sentAt, at }) => sentAt > term.from + CALL_MS && at <= term.to);
  }

  /** Whoever came next has read what was not done then, and may have passed it on without having run it. */
  #takenOverAt(check: SimulatedCheck, { term }: RunLog): number | undefined {
    const terms = this.#options.ownership.termsOf(check.definition.id);
    const later = terms.filter(({ from }) => term !== undefined && from >= term.to);
    return later.map(({ from }) => from).sort((a, b) => a - b)[0];
  }

  #wasOthers(check: SimulatedCheck, first: RunLog, second: RunLog): boolean {
    const terms = this.#options.ownership.termsOf(check.definition.id);
    for (const { worker, from, to } of terms)
      if (worker !== first.worker && from <= second.start && to >= first.start) return true;
    return false;
  }

  #judgeMissing(log: CheckLog, tick: number, isCalm: boolean): void {
    this.missing += 1;
    const name = this.#name(log.check, tick);
    if (isCalm) return this.#options.report('I10', `${name} was not run in calm`);
    const next = this.#absences.unexcused(log, tick - this.#options.epoch);
    if (next === null) return;
    const then = next.run && `${this.#name(log.check, next.tick)} was, at ${next.run.start}`;
    this.#options.report('I10', `${name} was not run${then ? `; ${then}` : ', nor any after it'}`);
  }
}
