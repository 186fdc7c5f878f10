/**
 * What this worker does about jobs that others may have died of: claim → **caution** → scheduler, runner.
 *
 * FREE → (two deaths) WITHHELD → ALONE → CLEARED | (this worker dies, too) → the next claim: GUILTY → QUARANTINED
 *
 * FREE      runs with all others: that one worker died while it was under way says little.
 * WITHHELD  waits for its turn to be alone among those that are suspected here.
 * ALONE     the ledger has confirmed that this worker is about to run it.
 * CLEARED   its run has ended, and the ledger forgets it.
 * GUILTY    is not run any more, and goes to a jobset of its own that nobody claims.
 *
 * While the ledger cannot be written, what is withheld stays so: nothing would say what this worker died
 * of, and it would not be the last one. Everything else runs, as it always does.
 */

import { backoffMs, isAway } from '../shared/coordination/backoff.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Claim, ClaimedJobset } from '../shared/coordination/ledger.ts';
import { markFirst, type Traces, writeSuspects } from '../shared/coordination/suspects.ts';
import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Handover, Progress, Suspicion } from '../shared/domain/jobset.ts';
import { ALONE_FROM } from '../shared/rules/suspicion.ts';
import type { Timer } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import { type Guarded, suspectsIn } from './guarded.ts';
import { Inquest, type InquestOptions } from './inquest.ts';
import { Quarantining } from './quarantining.ts';

export interface CautionOptions extends InquestOptions {
  readonly log: Log;
  /** As it is held now, provably; else null. */
  readonly claimOf: (id: JobsetId) => Claim | null;
  /** Resolves with where these jobs have stopped. */
  readonly setAside: (id: JobsetId, jobs: ReadonlySet<CheckId>) => Promise<Handover>;
  /** What was withheld is due now. */
  readonly putBack: (id: JobsetId, jobs: ReadonlySet<CheckId>) => void;
  /** Called for each job. */
  readonly onQuarantined: () => void;
}

/** Runs that end close together are cleared in one transaction. */
const GATHER_MS = 250;
/** A run that takes longer than any may, or that never began: the next one has its turn. */
const ALONE_MS = 120_000;
/** After what only an operator, or another version, can change. */
const AGAIN_MS = 60_000;

export class Caution implements Disposable {
  readonly #options: CautionOptions;
  readonly #inquest: Inquest;
  readonly #quarantining: Quarantining;
  readonly #stopping = new AbortController();
  readonly #guarded = new Map<JobsetId, Guarded>();
  /** Of all of these: the jobset in which a job is suspected. */
  readonly #suspected = new Map<CheckId, Guarded>();
  /** Withheld and due, in the order in which they fell due. */
  readonly #due = new Set<CheckId>();
  #alone: { readonly job: CheckId; readonly timer: Timer } | null = null;
  #isWorking = false;
  /** Nothing can be quarantined for a while. */
  #isStuck = false;

  constructor(options: CautionOptions) {
    this.#options = options;
    this.#inquest = new Inquest(options);
    this.#quarantining = new Quarantining(options);
  }

  /**
   * Of a jobset that has been claimed, before anything of it runs: writes down who is suspected. It costs
   * a transaction the first time that a jobset is claimed at all, and where an owner has died. When that
   * cannot be had now, it is made up for: only what is withheld waits for it.
   */
  async take(claimed: ClaimedJobset): Promise<void> {
    const { claim, handover, traces } = claimed;
    const { ledger, worker: by, clock, log } = this.#options;
    this.forget(claim.jobset);
    if (handover === null || traces === null) return;
    try {
      if (handover.progress === null) await markFirst(ledger, claim, { by, now: clock.now() });
      else await this.#suspect(claimed, traces, handover.progress);
    } catch (err) {
      if (!isAway(err)) log.error('suspects are not kept', { err });
      this.#wake();
    }
  }

