/** Items → the fewest PutEvents requests: **encode** → client. */

import { instantOf, type ScalingEvent } from '../../domain/delivery.ts';
import type { Result, Transition } from '../../domain/result.ts';
import { scalingBody } from '../../rules/scaling-text.ts';
import { isoTime } from '../../runtime/clock.ts';
import type { Call, Item } from '../destination.ts';

/** One event, as EventBridge takes it. */
export interface Event {
  readonly source: string;
  readonly detailType: string;
  /** JSON text of an object. */
  readonly detail: string;
  readonly resources: readonly string[];
}

export interface EventsOf {
  /** Null: the default one of the account. */
  readonly bus: string | null;
  /** Null: the item is no event. */
  readonly eventOf: (item: Item) => Event | null;
}

export const MAX_ENTRIES = 10;
export const MAX_CALL_BYTES = 900_000;
/** 256 KB is what the smallest Regions take. */
const MAX_ENTRY_BYTES = 240 * 1024;

export const encodeEvents = (
  items: readonly Item[],
  { bus, eventOf }: EventsOf,
): readonly Call<string>[] => {
  const calls: Call<string>[] = [];
  let taken: Item[] = [];
  let texts: string[] = [];
  let bytes = 0;
  const close = () => {
    if (taken.length > 0) calls.push(callOf(taken, texts));
    taken = [];
    texts = [];
    bytes = 0;
  };
  for (const item of items) {
    const event = eventOf(item);
    if (event === null || entryBytes(event) > MAX_ENTRY_BYTES) continue;
    const text = entryText(event, instantOf(item.emission), bus);
    const more = Buffer.byteLength(text) + 1;
    if (taken.length === MAX_ENTRIES || bytes + more > MAX_CALL_BYTES) close();
    bytes += more;
    taken.push(item);
    texts.push(text);
  }
  close();
  return calls;
};

const callOf = (items: readonly Item[], texts: readonly string[]): Call<string> => {
  const payload = bodyText(texts);
  return { items, bytes: Buffer.byteLength(payload), payload };
};

export const bodyText = (entries: readonly string[]): string =>
  `{"Entries":[${entries.join(',')}]}`;

/** As AWS counts: 14 for the time, and the texts before they are part of JSON. */
const entryBytes = ({ source, detailType, detail, resources }: Event): number =>
  [source, detailType, detail, ...resources].reduce(
    (sum, text) => sum + Buffer.byteLength(text),
    14,
  );

/** `at` in ms since the epoch. */
export const entryText = (
  { source, detailType, detail, resources }: Event,
  at: number,
  bus: string | null,
): string => {
  const start = `{"Source":${JSON.stringify(source)},"DetailType":${JSON.stringify(detailType)}`;
  const busText = bus === null ? '' : `,"EventBusName":${JSON.stringify(bus)}`;
  return `${start},"Detail":${JSON.stringify(detail)},"Time":${at / 1000},"Resources":${JSON.stringify(resources)}${busText}}`;
};

/**
 * `{id, check, check_id, from, to, reason, code, tick, start, worker, detached, values}`. The `id` is
 * the same however often it is sent: consumers know a repeat by it.
 */
export const changeText = (result: Result, { from, to, reason }: Transition): string =>
  JSON.stringify({
    id: `${result.id}:${result.tick}:${from}-${to}`,
    check: result.check,
    check_id: result.id,
    from,
    to,
    reason,
    code: result.code,
    tick: isoTime(result.tick),
    start: isoTime(result.start),
    worker: result.worker,
    detached: result.detached,
    values: result.values,
  });

/** What the webhook of the settings is told too. */
export const scalingDetail = (pool: string, event: ScalingEvent): string =>
  JSON.stringify(scalingBody(pool, event, isoTime));
