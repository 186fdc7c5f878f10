/** How late runs start: what counts as late, and how lateness spreads, check by check. */

import type { Quantiles } from '../domain/status.ts';

const MIN_BUDGET_MS = 2000;
const MAX_BUDGET_MS = 30_000;
const LATE_RUNS = 3;

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
    const bucket = ms <= 1 ? 0 : Math.min(Math.ceil(2 * Math.log2(ms)), BUCKETS - 1);
    const index = slot * BUCKETS + bucket;
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

/** Upper end, in whole ms, of the bucket in which the count reaches `rank`. */
const bound = (counts: Uint8Array, rank: number): number => {
  let seen = 0;
  let bucket = 0;
  for (; bucket < BUCKETS - 1; bucket++) {
    seen += counts[bucket] as number;
    if (seen >= rank) break;
  }
  return Math.ceil(2 ** (bucket / 2));
};
