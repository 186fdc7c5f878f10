/** What was wrong in a world, and when: faults → **circumstances** → accounts, absences. */

import type { WorkerId } from '../../src/shared/domain/check.ts';
import type { Span } from './ownership.ts';

/** What a watch has passed over is found out within this. */
export const BLIND_MS = 47_000;
/** What a worker told with a wrong clock counts until its jobsets have another owner, and its runs go on. */
const LASTING_MS = 30_000;

/** What is known of a worker process. */
export interface Witness {
  readonly id: WorkerId;
  /** When it may have found ticks that had passed: it was paused, its clock was set, it was detached. */
  readonly cameBackAt: number[];
  /** While something was wrong with it, and some time after. */
  readonly sick: Span[];
  /** Beats that reached the store: when each was sent, and when it was written. */
  readonly beats: { readonly sentAt: number; readonly at: number }[];
}

export class Circumstances {
  readonly witnesses = new Map<WorkerId, Witness>();
  /** While some process's wall clock was wrong: its ticks are those of another time. */
  readonly distorted: Span[] = [];
  /** While anything was wrong. */
  readonly disturbed: Span[] = [];
  /** While runs may wait for places. */
  readonly crowded: Span[] = [];
  /** While some watch passed things over, and until that is found out. */
  readonly blind: Span[] = [];
  /** When the store went back to older data, and what workers had told it was lost. */
  readonly restoredAt: number[] = [];
  readonly #now: () => number;

  /** `now`: world time. */
  constructor(now: () => number) {
    this.#now = now;
  }

  beginCrowd(): void {
    if (this.crowded.at(-1)?.to !== Number.POSITIVE_INFINITY)
      this.crowded.push({ from: this.#now(), to: Number.POSITIVE_INFINITY });
  }

  endCrowd(): void {
    const last = this.crowded.at(-1);
    if (last !== undefined) last.to = Math.min(last.to, this.#now());
  }

  /** Some wall clock is wrong now, or was until now. */
  distort(): void {
    const now = this.#now();
    const last = this.distorted.at(-1);
    if (last !== undefined && last.to > now) last.to = now + LASTING_MS;
    else this.distorted.push({ from: now - 1000, to: now + LASTING_MS });
  }
}

export const overlaps = (spans: readonly Span[], from: number, to: number): boolean =>
  spans.some((span) => span.from < to && span.to > from);
