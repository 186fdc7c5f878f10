/**
 * The admin role: campaign → lead → resign. While it leads it publishes what it is offered, keeps the ledger
 * whole and the pool on time. Workers claim and run without it, so all that an admin's death stops is change.
 */

import { backoffMs, isAway } from '../shared/coordination/backoff.ts';
import type { Election, Term } from '../shared/coordination/election.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Audit } from './audit.ts';
import type { Publisher, PublishReport } from './publisher.ts';
import type { Steering } from './steering.ts';

export interface AdminOptions {
  readonly election: Election;
  readonly publisher: Publisher;
  readonly audit: Pick<Audit, 'run'>;
  readonly steering: Pick<Steering, 'run'>;
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
  /** How long a folder that differs from the published one still waits for it; null: it does not. */
  readonly waitingMs: number | null;
  /** Why the ledger does not have all that was offered; null: it has, or has yet to be given it. */
  readonly failing: string | null;
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
  #error: string | null = null;
  /** What was last said of a folder that waits and of records that cannot be read. */
  #said = '';
  #wake: () => void = () => {};
  /** Whoever waits for the ledger to have what was offered. */
  readonly #waiting = new Set<() => void>();

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  get status(): AdminStatus {
    const { held, waitingMs } = this.#options.publisher;
    return {
      leading: this.#leading,
      published: this.#published,
      held: held?.vanished.size ?? 0,
      waitingMs: this.#leading ? waitingMs : null,
      failing: this.#error ?? leftOut(this.#published),
    };
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

  /** Takes away what the vanish rule holds, and publishes what the takeover rule holds. */
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
    const { audit, steering } = this.#options;
    const audited = audit.run(term, signal, () => this.#publishSoon());
    const steered = steering.run(term, signal);
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
    await Promise.all([audited, steered]);
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
      this.#error = null;
      if (report !== null) this.#published = report;
      this.#tell(report);
      if (report === null || report.conflicts === 0) return true;
      this.#confirmed ||= confirmed;
    } catch (error) {
      log.warn('publish failed', { err: error });
      this.#error = error instanceof Error ? error.message : String(error);
      this.#confirmed ||= confirmed;
      // What cannot be read now cannot be read in a second either: the folder's next change tries.
      if (!isAway(error)) return true;
    }
    this.#stale = true;
    return false;
  }

  /** The audit has it published again every few minutes: what has not changed is not said again. */
  #tell(report: PublishReport | null): void {
    const { log, publisher } = this.#options;
    if (report && report.written + report.deleted > 0) log.info('published', { ...report });
    const said = JSON.stringify(report?.unreadable ?? 'waits');
    if (said === this.#said) return;
    this.#said = said;
    if (report === null) {
      const leftMs = publisher.waitingMs;
      log.warn('the folder is not the published one, which stays for now', { leftMs });
    } else if (report.unreadable.length > 0) {
      log.warn('jobsets that cannot be read; their checks stand elsewhere now', {
        keys: report.unreadable,
      });
    }
  }

  /** What waits is looked at again when its time is up. */
  #untilStale(signal: AbortSignal): Promise<void> {
    const { publisher, clock } = this.#options;
    if (this.#hasWork || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        timer?.cancel();
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const leftMs = publisher.dueInMs;
      const timer = leftMs === null ? null : clock.after(leftMs, () => this.#publishSoon());
      signal.addEventListener('abort', wake);
      this.#wake = wake;
    });
  }
}

const leftOut = (report: PublishReport | null): string | null => {
  const [first] = report?.refused ?? [];
  if (report === null || first === undefined) return null;
  return `${report.refused.length} jobsets could not be written: ${first.why}`;
};
