/**
 * What the wall clocks of a zone show, as stretches of constant offset. All times are whole
 * seconds; "wall" seconds count from 1970-01-01T00:00 as a clock on the wall would.
 */

const DAY = 86_400;
const BLOCK = 366 * DAY;
/** Blocks kept for each zone: a few years around now, and room for a long search. */
const MAX_BLOCKS = 64;

/** wall = instant + offset, for instants in [from, to). */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  /** Offset just before `from`; the same as `offset` where no clock was changed. */
  readonly before: number;
}

export class Timezone {
  readonly #format: Intl.DateTimeFormat;
  readonly #blocks = new Map<number, readonly Stretch[]>();
  #recent: Stretch = { from: 0, to: 0, offset: 0, before: 0 };

  /** Throws RangeError for a name that the runtime's zone data lacks. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  }

  /** The stretch that holds an instant. Stretches also end where no clock changes, once a year. */
  at(second: number): Stretch {
    if (second >= this.#recent.from && second < this.#recent.to) return this.#recent;
    const block = this.#block(Math.floor(second / BLOCK));
    let index = block.length - 1;
    while (index > 0 && (block[index] as Stretch).from > second) index--;
    this.#recent = block[index] as Stretch;
    return this.#recent;
  }

  #block(number: number): readonly Stretch[] {
    let block = this.#blocks.get(number);
    if (!block) {
      if (this.#blocks.size >= MAX_BLOCKS) this.#blocks.clear();
      block = this.#scan(number * BLOCK);
      this.#blocks.set(number, block);
    }
    return block;
  }

  /** Looks at each day of a block, and at two before it, so that `before` is right from the start. */
  #scan(start: number): readonly Stretch[] {
    const end = start + BLOCK;
    const stretches: Stretch[] = [];
    let from = start - 2 * DAY;
    let offset = this.#offset(from);
    let before = offset;
    for (let day = from; day < end; day += DAY) {
      const next = this.#offset(day + DAY);
      if (next === offset) continue;
      const change = this.#change(day, day + DAY, offset);
      stretches.push({ from, to: change, offset, before });
      [from, before, offset] = [change, offset, next];
    }
    stretches.push({ from, to: Math.max(end, from + 1), offset, before });
    return stretches;
  }

  /** First second in (low, high] whose offset is no longer `offset`. */
  #change(low: number, high: number, offset: number): number {
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offset(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }

  /** Reads "…, GMT+05:30", "…, GMT-00:44:30" or "…, GMT". */
  #offset(second: number): number {
    const text = this.#format.format(second * 1000);
    const match = /([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text);
    if (!match) return 0;
    const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
    return match[1] === '-' ? -size : size;
  }
}
