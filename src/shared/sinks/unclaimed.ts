/**
 * What a former process left for destinations that this one does not know yet: they are known when a
 * check names them. What nobody claims within a day is given up.
 */

import { type DestinationId, type DropReason, nothingDropped } from '../domain/delivery.ts';
import type { SinkView } from '../domain/status.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Recovered } from './queue.ts';

/** Longer than the sinks of check files take anything; shorter would cost a daily check its results. */
const KEPT_MS = 26 * 3_600_000;

interface UnclaimedOptions {
  readonly clock: Clock;
  readonly done: (id: DestinationId, seqs: readonly number[]) => void;
}

export class Unclaimed {
  readonly #byDestination: Map<DestinationId, readonly Recovered[]>;
  readonly #options: UnclaimedOptions;
  readonly #dropped = nothingDropped();

  constructor(
    recovered: ReadonlyMap<DestinationId, readonly Recovered[]>,
    options: UnclaimedOptions,
  ) {
    this.#byDestination = new Map(recovered);
    this.#options = options;
  }

  /** None, or the one view of all of it. */
  get views(): readonly SinkView[] {
    const all = [...this.#byDestination.values()].flat();
    const dropped = this.#dropped.window + this.#dropped.overflow;
    if (all.length + dropped === 0) return [];
    const now = this.#options.clock.now();
    return [
      {
        sink: 'unclaimed',
        produced: all.length + dropped,
        delivered: 0,
        pending: all.length,
        dropped: { ...this.#dropped },
        retried: 0,
        calls: 0,
        lagMs: all.reduce((lag, { at }) => Math.max(lag, now - at), 0),
        failing: all.length === 0 ? null : 'no check names these destinations yet',
      },
    ];
  }

  claim(id: DestinationId): readonly Recovered[] {
    const recovered = this.#byDestination.get(id) ?? [];
    this.#byDestination.delete(id);
    return recovered;
  }

  expire(): void {
    const limit = this.#options.clock.now() - KEPT_MS;
    this.#giveUp(({ at }) => at < limit, 'window');
  }

  /** The journal needs the room up to there: those that nobody knows go first, changes among them. */
  evict(through: number): void {
    this.#giveUp(({ seq }) => seq <= through, 'overflow');
  }

  #giveUp(isGone: (one: Recovered) => boolean, reason: DropReason): void {
    for (const [id, all] of this.#byDestination) {
      const gone = all.filter(isGone);
      if (gone.length === 0) continue;
      this.#dropped[reason] += gone.length;
      const left = all.filter((one) => !isGone(one));
      if (left.length > 0) this.#byDestination.set(id, left);
      else this.#byDestination.delete(id);
      this.#options.done(
        id,
        gone.map(({ seq }) => seq),
      );
    }
  }
}
