/**
 * Items → the fewest PutMetricData requests: **encode** → client. Values of one metric, with the same
 * dimensions, in the same minute are one datum, whichever items they come from.
 */

import { instantOf } from '../../domain/delivery.ts';
import type { Call, Item } from '../destination.ts';

/** Of PutMetricData. */
export const MAX_DATUMS = 1_000;
const MAX_VALUES = 150;
const MAX_VALUE = 2 ** 360;
/** AWS takes 1 MB. */
export const MAX_CALL_BYTES = 900_000;

/** One value of a metric at the item's instant. */
export interface Point {
  /** Start of a datum: `{"MetricName":…,"Unit":…,"Dimensions":[…]`, in ASCII. */
  readonly head: string;
  readonly value: number;
}

export interface MetricsOf {
  readonly namespace: string;
  /** Items with the same key go in the same call, where they fit: their values meet in one datum. */
  readonly keyOf: (item: Item) => string;
  readonly pointsOf: (item: Item) => readonly Point[];
}

export const encodeMetrics = (
  items: readonly Item[],
  { namespace, keyOf, pointsOf }: MetricsOf,
): readonly Call<string>[] => {
  const start = bodyStart(namespace);
  const batches: Batch[] = [];
  const homes = new Map<string, Batch>();
  let open = new Batch(start);
  for (const item of items) {
    const key = keyOf(item);
    const part: Part = {
      item,
      key,
      minute: minuteOf(item),
      points: pointsOf(item).filter(isAccepted),
    };
    if (part.points.length === 0 || homes.get(key)?.add(part)) continue;
    if (!open.add(part)) {
      const next = new Batch(start);
      // Too large even for an empty call: in none.
      if (!next.add(part)) continue;
      batches.push(open);
      open = next;
    }
    homes.set(key, open);
  }
  return [...batches, open].filter((batch) => batch.items.length > 0).map((batch) => batch.call());
};

/** Its start, in seconds since the epoch. */
const minuteOf = ({ emission }: Item): number => Math.floor(instantOf(emission) / 60_000) * 60;

export const bodyStart = (namespace: string): string =>
  `{"Namespace":${JSON.stringify(namespace)},"MetricData":[`;

const isAccepted = ({ value }: Point): boolean => Math.abs(value) <= MAX_VALUE;

/** What an item brings to a call. */
interface Part {
  readonly item: Item;
  readonly key: string;
  readonly minute: number;
  readonly points: readonly Point[];
}

/** What a datum takes beside its head and its values. */
const DATUM_BYTES = 56;
/** The longest text of a number, its count, and two commas. */
const VALUE_BYTES = 32;

/** One call while it is filled. Its size is reckoned from above: it never has too much. */
class Batch {
  readonly items: Item[] = [];
  readonly #start: string;
  /** By minute and key: hashing a whole head would cost more than all the rest. */
  readonly #minutes = new Map<number, Map<string, Series[]>>();
  #datums = 0;
  #bytes: number;

  constructor(start: string) {
    this.#start = start;
    this.#bytes = start.length;
  }

  /** False, and nothing is done, when there is no room. */
  add({ item, key, minute, points }: Part): boolean {
    const slot = this.#minutes.get(minute)?.get(key) ?? [];
    let datums = this.#datums;
    let bytes = this.#bytes;
    for (const { head, value } of points) {
      const series = seriesOf(slot, head);
      if (series?.has(value)) continue;
      bytes += VALUE_BYTES;
      if (series !== undefined && !series.isFull) continue;
      datums += 1;
      bytes += head.length + DATUM_BYTES;
    }
    if (datums > MAX_DATUMS || bytes > MAX_CALL_BYTES) return false;
    this.#datums = datums;
    this.#bytes = bytes;
    this.items.push(item);
    if (slot.length === 0) this.#keep(slot, key, minute);
    for (const { head, value } of points) {
      const series = seriesOf(slot, head);
      if (series === undefined) slot.push(new Series(head, value));
      else series.add(value);
    }
    return true;
  }

  call(): Call<string> {
    let body = this.#start;
    let comma = '';
    for (const [minute, slots] of this.#minutes) {
      const timestamp = `,"Timestamp":${minute},"Values":[`;
      for (const slot of slots.values()) {
        for (const series of slot) {
          body += comma + series.text(timestamp);
          comma = ',';
        }
      }
    }
    body += ']}';
    return { items: this.items, bytes: Buffer.byteLength(body), payload: body };
  }

  #keep(slot: Series[], key: string, minute: number): void {
    let slots = this.#minutes.get(minute);
    if (slots === undefined) {
      slots = new Map();
      this.#minutes.set(minute, slots);
    }
    slots.set(key, slot);
  }
}

const seriesOf = (slot: readonly Series[], head: string): Series | undefined => {
  for (const series of slot) if (series.head === head) return series;
  return undefined;
};

/** The values of one metric in one minute. */
class Series {
  readonly head: string;
  /** Most have one value, for which a map would cost more than the rest of the encoding. */
  readonly #first: number;
  #counts: Map<number, number> | null = null;
  /** More distinct values than a datum takes: three digits of each are kept. */
  #isCoarse = false;

  constructor(head: string, value: number) {
    this.head = head;
    this.#first = value;
  }

  /** The next new value starts a datum. */
  get isFull(): boolean {
    return this.#counts !== null && this.#counts.size % MAX_VALUES === 0;
  }

  has(value: number): boolean {
    if (this.#counts === null) return value === this.#first;
    return this.#counts.has(this.#isCoarse ? coarse(value) : value);
  }

  add(value: number): void {
    this.#counts ??= new Map([[this.#first, 1]]);
    this.#count(value, 1);
  }

  /**
   * One datum, or several where even the coarse values are too many. A count of 1 and a resolution of
   * 60 s go without saying, which saves a sixth of the bytes.
   */
  text(timestamp: string): string {
    const start = this.head + timestamp;
    if (this.#counts === null) return `${start}${this.#first}]}`;
    const values = [...this.#counts.keys()];
    const counts = [...this.#counts.values()];
    const datums: string[] = [];
    for (let from = 0; from < values.length; from += MAX_VALUES) {
      const to = from + MAX_VALUES;
      datums.push(`${start}${values.slice(from, to)}],"Counts":[${counts.slice(from, to)}]}`);
    }
    return datums.join(',');
  }

  #count(value: number, times: number): void {
    const counts = this.#counts ?? new Map<number, number>();
    const kept = this.#isCoarse ? coarse(value) : value;
    counts.set(kept, (counts.get(kept) ?? 0) + times);
    if (this.#isCoarse || counts.size <= MAX_VALUES) return;
    this.#isCoarse = true;
    this.#counts = new Map();
    for (const [fine, count] of counts) this.#count(fine, count);
  }
}

const coarse = (value: number): number => Number(value.toPrecision(3));