  /** Asked when a job falls due; then it is called back, by `putBack`, when it may run. */
  withholds(id: JobsetId, job: CheckId): boolean {
    const guarded = this.#suspected.get(job);
    if (guarded?.id !== id || this.#alone?.job === job) return false;
    const suspicion = guarded.jobs.get(job);
    if (suspicion !== undefined && suspicion.deaths < ALONE_FROM) return false;
    if (suspicion !== undefined) this.#due.add(job);
    this.#wake();
    return true;
  }

  /** Whether moving it to another jobset would leave the suspicion behind. */
  suspects(job: CheckId): boolean {
    return this.#suspected.has(job);
  }

  /** A run of it has ended: nobody has died of it. */
  ended(job: CheckId): void {
    const guarded = this.#suspected.get(job);
    if (!guarded?.jobs.delete(job)) return;
    this.#suspected.delete(job);
    guarded.isStale = true;
    const wasAlone = this.#alone?.job === job;
    if (wasAlone) this.#over();
    // It was under way already when it came under suspicion.
    if (this.#due.delete(job)) this.#options.putBack(guarded.id, new Set([job]));
    this.#wake(wasAlone ? 0 : GATHER_MS);
  }

  /** It is not held any more. */
  forget(id: JobsetId): void {
    const guarded = this.#guarded.get(id);
    if (guarded === undefined) return;
    this.#guarded.delete(id);
    for (const job of [...guarded.jobs.keys(), ...guarded.guilty.keys()]) {
      this.#due.delete(job);
      if (this.#suspected.get(job) === guarded) this.#suspected.delete(job);
      if (this.#alone?.job === job) this.#over();
    }
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.#stopping.abort();
    this.#alone?.timer.cancel();
  }

  async #suspect(
    { claim, definitions }: ClaimedJobset,
    traces: Traces,
    progress: Progress,
  ): Promise<void> {
    const finding = await this.#inquest.into(definitions, traces, progress);
    if (finding === null) return;
    const { suspected, guilty, isNews } = finding;
    const guarded: Guarded = {
      id: claim.jobset,
      jobs: new Map(suspected),
      guilty: new Map(guilty),
      keyOf: new Map(definitions.map(({ id, key }) => [id, key])),
      isStale: isNews,
    };
    this.#guarded.set(claim.jobset, guarded);
    for (const job of [...suspected.keys(), ...guilty.keys()]) this.#suspected.set(job, guarded);
    if (isNews) await this.#write(guarded, claim);
    if (guilty.size > 0) this.#wake();
  }

  #over(): void {
    this.#alone?.timer.cancel();
    this.#alone = null;
  }

  #wake(waitMs = GATHER_MS): void {
    if (this.#isWorking || this.#guarded.size === 0) return;
    this.#isWorking = true;
    void this.#work(waitMs);
  }

  /** One step after the other, as long as there is one; what cannot be done now is tried again. */
  async #work(waitMs: number): Promise<void> {
    const { clock, log, ledger } = this.#options;
    const { signal } = this.#stopping;
    await pause(clock, waitMs, signal);
    for (let failures = 0; !signal.aborted; ) {
      const step = this.#nextStep();
      if (step === null) break;
      try {
        await step();
        failures = 0;
      } catch (err) {
        failures += 1;
        if (!isAway(err)) log.error('a suspected job is not dealt with', { err });
        const againMs = isAway(err) ? backoffMs(failures, ledger.random) : AGAIN_MS;
        await pause(clock, againMs, signal);
      }
    }
    this.#isWorking = false;
  }

  #nextStep(): (() => Promise<void>) | null {
    for (const guarded of this.#guarded.values()) {
      const [guilty] = guarded.guilty;
      if (guilty && !this.#isStuck) return () => this.#quarantine(guarded, ...guilty);
    }
    const [job] = this.#due;
    if (job !== undefined && this.#alone === null) return () => this.#runAlone(job);
    for (const guarded of this.#guarded.values()) {
      if (guarded.isStale) return () => this.#keep(guarded);
    }
    return null;
  }

  async #keep(guarded: Guarded): Promise<void> {
    const claim = await this.#claimOf(guarded);
    if (claim !== null && !(await this.#write(guarded, claim))) await this.#lookAgainSoon();
  }

  async #runAlone(job: CheckId): Promise<void> {
    const guarded = this.#suspected.get(job);
    const known = guarded?.jobs.get(job);
    if (guarded === undefined || known === undefined) {
      // Held under another jobset meanwhile, which has its own say: this must not go round for ever.
      this.#due.delete(job);
      return;
    }
    const claim = await this.#claimOf(guarded);
    if (claim === null) return;
    guarded.jobs.set(job, { ...known, isTried: true });
    if (!(await this.#write(guarded, claim))) return this.#lookAgainSoon();
    if (this.#suspected.get(job) !== guarded) return;
    const { clock, log, putBack } = this.#options;
    log.warn('runs a check alone: workers have died during its runs', {
      check: guarded.keyOf.get(job),
      deaths: known.deaths,
    });
    this.#due.delete(job);
    const timer = clock.after(ALONE_MS, () => {
      this.#over();
      if (guarded.jobs.has(job)) guarded.jobs.set(job, { ...known, isTried: false });
      guarded.isStale = true;
      this.#wake();
    });
    this.#alone = { job, timer };
    putBack(guarded.id, new Set([job]));
  }

  async #quarantine(guarded: Guarded, job: CheckId, suspicion: Suspicion): Promise<void> {
    const claim = await this.#claimOf(guarded);
    if (claim === null) return;
    const { log, onQuarantined, setAside } = this.#options;
    const handover = await setAside(guarded.id, new Set([job]));
    const { [job]: _, ...others } = suspectsIn(guarded);
    const about = { job, suspicion, handover, others };
    if (!(await this.#isMoved(claim, about))) return this.#lookAgainSoon();
    guarded.guilty.delete(job);
    if (this.#suspected.get(job) === guarded) this.#suspected.delete(job);
    this.#tidy(guarded);
    log.error('quarantined: workers have died during runs of this check, the last of it alone', {
      check: guarded.keyOf.get(job),
      deaths: suspicion.deaths,
    });
    onQuarantined();
  }

  /** What no transaction can take is withheld here, and must not hold up the others. */
  async #isMoved(claim: Claim, about: Parameters<Quarantining['move']>[1]): Promise<boolean> {
    try {
      return await this.#quarantining.move(claim, about);
    } catch (error) {
      if (isAway(error)) throw error;
      const { log, clock } = this.#options;
      log.error('a check is not run, and cannot be quarantined', { id: about.job, err: error });
      this.#isStuck = true;
      const again = () => {
        this.#isStuck = false;
        this.#wake();
      };
      clock.after(AGAIN_MS, again);
      return false;
    }
  }

  /** Whoever came in between is seen by the claimer in a moment. */
  #lookAgainSoon(): Promise<void> {
    return pause(this.#options.clock, GATHER_MS, this.#stopping.signal);
  }

  /** Null, in a while, when it cannot be proven. */
  async #claimOf(guarded: Guarded): Promise<Claim | null> {
    const { claimOf } = this.#options;
    const claim = this.#guarded.get(guarded.id) === guarded ? claimOf(guarded.id) : null;
    if (claim === null) await this.#lookAgainSoon();
    return claim;
  }

  /** False when the claim is lost: the claimer finds the same. */
  async #write(guarded: Guarded, claim: Claim): Promise<boolean> {
    const { ledger, worker: by } = this.#options;
    guarded.isStale = false;
    try {
      const isWritten = await writeSuspects(ledger, claim, { by, jobs: suspectsIn(guarded) });
      guarded.isStale ||= !isWritten;
      this.#tidy(guarded);
      return isWritten;
    } catch (error) {
      guarded.isStale = true;
      throw error;
    }
  }

  #tidy(guarded: Guarded): void {
    const isOver = guarded.jobs.size === 0 && guarded.guilty.size === 0 && !guarded.isStale;
    if (isOver && this.#guarded.get(guarded.id) === guarded) this.#guarded.delete(guarded.id);
  }
}
