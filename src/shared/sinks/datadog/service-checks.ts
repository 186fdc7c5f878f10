/** Every result's status as a service check: delivery → **service checks** → Datadog. */

import type { Result, Status } from '../../domain/result.ts';
import type { DatadogSink } from '../../domain/sink-settings.ts';
import { cut, harmless } from '../../rules/post-text.ts';
import type { Call, Destination, DestinationContext, Item } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { datadogApi } from './api.ts';
import type { CheckTags } from './names.ts';

/** Datadog takes them up to 10 minutes old; one is for clocks and ways. */
const MAX_AGE_MS = 9 * 60_000;
const MAX_BYTES = 400_000;
const MAX_ITEMS = 2_000;
/** They are shown in a line, and repeated in notifications. */
const MAX_MESSAGE = 500;

const STATUS_NUMBERS = {
  ok: 0,
  warning: 1,
  critical: 2,
  unknown: 3,
} as const satisfies Record<Status, number>;

/**
 * The host is part of what Datadog tells statuses apart by, and checks move between workers: with the
 * worker's own name an old `critical` would stay behind on the host that a check has left.
 */
const HEAD = '{"check":"watcher.check","host_name":"watcher","tags":';

export const serviceChecksDestination = (
  sink: DatadogSink,
  context: DestinationContext,
  tags: CheckTags,
): Destination<string> => {
  const api = datadogApi(sink, context);
  return {
    id: destinationId('datadog service checks', sink.site, sink.apiKey, JSON.stringify(sink.tags)),
    label: 'datadog service checks',
    windowMs: 10_000,
    maxAgeMs: MAX_AGE_MS,
    concurrency: 2,
    maxItems: MAX_ITEMS,
    maxCallBytes: MAX_BYTES,
    wants: ({ kind }) => kind === 'result',
    encode: (items) => encode(items, tags),
    send: ({ payload }, signal) => api.post({ path: '/api/v1/check_run', body: payload }, signal),
    verify: api.verify,
    [Symbol.asyncDispose]: async () => {},
  };
};

const encode = (items: readonly Item[], tags: CheckTags): readonly Call<string>[] => {
  const calls: Call<string>[] = [];
  let held: Item[] = [];
  let text = '';
  let bytes = BRACKET_BYTES;
  const close = (): void => {
    if (held.length > 0) calls.push({ items: held, bytes, payload: `[${text.slice(1)}]` });
    held = [];
    text = '';
    bytes = BRACKET_BYTES;
  };
  for (const item of items) {
    if (item.emission.kind !== 'result') continue;
    const one = checkText(item.emission.result, tags);
    const size = Buffer.byteLength(one);
    if (bytes + size > MAX_BYTES) close();
    held.push(item);
    text += one;
    bytes += size;
  }
  close();
  return calls;
};

/** `[` and `]`, less the comma before the first. */
const BRACKET_BYTES = 1;

const checkText = ({ check, tick, status, reason }: Result, tags: CheckTags): string => {
  const message =
    reason === null ? '' : `,"message":${JSON.stringify(cut(harmless(reason), MAX_MESSAGE))}`;
  return `,${HEAD}${tags.of(check).json},"status":${STATUS_NUMBERS[status]},"timestamp":${Math.floor(
    tick / 1000,
  )}${message}}`;
};
