/**
 * Moves a job that has killed three workers to where nobody claims it: caution → **quarantining** → ledger.
 * The races are those of splitting.ts; it is not running, so where it has stopped is exact.
 */

import { isAway } from '../shared/coordination/backoff.ts';
import type { Claim, Ledger } from '../shared/coordination/ledger.ts';
import { commitMove, type Move, readContent, wasMoved } from '../shared/coordination/splitting.ts';
import { type Quarantine, quarantineMove } from '../shared/coordination/suspects.ts';
import type { CheckId, WorkerId } from '../shared/domain/check.ts';
import type { Clock } from '../shared/runtime/clock.ts';

export interface QuarantiningOptions {
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, 'store' | 'keys' | 'random'>;
  readonly worker: WorkerId;
}

export class Quarantining {
  readonly #options: QuarantiningOptions;
  /** The last move, as long as nobody knows what has become of it. */
  #unknown: { readonly job: CheckId; readonly move: Move } | null = null;

  constructor(options: QuarantiningOptions) {
    this.#options = options;
  }

  /** False when something came in between; throws what `isAway` knows when it is to be called again. */
  async move(claim: Claim, about: Omit<Quarantine, 'by' | 'now'>): Promise<boolean> {
    const { clock, ledger, worker: by } = this.#options;
    const { job } = about;
    if (await this.#wasMoved(job)) return true;
    const content = await readContent(ledger, claim);
    if (content === null) return false;
    // Its definition was taken away meanwhile.
    if (!content.definitions.some(({ id }) => id === job)) return true;
    const move = quarantineMove(ledger, content, { ...about, by, now: clock.now() });
    try {
      return await commitMove(ledger, move);
    } catch (error) {
      if (isAway(error)) this.#unknown = { job, move };
      throw error;
    }
  }

  async #wasMoved(job: CheckId): Promise<boolean> {
    const { ledger } = this.#options;
    if (this.#unknown?.job !== job) return false;
    const isMoved = await wasMoved(ledger, this.#unknown.move);
    this.#unknown = null;
    return isMoved;
  }
}
