/**
 * This worker's place in the pool: lease → registration → beats, and anew when the lease is lost.
 *
 * OUTSIDE → MEMBER → (lease lost) OUTSIDE …
 */

import { backoffMs, isAway, isLeaseLost } from '../shared/coordination/backoff.ts';
import { type BeatContent, type BeatOutcome, sendBeat } from '../shared/coordination/beating.ts';
import { joinEpoch } from '../shared/coordination/epoch-record.ts';
import { Fence } from '../shared/coordination/fence.ts';
import { keepAlive, type LeaseTiming, pause } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type { Ledger, Registration } from '../shared/coordination/ledger.ts';
import { isNewerRecord } from '../shared/coordination/records.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { WorkerLoad, WorkerRecord } from '../shared/domain/jobset.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import { Doubt } from './doubt.ts';

const FIT_LOOK_MS = 250;

export interface MembershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly worker: WorkerRecord;
  readonly timing: LeaseTiming;
  /** What each beat has to prove and to tell. */
  readonly content: () => BeatContents;
  /** Looked at after each beat: the others are told when it changes. */
  readonly isFull: () => boolean;
  /** It does not get its checks to run: it would only take what others then have to wait for. */
  readonly isStuck: () => boolean;
  /** A beat has been answered: claims may be void. */
  readonly onBeat: (outcome: BeatOutcome) => void;
  /** The lease is gone, and every claim with it. */
  readonly onLeaseLost: () => void;
  /** Attached, for the first time or again: what was put off meanwhile can be done. */
  readonly onAttached: () => void;
  /** Nothing can be proven from this moment on. */
  readonly onDetached: () => void;
}

