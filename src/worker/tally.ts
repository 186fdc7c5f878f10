/**
 * The account of ticks: every tick that fell due has run, was skipped for a reason, or is pending.
 * `scheduled = run + skipped + pending` holds at every moment; metrics read it, tests assert it.
 */

import { SKIP_REASONS, type SkipReason, type Status } from '../shared/domain/result.ts';

const zeroes = <K extends string>(keys: readonly K[]): Record<K, number> =>
  Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;

export class Tally {
  /** Ticks that fell due. */
  scheduled = 0;
  /** Ticks whose run has ended with a result. */
  run = 0;
  /** Ticks waiting for a place or running. */
  pending = 0;
  readonly skipped = zeroes(Object.keys(SKIP_REASONS) as SkipReason[]);
  /** Results by status, those of unscheduled runs included. */
  readonly results = zeroes<Status>(['ok', 'warning', 'critical', 'unknown']);
  /** Runs that were no tick: at start, or asked for. */
  unscheduled = 0;
  /** Runs that started later than their budget. */
  late = 0;

  skip(reason: SkipReason, count: number): void {
    this.skipped[reason] += count;
  }

  get skippedTotal(): number {
    return Object.values(this.skipped).reduce((sum, count) => sum + count, 0);
  }

  /** 0 by construction; anything else is a defect and is exported as such. */
  get unaccounted(): number {
    return this.scheduled - this.run - this.skippedTotal - this.pending;
  }
}
