/** Transitions, and a pool that is too small, as events: delivery → **events** → Datadog, one a call. */

import { isChange, type ResultEmission, type ScalingEmission } from '../../domain/delivery.ts';
import type { Status } from '../../domain/result.ts';
import type { DatadogSink } from '../../domain/sink-settings.ts';
import { cut, harmless, MAX_POST_TEXT } from '../../rules/post-text.ts';
import { scalingText } from '../../rules/scaling-text.ts';
import type { Call, Destination, DestinationContext, Item } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { datadogApi } from './api.ts';
import { type CheckTags, tagsOf } from './names.ts';

/** Datadog takes events up to 18 h old; two minutes are for clocks and ways. */
const MAX_AGE_MS = (18 * 60 - 2) * 60_000;
const MAX_KEY = 100;
/** Far above the longest event, whose text is cut. */
const MAX_BYTES = 100_000;

export const eventsDestination = (
  sink: DatadogSink,
  context: DestinationContext,
  tags: CheckTags,
): Destination<string> => {
  const api = datadogApi(sink, context);
  return {
    id: destinationId('datadog events', sink.site, sink.apiKey, JSON.stringify(sink.tags)),
    label: 'datadog events',
    windowMs: 250,
    maxAgeMs: MAX_AGE_MS,
    concurrency: 4,
    maxItems: 1,
    maxCallBytes: MAX_BYTES,
    wants: isChange,
    encode: (items) => items.flatMap((item) => callOf(item, tags) ?? []),
    send: ({ payload }, signal) => api.post({ path: '/api/v1/events', body: payload }, signal),
    verify: api.verify,
    [Symbol.asyncDispose]: async () => {},
  };
};

const callOf = (item: Item, tags: CheckTags): Call<string> | null => {
  const payload = textOf(item, tags);
  if (payload === null) return null;
  return { items: [item], bytes: Buffer.byteLength(payload), payload };
};

const textOf = ({ emission }: Item, tags: CheckTags): string | null => {
  switch (emission.kind) {
    case 'result':
      return eventText(emission, tags);
    case 'scaling':
      return scalingEventText(emission, tags);
    case 'self':
      return null;
  }
};

/** `unknown` is a fault on watcher's side: it warns, and is no outage. */
const ALERT_TYPES = {
  ok: 'success',
  warning: 'warning',
  critical: 'error',
  unknown: 'warning',
} as const satisfies Record<Status, string>;

const eventText = ({ result, transition }: ResultEmission, tags: CheckTags): string => {
  const { id, check, tick } = result;
  const to = transition?.to ?? result.status;
  const reason = transition?.reason ?? result.reason;
  const now = reason === null ? to : `${to}: ${harmless(reason)}`;
  const before = transition === null ? '' : `before: ${transition.from}\n`;
  return JSON.stringify({
    title: `${harmless(check)} is ${to}`,
    text: cut(`${before}${now}`, MAX_POST_TEXT),
    alert_type: ALERT_TYPES[to],
    aggregation_key: id.slice(0, MAX_KEY),
    date_happened: Math.floor(tick / 1000),
    source_type_name: 'watcher',
    tags: [...tags.list(check), `status:${to}`],
  });
};

const scalingEventText = ({ at, pool, event }: ScalingEmission, tags: CheckTags): string | null => {
  if (event === null) return null;
  const isRaised = event.change === 'raised';
  return JSON.stringify({
    title: `Scaling limit ${isRaised ? 'hit' : 'cleared'}: pool ${pool}`,
    text: cut(harmless(scalingText(event)), MAX_POST_TEXT),
    alert_type: isRaised ? 'warning' : 'success',
    aggregation_key: `scaling:${pool}`.slice(0, MAX_KEY),
    date_happened: Math.floor(at / 1000),
    source_type_name: 'watcher',
    tags: [...tagsOf([`pool:${pool}`, `scaling:${event.change}`]), ...tags.common],
  });
};