export interface BeatContents extends Omit<BeatContent, 'beat' | 'after'> {
  /** How many are run. */
  readonly checks: number;
  readonly load: WorkerLoad;
  /** To be called with those whose checkpoints have been stored. */
  readonly stored: (ids: readonly JobsetId[]) => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #fence: Fence;
  readonly #doubt: Doubt;
  #registration: Registration | null = null;
  #seq = 0;
  /** Revision of the latest beat under this registration, as far as is known; 0 before the first. */
  #beaten: Revision = 0;
  #beatenAt: number;
  /** As last told by onAttached and onDetached. */
  #isAttached = false;
  #isStoreFull = false;
  #isDraining = false;
  /** The state that the others know; null when nobody can tell. */
  #told: WorkerRecord['state'] | null = null;
  /** What is told about this worker is told in turn: each time writes its record anew. */
  #presenting: Promise<void> = Promise.resolve();
  #fenceTimer: Timer | null = null;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#fence = new Fence(options.clock, options.timing.marginMs);
    this.#doubt = new Doubt(options.clock, options.timing.callMs);
    this.#beatenAt = options.clock.monotonicMs();
  }

  get attached(): boolean {
    return this.#fence.attached;
  }

  /** See doubt.ts. */
  get doubt(): Promise<void> | null {
    return this.#fence.attached ? null : this.#doubt.now;
  }

  /** Since the last beat that was answered; since the start before the first one. */
  get beatAgeMs(): number {
    return this.#options.clock.monotonicMs() - this.#beatenAt;
  }

  /** Null while it has no lease. */
  get registration(): Registration | null {
    return this.#registration;
  }

  /** One lease after the other, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, timing } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#untilFit(signal);
        if (signal.aborted) return;
        await this.#join();
        const joinedAt = clock.monotonicMs();
        await this.#stay(signal);
        if (signal.aborted) return;
        if (this.#beatenAt < joinedAt) throw new WatcherError('WCH_LEASE_LOST', 'lost at once');
        failures = 0;
      } catch (err) {
        this.#doubt.settle(true);
        failures += 1;
        if (isAway(err) || isLeaseLost(err) || isNewerRecord(err))
          log.warn('not registered', { err });
        else log.error('the heartbeat met a defect', { err });
        await pause(clock, Math.min(backoffMs(failures, random), timing.heartbeatMs), signal);
      }
    }
  }

  /** Others then offer it nothing more. */
  announceDraining(): Promise<void> {
    this.#isDraining = true;
    return this.#present();
  }

  /** Call it when `run` has been told to stop. */
  async leave(): Promise<void> {
    const { log, onDetached } = this.#options;
    const lease = this.#registration?.lease;
    // First of all: whoever claims next may do so before the answer is here.
    this.#close();
    if (this.#isAttached) onDetached();
    this.#isAttached = false;
    await lease?.revoke().catch((err) => log.warn('lease not revoked', { err }));
  }

  #close(): void {
    this.#registration = null;
    this.#fenceTimer?.cancel();
    this.#fence.close();
    this.#doubt.settle(true);
  }

  async #join(): Promise<void> {
    const { ledger, worker, timing } = this.#options;
    await joinEpoch(ledger);
    const lease = await ledger.store.lease(timing.ttlMs);
    const state = this.#state;
    this.#registration = await ledger.register({ ...worker, state }, lease);
    this.#told = state;
    this.#beaten = 0;
  }

  /**
   * Whose registration was taken away because its scheduler stands still would claim all of it again, and
   * stand still again. If it does not recover, the watchdog ends the process. The first look may be just
   * after a pause, before the scheduler could do anything.
   */
  async #untilFit(signal: AbortSignal): Promise<void> {
    const { clock, log, isStuck } = this.#options;
    for (let looks = 0; isStuck() && !signal.aborted; looks += 1) {
      if (looks === 1) log.error('not registered: no check of this process starts any more');
      await pause(clock, FIT_LOOK_MS, signal);
    }
  }

  get #state(): WorkerRecord['state'] {
    if (this.#isDraining) return 'draining';
    return this.#options.isFull() ? 'full' : 'up';
  }

  /** Tells the others when its state is not what they know. */
  #present(): Promise<void> {
    this.#presenting = this.#presenting.then(() => this.#presentNow());
    return this.#presenting;
  }

  /**
   * Failing to say so costs the others a few futile offers. The races: a beat that is under way finds the
   * record written anew, and goes on with its new revision; the answer is lost, and the next beat finds
   * that revision, though not which state it has, so that is told again; the lease ends meanwhile, and the
   * state is the next registration's.
   */
  async #presentNow(): Promise<void> {
    const { ledger, log } = this.#options;
    const by = this.#registration;
    const state = this.#state;
    if (by === null || this.#told === state) return;
    try {
      const presented = await ledger.present(by, state);
      if (presented === null || this.#registration?.lease !== by.lease) return;
      this.#told = state;
      if (this.#registration === by) this.#registration = presented;
    } catch (err) {
      if (this.#registration?.lease === by.lease) this.#told = null;
      log.warn('its state was not announced', { state, err });
    }
  }

  /** Resolves when the lease is lost or the signal aborts; rejects with a defect. */
  async #stay(signal: AbortSignal): Promise<void> {
    const { clock, random, log, timing } = this.#options;
    const beating = keepAlive(
      {
        clock,
        random,
        fence: this.#fence,
        heartbeatMs: timing.heartbeatMs,
        beat: () => this.#beat(),
        onBeat: () => this.#afterBeat(),
        onFailure: (err) => {
          log.warn('heartbeat failed', { err });
          this.#doubt.settle(true);
        },
      },
      signal,
    );
    // After a defect, too: another lease would not renew what hangs on this one.
    await beating.finally(() => {
      if (!signal.aborted) this.#lose();
    });
  }

  #lose(): void {
    const { log, onLeaseLost } = this.#options;
    log.warn('lease lost');
    this.#close();
    this.#detach();
    onLeaseLost();
  }

  async #beat(): Promise<{ readonly ttlMs: number; readonly sentAt: number }> {
    const { ledger, clock, worker, content, onBeat } = this.#options;
    const by = this.#registration;
    if (by === null) throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    // A suspended machine closes the fence by the wall clock, which no timer follows.
    if (!this.#fence.attached) this.#detach();
    const grant = await by.lease.renew();
    const { checks, load, stored, ...contents } = content();
    this.#seq += 1;
    const owned = contents.claims.length;
    const beat = { seq: this.#seq, at: clock.now(), owned, checks, load };
    const outcome = await sendBeat(ledger, by, { beat, ...contents, after: this.#beaten });
    this.#beaten = outcome.beaten;
    // It may have left meanwhile; announcing that has written its record anew.
    if (!outcome.registered || this.#registration?.lease !== by.lease)
      throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    this.#tellStoreFull(outcome.full);
    this.#adopt(by, outcome.revision);
    stored(outcome.stored);
    onBeat(outcome);
    return grant;
  }

  /** The record was written anew by an announcement whose answer was lost. */
  #adopt(by: Registration, revision: Revision): void {
    if (this.#registration === by && revision !== by.revision)
      this.#registration = { ...by, revision };
  }

  #afterBeat(): void {
    const { clock, log, onAttached } = this.#options;
    this.#doubt.settle(false);
    void this.#present();
    this.#beatenAt = clock.monotonicMs();
    this.#fenceTimer?.cancel();
    this.#fenceTimer = clock.after(this.#fence.remainingMs, () => this.#onFenceDue());
    if (this.#isAttached) return;
    this.#isAttached = true;
    log.info('attached');
    onAttached();
  }

  /** A timer may come early by a fraction, and the wall clock may have been set meanwhile. */
  #onFenceDue(): void {
    if (this.#fence.attached) {
      const { clock } = this.#options;
      this.#fenceTimer = clock.after(this.#fence.remainingMs, () => this.#onFenceDue());
    } else this.#detach();
  }

  #detach(): void {
    const { log, onDetached } = this.#options;
    this.#fenceTimer?.cancel();
    if (!this.#isAttached) return;
    this.#isAttached = false;
    log.warn('detached: it cannot be proven that the checks held here are not run elsewhere');
    onDetached();
  }

  #tellStoreFull(full: boolean): void {
    if (full === this.#isStoreFull) return;
    this.#isStoreFull = full;
    const { log } = this.#options;
    if (full) log.error('the store is full: claims are kept, progress is not stored');
    else log.info('the store takes writes again');
  }
}
