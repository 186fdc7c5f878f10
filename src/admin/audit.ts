/**
 * Keeps the ledger whole while this admin leads: picture → judgement → **repairs**. Nothing in the
 * protocol leaves anything to repair but what workers leave behind that died; the rest is for what other
 * hands, restored backups and defects do.
 */

import { isUnavailable } from '../shared/coordination/backoff.ts';
import type { Term } from '../shared/coordination/election.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Keys } from '../shared/coordination/keys.ts';
import type { KeyValueStore } from '../shared/coordination/kv.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import { warnOfClocks } from './clock-check.ts';
import { type Avoiding, judge } from './sweep.ts';
import { takePicture, type Whole } from './sweep-picture.ts';
import type { Finding, Repair, RepairReason } from './sweep-repair.ts';

export interface AuditOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Log;
  /** Hears of each repair once it is made. */
  readonly onRepaired?: (reason: RepairReason) => void;
}

export interface AuditReport {
  /** How many of each kind were made. */
  readonly repaired: Readonly<Partial<Record<RepairReason, number>>>;
  /** Repairs that found the ledger changed, or the store full: the next sweep looks again. */
  readonly failed: number;
  readonly findings: readonly Finding[];
}

/** By then the workers of a pool that has just started have claimed. */
const FIRST_MS = 30_000;
const PERIOD_MS = 300_000;
/** One repair may uncover the next; more than a few rounds mean that somebody works against it. */
const ROUNDS = 5;
const SWEEPS_A_CLOCK_CHECK = 12;
/** Keys named in one line of the log. */
const NAMED = 5;

export class Audit {
  readonly #options: AuditOptions;
  #avoiding: Avoiding = new Map();
  #whole: Whole = new Map();
  /** As last told. */
  #findings = '';

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** Sweeps until the signal aborts; `onSwept` after each sweep. Never rejects. */
  async run(term: Term, signal: AbortSignal, onSwept: () => void): Promise<void> {
    const { clock, log } = this.#options;
    // Between two terms the store may have gone back, and given its revisions out again.
    this.#whole = new Map();
    await pause(clock, FIRST_MS, signal);
    for (let sweeps = 0; !signal.aborted; sweeps += 1) {
      try {
        await this.sweep(term, signal);
        onSwept();
        if (sweeps % SWEEPS_A_CLOCK_CHECK === 0) await warnOfClocks(this.#options, signal);
      } catch (err) {
        if (!signal.aborted) log.warn('the ledger was not audited', { err });
      }
      await pause(clock, PERIOD_MS, signal);
    }
  }

  /** Until there is nothing left to repair. */
  async sweep(term: Term, signal?: AbortSignal): Promise<AuditReport> {
    const repaired: Partial<Record<RepairReason, number>> = {};
    let report: AuditReport = { repaired, failed: 0, findings: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      const { made, failed, findings } = await this.#round(term, signal);
      for (const { reason } of made) repaired[reason] = (repaired[reason] ?? 0) + 1;
      report = { repaired, failed, findings };
      if (made.length === 0 || signal?.aborted) break;
    }
    this.#tell(report);
    return report;
  }

  async #round(
    term: Term,
    signal?: AbortSignal,
  ): Promise<{ made: readonly Repair[]; failed: number; findings: readonly Finding[] }> {
    const { keys, clock, log, onRepaired } = this.#options;
    const picture = await takePicture(this.#options, this.#whole);
    this.#whole = picture.whole;
    const scene = { picture, keys, now: clock.now() };
    const judgement = judge(scene, this.#avoiding, clock.monotonicMs());
    this.#avoiding = judgement.avoiding;
    const slice = new TimeSlice(clock);
    const made: Repair[] = [];
    for (const repair of judgement.repairs) {
      if (signal?.aborted) break;
      if (slice.isSpent) await slice.rest();
      if (!(await this.#make(repair, term))) continue;
      made.push(repair);
      onRepaired?.(repair.reason);
    }
    for (const [reason, keysOf] of named(made))
      log.info('the ledger was repaired', { reason, ...keysOf });
    return { made, failed: judgement.repairs.length - made.length, findings: judgement.findings };
  }

  /** One that the store does not take, as a full one takes no puts, is no reason to leave the others. */
  async #make({ reason, key, when, writes }: Repair, term: Term): Promise<boolean> {
    const { store, log } = this.#options;
    try {
      return (await store.commit([term.condition, ...when], writes)).succeeded;
    } catch (err) {
      if (isUnavailable(err)) throw err;
      log.warn('not repaired', { reason, key, err });
      return false;
    }
  }

  /** Once for as long as they stay the same. */
  #tell({ findings }: AuditReport): void {
    const { log } = this.#options;
    const told = JSON.stringify(findings.map(({ reason, key }) => [reason, key]));
    if (told === this.#findings) return;
    this.#findings = told;
    for (const [reason, keysOf] of named(findings))
      log.warn('found in the ledger and left alone', { reason, ...keysOf });
  }
}

const named = (
  outcomes: readonly (Repair | Finding)[],
): Map<string, { readonly count: number; readonly keys: readonly string[] }> => {
  const byReason = Map.groupBy(outcomes, ({ reason }) => reason);
  return new Map(
    [...byReason].map(([reason, all]) => {
      const keys = all.slice(0, NAMED).map(({ key }) => key);
      return [reason, { count: all.length, keys }];
    }),
  );
};
