/** The JSON shapes that a process serves and `watcher status` and `watcher self` print. */

import type { Status } from './result.ts';

/** Upper bounds, in ms, read from a logarithmic histogram; null before the first run. */
export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** One check as its worker sees it now. Times are ms since the epoch. */
export interface CheckView {
  readonly check: string;
  readonly id: string;
  readonly jobset: string;
  /** `pending` before the first result. */
  readonly status: Status | 'pending';
  readonly reason: string | null;
  /** Since when the status has been what it is. */
  readonly since: number | null;
  readonly lastTick: number | null;
  readonly durationMs: number | null;
  readonly latenessMs: number | null;
  readonly nextTick: number | null;
  readonly lateness: Quantiles | null;
  readonly runs: number;
  readonly skipped: number;
}
