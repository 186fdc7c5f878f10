/**
 * *Scaling limit hit*, and what must be true of it: it is raised when jobs have waited for a place for the
 * grace and a leader sees it, not before, and each of its two events is announced once, whichever admins
 * lead.
 */

import type { ScalingEmission } from '../../src/shared/domain/delivery.ts';
import type { Report } from './ownership.ts';

export const GRACE_MS = 10_000;
/** A leader that has just come begins to count anew, and has to be elected first. */
const LEADER_MS = 20_000;
/** What a watch is late by when nothing is wrong, and how often is looked here. */
const SEEN_MS = 2_500;

export interface Pool {
  readonly now: number;
  readonly waitingJobs: number;
  /** Since when nothing has been wrong with the store and the admins. */
  readonly soundSince: number;
}

export class Shortage {
  /** Each event that was announced, in this life of the store. */
  readonly #announced = new Set<string>();
  /** How often it was announced that it is hit. */
  raised = 0;
  readonly #report: Report;
  /** Null: no job waits. */
  #waitingSince: number | null = null;
  /** The wait that has ended last: whoever judged just before may say so just after. */
  #waited = { since: 0, until: Number.NEGATIVE_INFINITY };
  #isRaised = false;

  constructor(report: Report) {
    this.#report = report;
  }

  announce({ event }: ScalingEmission): void {
    if (event === null) return;
    const id = `${event.episode}:${event.change}`;
    if (this.#announced.has(id)) this.#report('I14', `${id} was announced twice`);
    this.#announced.add(id);
    if (event.change === 'raised') this.raised += 1;
  }

  /**
   * An older store knows less of what has been announced, and its leader counts anew; what is said again
   * has the same id.
   */
  restart(isRaised: boolean): void {
    this.#announced.clear();
    this.#isRaised = isRaised;
    this.#waitingSince = null;
  }

  /** The record of the verdict has been written. */
  verdict(episode: unknown, { now, soundSince }: Pool): void {
    const isRaised = episode !== null;
    const { since, until } = this.#waited;
    const last = now - until < SEEN_MS ? until - since : 0;
    const waitingMs = this.#waitingSince === null ? last : now - this.#waitingSince;
    const sawItAll = soundSince < now - GRACE_MS - LEADER_MS;
    if (isRaised && !this.#isRaised && sawItAll && waitingMs < GRACE_MS - SEEN_MS)
      this.#report('I14', `raised though jobs have waited for ${waitingMs.toFixed(0)} ms only`);
    if (!isRaised && this.#isRaised && this.#waitingSince !== null && sawItAll)
      this.#report('I14', 'cleared though jobs wait');
    this.#isRaised = isRaised;
  }

  /** Once a second. */
  look({ now, waitingJobs, soundSince }: Pool): void {
    if (waitingJobs === 0) {
      if (this.#waitingSince !== null) this.#waited = { since: this.#waitingSince, until: now };
      this.#waitingSince = null;
      return;
    }
    this.#waitingSince ??= now;
    const leftMs = now - Math.max(this.#waitingSince, soundSince) - GRACE_MS - LEADER_MS;
    if (leftMs > 0 && !this.#isRaised)
      this.#report(
        'I14',
        `${waitingJobs} jobs have waited since ${this.#waitingSince}, and not raised`,
      );
  }
}
