/** The `datadog` sink of the settings file → its destinations. */

import type { DatadogSink } from '../../domain/sink-settings.ts';
import type { Destination, DestinationContext } from '../destination.ts';
import { eventsDestination } from './events.ts';
import { CheckTags } from './names.ts';
import { seriesDestination } from './series.ts';
import { serviceChecksDestination } from './service-checks.ts';

export const datadogDestinations = (
  sink: DatadogSink,
  context: DestinationContext,
): readonly Destination[] => {
  context.secrets.hide(sink.apiKey);
  const tags = new CheckTags(sink.tags);
  return [
    seriesDestination(sink, context, tags),
    ...(sink.events ? [eventsDestination(sink, context, tags)] : []),
    ...(sink.serviceChecks ? [serviceChecksDestination(sink, context, tags)] : []),
  ];
};
