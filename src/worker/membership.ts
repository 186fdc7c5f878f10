/**
 * This worker's place in the pool: lease → registration → beats, and anew when the lease is lost.
 *
 * OUTSIDE → MEMBER → (lease lost) OUTSIDE …
 */

import { backoffMs, isLeaseLost, isUnavailable } from '../shared/coordination/backoff.ts';
import { Fence } from '../shared/coordination/fence.ts';
import { keepAlive, type LeaseTiming, pause } from '../shared/coordination/heartbeat.ts';
import type { Claim, Ledger, Registration } from '../shared/coordination/ledger.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';

export interface MembershipOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly worker: WorkerRecord;
  readonly timing: LeaseTiming;
  /** What each beat has to prove. */
  readonly claims: () => readonly Claim[];
  /** Claims that a beat has found to be void. */
  readonly onVoid: (claims: readonly Claim[]) => void;
  /** The lease is gone, and every claim with it. */
  readonly onLeaseLost: () => void;
  /** Attached, for the first time or again: what was put off meanwhile can be done. */
  readonly onAttached: () => void;
}

export class Membership {
  readonly #options: MembershipOptions;
  readonly #fence: Fence;
  #registration: Registration | null = null;
  #seq = 0;
  /** The fence was shut when the beat under way began. */
  #wasDetached = true;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#fence = new Fence(options.clock, options.timing.marginMs);
  }

  get attached(): boolean {
    return this.#fence.attached;
  }

  /** Null while it has no lease. */
  get registration(): Registration | null {
    return this.#registration;
  }

  /** One lease after the other, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log, timing, onLeaseLost } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#join();
        failures = 0;
      } catch (error) {
        if (!isUnavailable(error) && !isLeaseLost(error)) throw error;
        failures += 1;
        log.warn('not registered', { err: error });
        await pause(clock, backoffMs(failures, random), signal);
        continue;
      }
      await keepAlive(
        {
          clock,
          random,
          fence: this.#fence,
          heartbeatMs: timing.heartbeatMs,
          beat: () => this.#beat(),
          onBeat: () => this.#afterBeat(),
          onFailure: (err) => log.warn('heartbeat failed', { err }),
        },
        signal,
      );
      if (signal.aborted) return;
      log.warn('lease lost');
      this.#registration = null;
      onLeaseLost();
    }
  }

  /** Others then offer it nothing more. Failing to say so costs them a few futile offers. */
  async announceDraining(): Promise<void> {
    const { ledger, log } = this.#options;
    const by = this.#registration;
    if (by === null) return;
    try {
      const announced = await ledger.announceDraining(by);
      if (announced !== null && this.#registration === by) this.#registration = announced;
    } catch (err) {
      log.warn('draining was not announced', { err });
    }
  }

  /** Call it when `run` has been told to stop. */
  async leave(): Promise<void> {
    const { log } = this.#options;
    await this.#registration?.lease.revoke().catch((err) => log.warn('lease not revoked', { err }));
    this.#registration = null;
    this.#fence.close();
  }

  async #join(): Promise<void> {
    const { ledger, worker, timing } = this.#options;
    const lease = await ledger.store.lease(timing.ttlMs);
    this.#registration = await ledger.register(worker, lease);
  }

  async #beat(): Promise<{ readonly ttlMs: number; readonly sentAt: number }> {
    const { ledger, clock, worker, claims, onVoid } = this.#options;
    const by = this.#registration;
    if (by === null) throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    this.#wasDetached ||= !this.#fence.attached;
    const grant = await by.lease.renew();
    const proving = claims();
    this.#seq += 1;
    const beat = { seq: this.#seq, at: clock.now(), owned: proving.length };
    const { registered, lost } = await ledger.beat(by, beat, proving);
    if (!registered) throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    onVoid(lost);
    return grant;
  }

  #afterBeat(): void {
    if (!this.#wasDetached) return;
    this.#wasDetached = false;
    this.#options.onAttached();
  }
}
