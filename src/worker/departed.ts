/**
 * How far jobsets were when they were dropped: scheduler → **departed** → heartbeat. For a while only: whoever
 * has taken one over has said so itself long before, unless it died at once.
 */

import type { JobsetId } from '../shared/domain/check.ts';
import type { Progress } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';

const LEFT_MS = 60_000;
/** Ticks in flight that a checkpoint names one by one; with more it goes back to the oldest of them. */
const OPEN_TICKS = 1_000;

export class Departed {
  readonly #clock: Clock;
  readonly #left = new Map<JobsetId, { readonly progress: Progress; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(id: JobsetId, progress: Progress): void {
    this.#left.set(id, { progress, at: this.#clock.monotonicMs() });
  }

  /** It has come back. */
  forget(id: JobsetId): void {
    this.#left.delete(id);
  }

  lately(): Record<JobsetId, Progress> {
    const since = this.#clock.monotonicMs() - LEFT_MS;
    const left: Record<JobsetId, Progress> = {};
    let named = 0;
    for (const [id, { progress, at }] of this.#left) {
      if (at < since) {
        this.#left.delete(id);
        continue;
      }
      named += progress.open.length;
      left[id] = named <= OPEN_TICKS ? progress : withoutNames(progress);
    }
    return left;
  }
}

/** As a checkpoint stores it. */
export const inBrief = (progress: Progress): Progress =>
  progress.open.length <= OPEN_TICKS ? progress : withoutNames(progress);

/** The same in less: all from the oldest open tick on counts as not done. */
const withoutNames = ({ through, open }: Progress): Progress => {
  const oldest = open.reduce((earliest, [, tick]) => Math.min(earliest, tick), through + 1);
  return { through: oldest - 1, open: [] };
};
