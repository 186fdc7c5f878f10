/** Counts wrong tokens by the address that they came from: guessing is slow, whoever guesses. */

import type { Clock } from '../runtime/clock.ts';

export const WRONG_TOKENS = 10;
export const WINDOW_MS = 60_000;
/** Longer lists of addresses forget their oldest. */
const ADDRESSES = 10_000;

/** A window of a minute from the first failure on. */
export interface Failures {
  /** Monotonic. */
  readonly since: number;
  readonly count: number;
}

export const isOver = ({ since }: Failures, now: number): boolean => now - since >= WINDOW_MS;

export const withOneMore = (failures: Failures | undefined, now: number): Failures =>
  failures === undefined || isOver(failures, now)
    ? { since: now, count: 1 }
    : { ...failures, count: failures.count + 1 };

export class WrongTokens {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  /** In the order in which their windows began. */
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** The right token is not looked at either, or else a guess would tell. */
  blocks(address: string): boolean {
    const failures = this.#failures.get(address);
    if (failures === undefined || failures.count < WRONG_TOKENS) return false;
    return !isOver(failures, this.#clock.monotonicMs());
  }

  count(address: string): void {
    const before = this.#failures.get(address);
    const failures = withOneMore(before, this.#clock.monotonicMs());
    if (failures.count === 1) this.#failures.delete(address);
    this.#failures.set(address, failures);
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > ADDRESSES && oldest !== undefined) this.#failures.delete(oldest);
  }
}
