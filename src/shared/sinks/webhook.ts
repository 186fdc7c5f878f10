/** The `webhook` sink: delivery → **any HTTP endpoint, in the shape that it wants**, item by item. */

import type { JsonValue } from '../domain/check.ts';
import { identityOf, type ResultEmission } from '../domain/delivery.ts';
import type { WebhookSink } from '../domain/sink-settings.ts';
import { compileTemplate, type Fields } from '../rules/template.ts';
import { isoTime } from '../runtime/clock.ts';
import type { Destination, DestinationContext, Item } from './destination.ts';
import { destinationId } from './destination-id.ts';
import {
  hostIn,
  MAX_POST_BYTES,
  type Posting,
  postsOfItems,
  sendPost,
  verifyByReaching,
} from './http/json-post.ts';

export const webhookDestination = (
  { url, headers, on, body }: WebhookSink,
  context: DestinationContext,
): Destination<Posting> => {
  const { secrets } = context;
  const template = compileTemplate(body);
  const textOf = ({ emission }: Item): string =>
    JSON.stringify(emission.kind === 'result' ? template(fieldsOf(emission)) : null);
  const resolved = (): Readonly<Record<string, string>> =>
    Object.fromEntries(
      headers.map(([name, value]) => [name.toLowerCase(), secrets.resolve(value)]),
    );
  return {
    id: destinationId('webhook', url, JSON.stringify(headers), on, JSON.stringify(body)),
    label: `webhook ${hostIn(url)}`.trimEnd(),
    windowMs: 50,
    // What is older is no news to people.
    maxAgeMs: 18 * 3_600_000,
    concurrency: 16,
    maxItems: 1,
    maxCallBytes: MAX_POST_BYTES,
    wants: (emission) =>
      emission.kind === 'result' && (on === 'every' || emission.transition !== null),
    encode: (items) => postsOfItems(items, textOf),
    send: ({ payload: posting }, signal) =>
      sendPost(context, {
        posting,
        request: (text) => ({ url: secrets.resolve(url), headers: resolved(), body: text }),
        signal,
      }),
    verify: (signal) => verifyByReaching(context, () => secrets.resolve(url), signal),
    [Symbol.asyncDispose]: async () => {},
  };
};

type Read = (emission: ResultEmission) => JsonValue | undefined;

/** As in the JSON line, and the transition. What is not there, a reason when all is well, is a gap. */
const FIELDS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['id', identityOf],
  ['check', ({ result }) => result.check],
  ['tick', ({ result }) => isoTime(result.tick)],
  ['start', ({ result }) => isoTime(result.start)],
  ['status', ({ result }) => result.status],
  ['from', ({ transition }) => transition?.from],
  ['to', ({ transition }) => transition?.to],
  ['reason', ({ result }) => result.reason ?? undefined],
  ['code', ({ result }) => result.code ?? undefined],
  ['duration_ms', ({ result }) => Math.round(result.durationMs * 1000) / 1000],
  ['lateness_ms', ({ result }) => result.latenessMs],
  ['worker', ({ result }) => result.worker],
]);

const VALUES = 'values.';

const fieldsOf = (emission: ResultEmission): Fields => {
  const { values } = emission.result;
  return (name) => {
    if (!name.startsWith(VALUES)) return FIELDS.get(name)?.(emission);
    const value = name.slice(VALUES.length);
    return Object.hasOwn(values, value) ? values[value] : undefined;
  };
};
