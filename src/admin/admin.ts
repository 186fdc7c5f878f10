/**
 * The admin role: campaign → lead → resign. While it leads it publishes what it is offered. Workers
 * claim and run without it, so all that an admin's death stops is change.
 */

import { backoffMs, isUnavailable } from '../shared/coordination/backoff.ts';
import type { Election, Term } from '../shared/coordination/election.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Publisher, PublishReport } from './publisher.ts';
import { HOLD_MS } from './vanish-rule.ts';

export interface AdminOptions {
  readonly election: Election;
  readonly publisher: Publisher;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface AdminStatus {
  readonly leading: boolean;
  /** Of the last publish of this process. */
  readonly published: PublishReport | null;
  /** How many vanished checks wait for a confirmation. */
  readonly held: number;
}

export class Admin {
  readonly #options: AdminOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #catalogue: Catalogue | null = null;
  /** The catalogue, or the right to publish it, is newer than the last publish. */
  #stale = false;
  #confirmed = false;
  #leading = false;
  #published: PublishReport | null = null;
  #wake: () => void = () => {};
  /** Whoever waits for the ledger to have what was offered. */
  readonly #waiting = new Set<() => void>();

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  get status(): AdminStatus {
    const held = this.#options.publisher.held?.vanished.size ?? 0;
    return { leading: this.#leading, published: this.#published, held };
  }

  start(): void {
    const lead = (term: Term, signal: AbortSignal) => this.#lead(term, signal);
    this.#running = this.#options.election.run(lead, this.#stopping.signal);
  }

  /** The folder's newest state; published while leading, else kept for the day. */
  offer(catalogue: Catalogue): void {
    this.#catalogue = catalogue;
    this.#publishSoon();
  }

  /** Takes away what the vanish rule holds. */
  confirm(): void {
    this.#confirmed = true;
    this.#publishSoon();
  }

  /** Resolves once the ledger has what was offered, or cannot have it; at once while another leads. */
  published(): Promise<void> {
    if (!this.#leading || !this.#stale) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** Resigns: a standby leads at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #hasWork(): boolean {
    return this.#stale && this.#catalogue !== null;
  }

  #publishSoon(): void {
    this.#stale = true;
    this.#wake();
  }

  async #lead(term: Term, signal: AbortSignal): Promise<void> {
    this.#leading = true;
    this.#stale = true;
    let failures = 0;
    while (!signal.aborted) {
      const done = await this.#publish(term);
      failures = done ? 0 : failures + 1;
      if (done) this.#tellWaiting();
      if (done) await this.#untilStale(signal);
      else await pause(this.#options.clock, backoffMs(failures, this.#options.random), signal);
    }
    this.#leading = false;
    this.#tellWaiting();
  }

  #tellWaiting(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** False when it has to be done again. */
  async #publish(term: Term): Promise<boolean> {
    const { publisher, log } = this.#options;
    if (this.#catalogue === null || !this.#hasWork) return true;
    const confirmed = this.#confirmed;
    this.#stale = false;
    this.#confirmed = false;
    try {
      const report = await publisher.publish(this.#catalogue, term, confirmed);
      this.#published = report;
      log.info('published', { ...report });
      if (report.conflicts === 0) return true;
    } catch (error) {
      log.warn('publish failed', { err: error });
      this.#confirmed ||= confirmed;
      // What cannot be read now cannot be read in a second either: the folder's next change tries.
      if (!isUnavailable(error)) return true;
    }
    this.#stale = true;
    return false;
  }

  /** A held disappearance is looked at again when its time is up. */
  #untilStale(signal: AbortSignal): Promise<void> {
    const { publisher, clock } = this.#options;
    if (this.#hasWork || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer?.cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const leftMs = (publisher.held?.since ?? 0) + HOLD_MS - clock.monotonicMs();
      const timer = publisher.held ? clock.after(leftMs, () => this.#publishSoon()) : null;
      signal.addEventListener('abort', wake);
      this.#wake = wake;
    });
  }
}
