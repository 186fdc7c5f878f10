/**
 * When a check that was not held here runs first: with what its last owner has left undone, with a run at
 * start, or with its next tick.
 */

import { GAP_MS } from '../shared/coordination/stops.ts';
import type { CheckId } from '../shared/domain/check.ts';
import type { Handover } from '../shared/domain/jobset.ts';
import { fraction } from '../shared/rules/hash.ts';
import type { Ticks } from './ticks.ts';

/**
 * At start every check runs once, 200 a second: a folder of 2,000 within 10 s. Of a larger one, most
 * checks have their first tick before their turn comes, and need no run at start.
 */
const OPENING_STEP_MS = 5;

/** Between the clocks of two machines that are kept right: a tick further ahead is of another time. */
const SKEW_MS = 5_000;

/** How the new checks of a jobset begin. */
export interface Beginning {
  readonly now: number;
  /** When they have their runs at start; null when they have none. */
  readonly opening: { readonly from: number; readonly spreadMs: number } | null;
  /** What their last owner has done; null when they had none. */
  readonly done: { readonly through: number; readonly open: ReadonlyMap<CheckId, number> } | null;
  readonly states: Handover['states'];
  /** Why ticks have passed that are not caught up. */
  readonly missed: 'catchup' | 'capacity';
}

export interface FirstRun {
  readonly due: number;
  /** It is the run at start, and no tick. */
  readonly isOpening: boolean;
}

export class Beginnings {
  readonly #ticks: Ticks;
  readonly #runAtStart: boolean;
  /** Until when runs at start are given out. */
  #openingUntil = 0;

  constructor(ticks: Ticks, runAtStart: boolean) {
    this.#ticks = ticks;
    this.#runAtStart = runAtStart;
  }

  /** Reserves the next stretch of time for runs at start; only new checks take part of it. */
  of(handover: Handover | null, now: number, checks: number): Beginning {
    const { progress = null, states = {}, waited = false } = handover ?? {};
    const missed = waited ? 'capacity' : 'catchup';
    if (progress !== null) {
      // A clock that is far ahead of this one's says nothing; one that is a little ahead says what is done.
      const isCredible = progress.through <= now + SKEW_MS;
      const through = isCredible ? progress.through : now - GAP_MS;
      const open = new Map(progress.open.filter(([, tick]) => tick <= now + SKEW_MS));
      return { now, opening: null, done: { through, open }, states, missed };
    }
    if (!this.#runAtStart) return { now, opening: null, done: null, states, missed };
    const from = Math.max(now, this.#openingUntil);
    const spreadMs = checks * OPENING_STEP_MS;
    this.#openingUntil = from + spreadMs;
    return { now, opening: { from, spreadMs }, done: null, states, missed };
  }

  firstRun(slot: number, id: CheckId, { now, opening, done }: Beginning): FirstRun {
    if (done !== null) {
      const due = done.open.get(id) ?? this.#ticks.after(slot, done.through);
      return { due, isOpening: false };
    }
    const tick = this.#ticks.after(slot, now);
    if (opening === null) return { due: tick, isOpening: false };
    const at = opening.from + Math.floor(fraction(`${id}:opening`) * opening.spreadMs);
    return at < tick ? { due: at, isOpening: true } : { due: tick, isOpening: false };
  }
}
