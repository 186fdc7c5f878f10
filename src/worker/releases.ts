/**
 * Gives jobsets back: claimer → **releases** → workload, ledger. One that is ordered to another worker, or
 * all of them in turn when this one leaves. Their checks stop first, so what the ledger then says of where
 * they stopped is exact.
 */

import type { Ledger } from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import { Attention } from './attention.ts';
import type { Holdings } from './holdings.ts';
import type { Workload } from './workload.ts';

export interface ReleasesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Pick<Ledger, 'release'>;
  readonly workload: Pick<Workload, 'drop'>;
  readonly holdings: Holdings;
  /** How long what is handed on waits for its runs in flight, a whole drain together. */
  readonly graceMs: number;
  /** It is not held any more. */
  readonly forget: (id: JobsetId) => void;
  /** What was ordered elsewhere has been given back, or could not be. */
  readonly onOver: (id: JobsetId) => void;
}

/** Jobsets handed back at a time, or a twentieth of all: the others go on running meanwhile. */
const RELEASES_AT_ONCE = 10;

export class Releases {
  readonly #options: ReleasesOptions;
  readonly #ordered = new Attention<JobsetId>(RELEASES_AT_ONCE, (id) => this.#obey(id));
  readonly #leaving = new Map<JobsetId, Promise<void>>();

  constructor(options: ReleasesOptions) {
    this.#options = options;
  }

  /** Its checks have stopped or are about to; nothing else may be done about it. */
  isLeaving(id: JobsetId): boolean {
    return this.#leaving.has(id);
  }

  /** To another worker, in its turn. */
  handOver(id: JobsetId): void {
    this.#ordered.notice(id);
  }

  /** Everything. */
  async all(): Promise<void> {
    const { clock, graceMs, holdings } = this.#options;
    const { ids } = holdings;
    const until = clock.monotonicMs() + graceMs;
    const lane = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await this.#release(id, until);
    };
    const lanes = Math.max(RELEASES_AT_ONCE, Math.ceil(ids.length / 20));
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #obey(id: JobsetId): Promise<void> {
    const { clock, graceMs, onOver } = this.#options;
    await this.#release(id, clock.monotonicMs() + graceMs);
    onOver(id);
  }

  /** A drain may come while an order is obeyed: once is enough. */
  #release(id: JobsetId, until: number): Promise<void> {
    const known = this.#leaving.get(id);
    if (known) return known;
    const released = this.#giveBack(id, until).finally(() => this.#leaving.delete(id));
    this.#leaving.set(id, released);
    return released;
  }

  async #giveBack(jobset: JobsetId, until: number): Promise<void> {
    const { clock, ledger, workload, holdings, forget, log } = this.#options;
    if (holdings.get(jobset) === undefined) return;
    const handover = await workload.drop(jobset, Math.max(0, until - clock.monotonicMs()));
    const claim = holdings.claimOf(jobset);
    forget(jobset);
    if (claim === null) return;
    await ledger
      .release(claim, handover)
      .catch((err) => log.warn('not handed back', { jobset, err }));
  }
}
