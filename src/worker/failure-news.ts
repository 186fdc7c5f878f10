/** Whether a check that fails says something new about its endpoint: runner → **news** → preflight. */

import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';

/** An endpoint that was looked at within this is not looked at again. */
export const NO_NEWS_MS = 600_000;
/** Endpoints remembered; the longest known are forgotten first. */
const MOST_KNOWN = 10_000;

/** When it was news last, and who worked then. */
interface Known {
  /** Monotonic ms. */
  readonly at: number;
  readonly live: readonly WorkerRecord[];
}

export class FailureNews {
  readonly #clock: Clock;
  readonly #members: { readonly live: readonly WorkerRecord[] };
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock, members: { readonly live: readonly WorkerRecord[] }) {
    this.#clock = clock;
    this.#members = members;
  }

  /** What goes on failing is news again only when somebody has joined who may do better. */
  isNews(origin: string, hasTurned: boolean): boolean {
    const { live } = this.#members;
    const at = this.#clock.monotonicMs();
    const known = this.#known.get(origin);
    if (known && at - known.at < NO_NEWS_MS) return false;
    if (known && !hasTurned && !hasJoined(live, known.live)) return false;
    this.#known.delete(origin);
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MOST_KNOWN) this.#known.delete(oldest);
    this.#known.set(origin, { at, live });
    return true;
  }

  /** Looking at it has shown nothing: the next failure is news. */
  forget(origin: string): void {
    this.#known.delete(origin);
  }
}

const hasJoined = (live: readonly WorkerRecord[], before: readonly WorkerRecord[]): boolean => {
  if (live === before) return false;
  const known = new Set(before.map(({ id }) => id));
  return live.some(({ id }) => !known.has(id));
};
