/**
 * What became of every tick: results as they came, and when it is time, the judgement whether each tick
 * has one, has only one without the label `detached`, and why not.
 *
 * The rules, in terms of the world and not of the code:
 * - one worker, under one token, runs a tick once;
 * - a result without the label was run from start to end while the store had its worker as the owner;
 *   only where a lease was ended before its time may it be later, by a heartbeat and a call;
 * - a tick has a second result without the label only where the first worker did not get to say that it
 *   was done: no heartbeat sent after it had reached the store when the second one claimed;
 * - a tick has none only where whoever ran the next one came too late for it, its run before was still
 *   going on, it must not run without proof and there was none, or its next owner could not tell what was
 *   undone.
 */

import { GAP_MS } from '../../src/shared/coordination/ledger.ts';
import type { CheckId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import type { Folder, SimulatedCheck } from './folder.ts';
import type { Ownership, Report, Standing, Term } from './ownership.ts';

/** How long a worker goes on after its lease was ended early: a heartbeat with jitter, two calls. */
const EARLY_END_MS = 2200 + 2 * 1000 + 100;
/** Between a claim's commit and the moment in which the claimer looks at what is due. */
const CLAIM_LAG_MS = 5000;
/** What a watch has passed over is found out within this. */
export const BLIND_MS = 47_000;
/** How late a run is at most when nothing is wrong. */
const ON_TIME_MS = 1000;

export interface RunLog {
  readonly worker: WorkerId;
  readonly token: string;
  /** World time. */
  readonly start: number;
  readonly end: number;
  readonly detached: boolean;
  /** Under which it ran; tokens come again in a store that was restored. */
  readonly term: Term | undefined;
}

/** What the accounts know of a process. */
export interface Witness {
  readonly id: WorkerId;
  /** When it may have found ticks that had passed: it was paused, its clock was set, it was detached. */
  readonly cameBackAt: number[];
  /** While something was wrong with it, and some time after. */
  readonly sick: Span[];
  /** Beats that reached the store: when each was sent, and when it was written. */
  readonly beats: { readonly sentAt: number; readonly at: number }[];
}

export interface Span {
  readonly from: number;
  to: number;
}

interface CheckLog {
  check: SimulatedCheck;
  readonly ticks: Map<number, RunLog[]>;
  /** Ticks before it are judged, or came before its first run. */
  judged: number;
}

export interface AccountsOptions {
  readonly folder: Folder;
  readonly ownership: Ownership;
  /** World time 0 on the wall clock. */
  readonly epoch: number;
  readonly report: Report;
}

export class Accounts {
  readonly witnesses = new Map<WorkerId, Witness>();
  /** While some process's wall clock was wrong: its ticks are those of another time. */
  readonly distorted: Span[] = [];
  /** While anything was wrong. */
  readonly disturbed: Span[] = [];
  /** While some watch passed things over, and until that is found out. */
  readonly blind: Span[] = [];
  /** When the store went back to older data, and what workers had told it was lost. */
  readonly restoredAt: number[] = [];
  results = 0;
  duplicates = 0;
  missing = 0;
  readonly #options: AccountsOptions;
  readonly #logs = new Map<CheckId, CheckLog>();

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  forget(id: CheckId): void {
    this.#logs.delete(id);
  }

  /** A run has ended with a result. `start` and `end` are the world's. */
  add(result: Result, start: number, end: number): void {
    const { folder, report } = this.#options;
    const check = folder.checks.get(result.id);
    this.results += 1;
    if (check === undefined) return;
    const { tick, worker, token, detached } = result;
    const term = this.#standingOf(check)?.terms.findLast((held) => held.token === token);
    const run: RunLog = { worker: worker as WorkerId, token, start, end, detached, term };
    const log = this.#logOf(check, tick);
    const runs = log.ticks.get(tick);
    if (runs === undefined) log.ticks.set(tick, [run]);
    else {
      const isSame = (other: RunLog) => other.worker === worker && other.token === token;
      // A clock that was set back shows the same time twice, a store that went back gives a token twice.
      const isExcused =
        overlaps(this.distorted, start - 60_000, end) ||
        this.restoredAt.some((at) => at > start - 60_000 && at < end);
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
      for (const tick of log.ticks.keys())
        if (tick < log.judged - 2 * check.periodMs) log.ticks.delete(tick);
    }
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

  #standingOf(check: SimulatedCheck): Standing | null {
    const { ownership } = this.#options;
    const jobset = ownership.jobsetOf.get(check.definition.id);
    return jobset === undefined ? null : ownership.of(jobset);
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
    if (this.restoredAt.some((at) => at > first.start - 8000 && at < second.start)) return;
    // A clock that is set while a run lasts moves its start, and the two may seem to change places.
    const lastEnd = Math.max(first.end, second.end);
    if (overlaps(this.distorted, first.start - 1000, lastEnd)) return;
    const claimedAt = second.term?.from ?? Number.POSITIVE_INFINITY;
    // It could not read how far the other was, and no check must be blind for that.
    const sick = this.witnesses.get(second.worker)?.sick ?? [];
    if (overlaps(sick, claimedAt - 1000, second.start)) return;
    const told = this.witnesses
      .get(first.worker)
      ?.beats.find(({ sentAt, at }) => sentAt > first.end && at < claimedAt);
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

  #wasOthers(check: SimulatedCheck, first: RunLog, second: RunLog): boolean {
    const terms = this.#standingOf(check)?.terms ?? [];
    for (const { worker, from, to } of terms)
      if (worker !== first.worker && from <= second.start && to >= first.start) return true;
    return false;
  }

  #judgeMissing(log: CheckLog, tick: number, isCalm: boolean): void {
    const { check } = log;
    const { epoch, report } = this.#options;
    this.missing += 1;
    const name = this.#name(check, tick);
    if (isCalm) return report('I10', `${name} was not run in calm`);
    const at = tick - epoch;
    if (overlaps(this.distorted, at - 1000, at + check.periodMs + 15_000)) return;
    if (check.stops && overlaps(this.disturbed, at - 12_000, at + 8_000)) return;
    if (this.#wasGoingOn(log, at) || this.#wasRewritten(check, at)) return;
    const next = this.#nextRun(log, tick);
    if (next === null) return report('I10', `${name} was not run, nor any after it`);
    if (this.#wasUnpublished(check, at, next.run.start)) return;
    if (this.#wasLeftBlind(check, at, next.run)) return;
    if (!this.#cameLate(check, next.run, next.tick - epoch))
      report(
        'I10',
        `${name} was not run; ${this.#name(check, next.tick)} was, at ${next.run.start}`,
      );
  }

  #wasGoingOn({ ticks, check }: CheckLog, at: number): boolean {
    const { epoch } = this.#options;
    for (let i = 1; i <= 3; i += 1) {
      const runs = ticks.get(epoch + at - i * check.periodMs) ?? [];
      if (runs.some(({ start, end }) => start < at + 200 && end > at - 200)) return true;
    }
    return false;
  }

  #wasRewritten(check: SimulatedCheck, at: number): boolean {
    const written = this.#options.ownership.writtenAt.get(check.definition.id) ?? [];
    return written.some((then) => then > at - 8000 && then < at + 3000);
  }

  /** A restored store may lack it, which ends its run, and a folder that differs waits to be confirmed. */
  #wasUnpublished(check: SimulatedCheck, at: number, until: number): boolean {
    const written = this.#options.ownership.writtenAt.get(check.definition.id) ?? [];
    // A watch that passes things over does not tell at once.
    const from = overlaps(this.blind, at, at + 1) ? at - BLIND_MS : at;
    return (
      this.restoredAt.some((then) => then < until) &&
      written.some((then) => then > from && then < until)
    );
  }

  /**
   * It has another owner since, who could not tell what was undone: it could not read it, or what it
   * read was of another time in a store that was restored. Then it looks back for a few seconds alone.
   */
  #wasLeftBlind(check: SimulatedCheck, at: number, { worker, start }: RunLog): boolean {
    const terms = this.#standingOf(check)?.terms ?? [];
    const claimed = terms.findLast((term) => term.worker === worker && term.from <= start);
    if (claimed === undefined || claimed.from < at) return false;
    const sick = this.witnesses.get(worker)?.sick ?? [];
    const couldNotRead = overlaps(sick, claimed.from - 1000, claimed.from + 5000);
    if (couldNotRead && at < claimed.from - GAP_MS) return true;
    return this.restoredAt.some((then) => then > at - 60_000 && then < claimed.from);
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
    const back = this.witnesses.get(run.worker)?.cameBackAt ?? [];
    const terms = this.#standingOf(check)?.terms ?? [];
    if (back.some(inTime)) return true;
    for (const { worker, from } of terms) if (worker === run.worker && inTime(from)) return true;
    return false;
  }
}

const firstTick = ({ periodMs, offsetMs }: SimulatedCheck, from: number): number =>
  Math.ceil((from - offsetMs) / periodMs) * periodMs + offsetMs;

const overlaps = (spans: readonly Span[], from: number, to: number): boolean =>
  spans.some((span) => span.from < to && span.to > from);
