/**
 * Thirty days of checks before they have run: schedules → **how many runs, and in which seconds** →
 * cost. Exact by the rules of schedule.ts; runs at start are not among them.
 */

import type { CheckId, Schedule } from '../domain/check.ts';
import { type Cron, cronOf, offsetOf } from './schedule.ts';

export const MONTH_SECONDS = 30 * 24 * 3600;
const MINUTE_SECONDS = 60;

/** When something runs: an expression with `H` takes longer to read than all the rest. */
export interface Scheduled {
  readonly cron: Cron;
  /** Behind the cron's instants, in whole seconds. */
  readonly offset: number;
}

export const scheduledOf = (schedule: Schedule, id: CheckId): Scheduled => ({
  cron: cronOf(schedule, id),
  offset: Math.floor(offsetOf(schedule, id) / 1000),
});

/** Runs of some checks over the month. */
export interface Load {
  /** How many start in each second. */
  readonly seconds: Uint32Array;
  /** How many different checks run in each minute. */
  readonly minutes: Uint32Array;
}

export class Month {
  readonly #from: number;
  readonly #runs = new Map<Cron, number>();

  /** `from` in ms since the epoch, a whole second. */
  constructor(from: number) {
    this.#from = from;
  }

  runs({ cron }: Scheduled): number {
    const known = this.#runs.get(cron);
    if (known !== undefined) return known;
    const { count } = cron.span(this.#from - 1, this.#from + MONTH_SECONDS * 1000 - 1);
    this.#runs.set(cron, count);
    return count;
  }

  runsOf(all: readonly Scheduled[]): number {
    return all.reduce((sum, one) => sum + this.runs(one), 0);
  }

  /** Ten megabytes of counts: made for one destination after another. */
  load(all: readonly Scheduled[]): Load {
    const seconds = new Uint32Array(MONTH_SECONDS);
    const minutes = new Uint32Array(MONTH_SECONDS / MINUTE_SECONDS);
    for (const [cron, offsets] of byCron(all)) {
      const instants = this.#instants(cron);
      for (const [offset, checks] of offsets) add({ seconds, minutes }, instants, offset, checks);
    }
    return { seconds, minutes };
  }

  /** In seconds from the start of the month. */
  #instants(cron: Cron): readonly number[] {
    const end = this.#from + MONTH_SECONDS * 1000;
    const instants: number[] = [];
    for (let at = cron.after(this.#from - 1); at < end; at = cron.after(at))
      instants.push((at - this.#from) / 1000);
    return instants;
  }
}

/** Checks of one cron that also share the second in which they run are counted, not walked. */
const byCron = (all: readonly Scheduled[]): ReadonlyMap<Cron, ReadonlyMap<number, number>> => {
  const crons = new Map<Cron, Map<number, number>>();
  for (const { cron, offset } of all) {
    const offsets = crons.get(cron) ?? new Map<number, number>();
    crons.set(cron, offsets.set(offset, (offsets.get(offset) ?? 0) + 1));
  }
  return crons;
};

const add = (
  { seconds, minutes }: Load,
  instants: readonly number[],
  offset: number,
  checks: number,
): void => {
  let before = -1;
  for (const instant of instants) {
    // What the offset moves out at the end of the month comes in at its beginning.
    const second = (instant + offset) % MONTH_SECONDS;
    const minute = Math.floor(second / MINUTE_SECONDS);
    seconds[second] = (seconds[second] ?? 0) + checks;
    if (minute !== before) minutes[minute] = (minutes[minute] ?? 0) + checks;
    before = minute;
  }
};
