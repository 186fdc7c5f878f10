/** How late runs start: what counts as late, and how lateness spreads, check by check. */

import type { Quantiles } from '../domain/status.ts';

const MIN_BUDGET_MS = 2000;
const MAX_BUDGET_MS = 30_000;
/** As many in a row, and a check stays behind. */
export const LATE_RUNS = 3;

/** `latenessMs` is actual start - tick, `intervalMs` the usual distance between two ticks. */
export const isLate = (latenessMs: number, intervalMs: number): boolean =>
  latenessMs > Math.min(Math.max(intervalMs / 2, MIN_BUDGET_MS), MAX_BUDGET_MS);

/** A check stays behind after three late runs in a row, or after a late one that missed a whole interval. */
export const isBehind = (lateInARow: number, latenessMs: number, intervalMs: number): boolean =>
  lateInARow >= LATE_RUNS || (latenessMs > intervalMs && isLate(latenessMs, intervalMs));

/** Bucket i holds times up to 2^(i/2) ms, so a bound read from it is at most 41 % above the truth. */
const BUCKETS = 48;
const FULL = 255;

/**
 * Logarithmic histograms of milliseconds for as many checks as there are slots, 48 bytes each.
 * When a bucket is full, all counts of its slot are halved: quantiles speak of the last few
 * hundred runs, and a single old outlier is forgotten. The last bucket takes all above 2.3 hours.
 */
export class LogHistograms {
  #counts: Uint8Array;

  constructor(slots = 64) {
    this.#counts = new Uint8Array(slots * BUCKETS);
  }

  /** Makes room for that many slots. */
  grow(slots: number): void {
    if (slots * BUCKETS <= this.#counts.length) return;
    const counts = new Uint8Array(slots * BUCKETS);
    counts.set(this.#counts);
    this.#counts = counts;
  }

  add(slot: number, ms: number): void {
    const index = slot * BUCKETS + bucketOf(ms);
    if (this.#counts[index] === FULL) this.#halve(slot);
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** Upper bounds; null before the first run. */
  quantiles(slot: number): Quantiles | null {
    const counts = this.#of(slot);
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return null;
    return {
      p50: bound(counts, total * 0.5),
      p95: bound(counts, total * 0.95),
      p99: bound(counts, total * 0.99),
    };
  }

  clear(slot: number): void {
    this.#of(slot).fill(0);
  }

  #halve(slot: number): void {
    const counts = this.#of(slot);
    for (let i = 0; i < BUCKETS; i++) counts[i] = (counts[i] as number) >> 1;
  }

  #of(slot: number): Uint8Array {
    return this.#counts.subarray(slot * BUCKETS, (slot + 1) * BUCKETS);
  }
}

/** Of all checks together: each stretch of ten seconds has a histogram of its own, and six count. */
const STRETCH_MS = 10_000;
const STRETCHES = 6;

/** How late the runs of the last minute have started. */
export class RecentLateness {
  readonly #counts = new Uint32Array(STRETCHES * BUCKETS);
  /** Counted from the epoch. */
  #stretch = 0;

  /** `at` is the wall clock, ms. */
  add(ms: number, at: number): void {
    this.#moveTo(at);
    const index = (this.#stretch % STRETCHES) * BUCKETS + bucketOf(ms);
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  /** An upper bound; null without a run. */
  p99(at: number): number | null {
    this.#moveTo(at);
    const sums = new Uint32Array(BUCKETS);
    let total = 0;
    // Asked for with each heartbeat: one plain pass costs a quarter of what callbacks do.
    for (let index = 0; index < this.#counts.length; index++) {
      const count = this.#counts[index] as number;
      if (count === 0) continue;
      const bucket = index % BUCKETS;
      sums[bucket] = (sums[bucket] as number) + count;
      total += count;
    }
    return total === 0 ? null : bound(sums, total * 0.99);
  }

  /** A clock that is set, or a minute without anything, ends all that was counted. */
  #moveTo(at: number): void {
    const stretch = Math.floor(at / STRETCH_MS);
    const passed = stretch - this.#stretch;
    if (passed === 0) return;
    if (passed < 0 || passed >= STRETCHES) this.#counts.fill(0);
    else
      for (let n = this.#stretch + 1; n <= stretch; n++) {
        const from = (n % STRETCHES) * BUCKETS;
        this.#counts.fill(0, from, from + BUCKETS);
      }
    this.#stretch = stretch;
  }
}

const bucketOf = (ms: number): number =>
  ms <= 1 ? 0 : Math.min(Math.ceil(2 * Math.log2(ms)), BUCKETS - 1);

/** Upper end, in whole ms, of the bucket in which the count reaches `rank`. */
const bound = (counts: Uint8Array | Uint32Array, rank: number): number => {
  let seen = 0;
  let bucket = 0;
  for (; bucket < BUCKETS - 1; bucket++) {
    seen += counts[bucket] as number;
    if (seen >= rank) break;
  }
  return Math.ceil(2 ** (bucket / 2));
};
