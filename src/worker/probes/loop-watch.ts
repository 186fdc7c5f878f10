/**
 * Notices when the event loop of this process stood still, so that its own silence is never blamed
 * on a target: a run asks how much of its time was lost. It beats only while runs are in flight.
 */

import type { Clock } from '../../shared/runtime/clock.ts';

/** Below this a late timer is ordinary business (a collection of garbage, a burst of work). */
export const STALL_MS = 50;
const BEAT_MS = 25;

export class LoopWatch {
  readonly #clock: Clock;
  #inFlight = 0;
  #beating = false;
  #nextBeat = 0;
  #stalledMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * A run starts at `now` (monotonic ms). Returns the mark to ask `stalledSince` with: a stall before
   * it, even one that no beat has noticed yet, is not the run's.
   */
  enter(now: number): number {
    this.#inFlight += 1;
    this.note(now);
    if (!this.#beating) this.#arm(now);
    return this.#stalledMs;
  }

  /** Counts a stall once: a beat that is overdue is due from now on. */
  note(now: number): void {
    const late = now - this.#nextBeat;
    if (!this.#beating || late <= STALL_MS) return;
    this.#stalledMs += late;
    this.#nextBeat = now;
  }

  leave(): void {
    this.#inFlight -= 1;
  }

  /** Milliseconds that the loop stood still since the mark, the stall that just ends included. */
  stalledSince(mark: number, now: number): number {
    this.note(now);
    return this.#stalledMs - mark;
  }

  #arm(now: number): void {
    this.#beating = true;
    this.#nextBeat = now + BEAT_MS;
    this.#clock.after(BEAT_MS, this.#beat);
  }

  readonly #beat = (): void => {
    const now = this.#clock.monotonicMs();
    this.note(now);
    this.#beating = this.#inFlight > 0;
    if (this.#beating) this.#arm(now);
  };
}
