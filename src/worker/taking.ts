/**
 * Takes jobsets, and their new content, from the ledger: claimer → **taking** → caution, workload. What the
 * store does not answer is looked at again; what cannot be read is left until it changes.
 */

import { backoffMs, isAway, isLeaseLost } from '../shared/coordination/backoff.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type {
  Claim,
  ClaimedJobset,
  Ledger,
  Registration,
  Sight,
} from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Caution } from './caution.ts';
import type { Sightings } from './sightings.ts';

export interface TakingOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Pick<Ledger, 'claim' | 'reload' | 'release'>;
  readonly caution: Pick<Caution, 'take'>;
  readonly sightings: Sightings;
  /** Null while it has no lease. */
  readonly registration: () => Registration | null;
  /** Whether this worker takes anything on; it may be on its way out by the time of an answer. */
  readonly isOpen: () => boolean;
  readonly isCurrent: (claim: Claim) => boolean;
  readonly onTaken: (content: ClaimedJobset) => void;
  /** To be looked at again. */
  readonly onAgain: (id: JobsetId) => void;
}

export class Taking {
  readonly #options: TakingOptions;
  readonly #signal: AbortSignal;
  /** At which revision a jobset could not be read: not again until it changes. */
  readonly #unreadable = new Map<JobsetId, Revision>();
  /** In a row that the store did not answer. */
  #failures = 0;

  constructor(options: TakingOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  isUnreadable(id: JobsetId, { revision }: Sight): boolean {
    return this.#unreadable.get(id) === revision;
  }

  /** It is gone. */
  forget(id: JobsetId): void {
    this.#unreadable.delete(id);
  }

  async claim(id: JobsetId, sight: Sight): Promise<void> {
    await this.#try(id, sight, async () => {
      const { ledger, sightings, caution, registration, isOpen, onTaken, onAgain } = this.#options;
      const by = registration();
      if (by === null) return;
      const waiter = sightings.waiterOf(id, sight.revision);
      const outcome = await ledger.claim(id, { ...sight, waiter }, by);
      const { claimed } = outcome;
      if (claimed === null) return sightings.refused(id, sight, outcome);
      await caution.take(claimed);
      // The answer may have been long in coming, and the claim hangs on a lease that has ended since.
      if (registration()?.lease !== by.lease) return onAgain(id);
      if (isOpen()) onTaken(claimed);
      else await ledger.release(claimed.claim, claimed.handover);
    });
  }

  /** Nothing comes back when the claim is lost or the jobset gone: the watch or the beat says which. */
  async reload(claim: Claim, sight: Sight): Promise<void> {
    await this.#try(claim.jobset, sight, async () => {
      const { ledger, isOpen, isCurrent, onTaken } = this.#options;
      const content = await ledger.reload(claim);
      if (content !== null && isOpen() && isCurrent(claim)) onTaken(content);
    });
  }

  async #try(id: JobsetId, sight: Sight, take: () => Promise<void>): Promise<void> {
    const { clock, random, log, onAgain } = this.#options;
    try {
      await take();
      this.#failures = 0;
    } catch (error) {
      // The registration is gone, and the next beat finds the same; or it was written anew just then.
      if (isAway(error) || isLeaseLost(error)) {
        this.#failures += 1;
        await pause(clock, backoffMs(this.#failures, random), this.#signal);
        return onAgain(id);
      }
      this.#unreadable.set(id, sight.revision);
      log.error('a jobset cannot be read', { jobset: id, err: error });
    }
  }
}
