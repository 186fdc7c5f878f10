/** The one list of pool-wide sinks: a kind of the settings file → its destinations. */

import type { SinkKind, SinkSettings } from '../domain/sink-settings.ts';
import { cloudWatchDestination } from './aws/cloudwatch.ts';
import { eventBridgeDestination } from './aws/eventbridge.ts';
import { datadogDestinations } from './datadog/destinations.ts';
import type { Destination, DestinationContext } from './destination.ts';
import { jsonFileDestination } from './json/json-file.ts';
import { webhookDestination } from './webhook.ts';

type Kinds = {
  readonly [K in SinkKind]: (
    sink: Extract<SinkSettings, { kind: K }>,
    context: DestinationContext,
  ) => readonly Destination[];
};

const KINDS: Kinds = {
  datadog: datadogDestinations,
  cloudwatch: (sink, context) => [cloudWatchDestination(sink, context)],
  eventbridge: (sink, context) => [eventBridgeDestination(sink, context)],
  jsonl: (sink, context) => [jsonFileDestination(sink, context)],
  webhook: (sink, context) => [webhookDestination(sink, context)],
};

export const destinationsOf = <K extends SinkKind>(
  sink: Extract<SinkSettings, { kind: K }>,
  context: DestinationContext,
): readonly Destination[] => KINDS[sink.kind as K](sink, context);
