/** The destination of EventBridge: what changes pool-wide, and events that check files post. */

import type { JsonValue } from '../../domain/check.ts';
import { type Emission, isChange, type ScalingEvent } from '../../domain/delivery.ts';
import type { AwsAccess, EventBridgeSink } from '../../domain/sink-settings.ts';
import type { Destination, DestinationContext, Outcome } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { AwsClient } from './client.ts';
import { outcomeOfEntries } from './entry-outcome.ts';
import {
  bodyText,
  changeText,
  type Event,
  type EventsOf,
  encodeEvents,
  entryText,
  MAX_CALL_BYTES,
  MAX_ENTRIES,
  scalingDetail,
} from './eventbridge-encode.ts';
import { verificationOf } from './outcome.ts';
import { eventBridgeService } from './services.ts';

const MAX_AGE_MS = 86_400_000;
const STATUS_CHANGE = 'Check Status Change';
const SCALING: Readonly<Record<ScalingEvent['change'], string>> = {
  raised: 'Scaling Limit Hit',
  cleared: 'Scaling Limit Cleared',
};
/** No rule asks for it, so nobody is alerted. */
const DOCTOR = 'Watcher Doctor';

/** Changes of the status of checks, and of whether the pool is large enough. */
export const eventBridgeDestination = (
  { bus, source, ...access }: EventBridgeSink,
  context: DestinationContext,
): Destination<string> =>
  destination(access, context, {
    id: destinationId('eventbridge', access.region, access.key ?? '', bus),
    label: 'eventbridge',
    bus,
    source,
    wants: isChange,
    eventOf: ({ emission }) => {
      const change = changeOf(emission);
      return change && { source, resources: [], ...change };
    },
  });

const changeOf = (emission: Emission): Pick<Event, 'detailType' | 'detail'> | null => {
  switch (emission.kind) {
    case 'result': {
      const { result, transition } = emission;
      return transition && { detailType: STATUS_CHANGE, detail: changeText(result, transition) };
    }
    case 'scaling': {
      const { pool, event } = emission;
      return event && { detailType: SCALING[event.change], detail: scalingDetail(pool, event) };
    }
    case 'self':
      return null;
  }
};

/** As `compileEventPost` renders it. */
interface EventBody {
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: { readonly [key: string]: JsonValue };
  readonly Resources: readonly string[];
}

/** `post_service` of check files, byte for byte as configured, to the default bus. */
export const eventBridgePostDestination = (
  access: AwsAccess,
  context: DestinationContext,
): Destination<string> =>
  destination(access, context, {
    id: destinationId('eventbridge posts', access.region, access.key ?? ''),
    label: 'eventbridge posts',
    bus: null,
    source: 'watcher',
    wants: () => true,
    eventOf: ({ body }) => {
      if (body === null) return null;
      const { Source, DetailType, Detail, Resources } = body as unknown as EventBody;
      return {
        source: Source,
        detailType: DetailType,
        detail: JSON.stringify(Detail),
        resources: Resources,
      };
    },
  });

interface Kind extends EventsOf {
  readonly id: Destination['id'];
  readonly label: string;
  /** Of the event by which `verify` asks. */
  readonly source: string;
  readonly wants: (emission: Emission) => boolean;
}

const destination = (
  access: AwsAccess,
  context: DestinationContext,
  { id, label, bus, source, wants, eventOf }: Kind,
): Destination<string> => {
  const { clock, host } = context;
  const target = {
    name: `EventBridge in ${access.region}`,
    permission: `events:PutEvents on the bus ${bus ?? 'default'}`,
  };
  const client = new AwsClient({ service: eventBridgeService, access, target, context });
  const put = (body: string, count: number, signal: AbortSignal): Promise<Outcome> =>
    client.send(body, signal, (answer) => outcomeOfEntries(answer, count, target));
  return {
    id,
    label,
    windowMs: 1_000,
    maxAgeMs: MAX_AGE_MS,
    concurrency: 4,
    maxItems: MAX_ENTRIES,
    maxCallBytes: MAX_CALL_BYTES,
    wants,
    encode: (items) => encodeEvents(items, { bus, eventOf }),
    send: ({ payload, items }, signal) => put(payload, items.length, signal),
    verify: async (signal) => {
      const detail = JSON.stringify({ host });
      const doctor = { source, detailType: DOCTOR, detail, resources: [] };
      const body = bodyText([entryText(doctor, clock.now(), bus)]);
      return verificationOf(
        await put(body, 1, signal),
        `${target.name} took one event "${DOCTOR}" on the bus ${bus ?? 'default'}; no rule asks for it`,
      );
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
};
