/**
 * Moves jobs that are held here away, in one transaction: reachability, relief → **moving** → ledger.
 *
 * SET ASIDE → MOVED | PUT BACK
 *
 * They stop only for the moment between their last run here and the transaction. The races: the jobset is
 * changed or lost meanwhile, and nothing is written; the answer is lost, and is read back until somebody
 * knows; the worker dies in the middle, and its progress names the ticks that were due meanwhile as not
 * done. In each case a job stands in one jobset, and runs here or is to be run by whoever has that one.
 */

import { backoffMs, isAway } from '../shared/coordination/backoff.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Claim, Ledger } from '../shared/coordination/ledger.ts';
import {
  commitMove,
  handOn,
  type Leaving,
  type Move,
  readContent,
  splitOff,
  wasMoved,
} from '../shared/coordination/splitting.ts';
import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Handover } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';

/** What the claimer and the scheduler do for it. */
export interface Custody {
  /** As it is held now; null when it is not, or cannot be proven, or the worker is on its way out. */
  claimOf(id: JobsetId): Claim | null;
  /** Starts none of them from now on; resolves, when no run is in flight, with where they have stopped. */
  setAside(id: JobsetId, jobs: ReadonlySet<CheckId>): Promise<Handover>;
  /** They run on from there. */
  putBack(id: JobsetId, jobs: ReadonlySet<CheckId>): void;
  /** A job whose past would be left behind: workers may have died of it. */
  suspects(job: CheckId): boolean;
}

export interface MovingOptions {
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, 'store' | 'keys' | 'random'>;
  readonly custody: Custody;
}

export class Moving implements Disposable {
  readonly #options: MovingOptions;
  readonly #stopping = new AbortController();
  readonly #moving = new Set<JobsetId>();

  constructor(options: MovingOptions) {
    this.#options = options;
  }

  /** The claim of a jobset of which jobs may be moved now; else null. */
  movable(id: JobsetId): Claim | null {
    const isFree = !this.#moving.has(id) && !this.#stopping.signal.aborted;
    return isFree ? this.#options.custody.claimOf(id) : null;
  }

  /** It has to stay where it is. */
  isTied(job: CheckId): boolean {
    return this.#options.custody.suspects(job);
  }

  /**
   * Whether they are gone. They stop at once, before the first await: what must not run here does not. All
   * of its jobs: the jobset as a whole.
   */
  async move(
    claim: Claim,
    jobs: ReadonlySet<CheckId>,
    leaving: Omit<Leaving, 'handover'>,
  ): Promise<boolean> {
    const { custody } = this.#options;
    const { jobset } = claim;
    if (this.#moving.has(jobset) || [...jobs].some((job) => this.isTied(job))) return false;
    this.#moving.add(jobset);
    let isMoved = false;
    try {
      const handover = await custody.setAside(jobset, jobs);
      isMoved = await this.#move(claim, jobs, { ...leaving, handover });
    } finally {
      this.#moving.delete(jobset);
      if (!isMoved) custody.putBack(jobset, jobs);
    }
    return isMoved;
  }

  /** Nothing is moved from now on. */
  [Symbol.dispose](): void {
    this.#stopping.abort();
  }

  async #move(claim: Claim, jobs: ReadonlySet<CheckId>, leaving: Leaving): Promise<boolean> {
    const { ledger } = this.#options;
    if (!this.#isCurrent(claim)) return false;
    let move: Move | null = null;
    try {
      const content = await readContent(ledger, claim);
      if (content === null || !this.#isCurrent(claim)) return false;
      move =
        jobs.size === content.jobset.jobs.length
          ? handOn(ledger, content, leaving)
          : splitOff(ledger, content, { jobs, ...leaving });
      return await commitMove(ledger, move);
    } catch (error) {
      if (!isAway(error)) throw error;
      return move !== null && this.#readBack(claim, move);
    }
  }

  /** Until somebody knows, or the claim cannot be proven any more: then what it held runs on. */
  async #readBack(claim: Claim, move: Move): Promise<boolean> {
    const { ledger, clock } = this.#options;
    for (let failures = 1; this.#isCurrent(claim); failures += 1) {
      await pause(clock, backoffMs(failures, ledger.random), this.#stopping.signal);
      try {
        return await wasMoved(ledger, move);
      } catch (error) {
        if (!isAway(error)) throw error;
      }
    }
    return false;
  }

  #isCurrent({ jobset, token }: Claim): boolean {
    return !this.#stopping.signal.aborted && this.#options.custody.claimOf(jobset)?.token === token;
  }
}
