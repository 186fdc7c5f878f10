/** Datadog destinations as the tests of this folder use them. */

import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import type { Emission } from '../../../../src/shared/domain/delivery.ts';
import type { DatadogSink } from '../../../../src/shared/domain/sink-settings.ts';
import { type ConnectTo, parseConnectTo } from '../../../../src/shared/rules/connect-to.ts';
import { systemClock } from '../../../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../../../src/shared/secrets/resolve.ts';
import { datadogDestinations } from '../../../../src/shared/sinks/datadog/destinations.ts';
import type {
  Call,
  Destination,
  DestinationContext,
  Item,
} from '../../../../src/shared/sinks/destination.ts';
import { createHttpTransport } from '../../../../src/shared/sinks/http/undici-transport.ts';
import { TICK } from '../../../support/builders.ts';
import { datadogProblems } from '../../../support/datadog-constraints.ts';
import type { HttpSink } from '../../../support/http-sink.ts';

export const aSink = (overrides: Partial<DatadogSink> = {}): DatadogSink => ({
  kind: 'datadog',
  site: 'datadoghq.com',
  apiKey: '${env:DD_API_KEY}',
  tags: ['env:prod'],
  metrics: ['success', 'duration_ms', 'lateness_ms'],
  events: true,
  serviceChecks: true,
  ...overrides,
});

export const KEY = '0123456789abcdef0123456789abcdef';

export const aContext = ({
  intake,
  env = { DD_API_KEY: KEY },
}: {
  intake?: HttpSink;
  env?: Record<string, string>;
} = {}): DestinationContext & AsyncDisposable => {
  const connectTo: ConnectTo = intake
    ? parseConnectTo([`api.datadoghq.com:443:127.0.0.1:${intake.port}`])
    : () => null;
  const http = createHttpTransport({ clock: systemClock, connectTo });
  return {
    clock: systemClock,
    secrets: createSecrets({ clock: systemClock, env }),
    http,
    connectTo,
    host: 'host-1',
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
};

const LABELS = {
  series: 'datadog series',
  events: 'datadog events',
  checks: 'datadog service checks',
} as const;

export const destination = (
  which: keyof typeof LABELS,
  sink: DatadogSink = aSink(),
  context: DestinationContext = aContext(),
): Destination => {
  const found = datadogDestinations(sink, context).find(({ label }) => label === LABELS[which]);
  if (!found) throw new Error(`the sink has no ${which}`);
  return found;
};

export const itemsOf = (emissions: readonly Emission[]): readonly Item[] =>
  emissions.map((emission, seq) => ({ seq, emission, body: null }));

const PATHS = {
  'datadog series': '/api/v2/series',
  'datadog events': '/api/v1/events',
  'datadog service checks': '/api/v1/check_run',
} as Readonly<Record<string, string>>;

/** The bodies of the calls, each of which Datadog would take as it stands a minute after the tick. */
export const bodiesOf = (
  { label, maxCallBytes, ...made }: Destination,
  emissions: readonly Emission[],
): readonly unknown[] => {
  const calls = made.encode(itemsOf(emissions)) as readonly Call<string | Uint8Array>[];
  return calls.map(({ payload, bytes }) => {
    const isPacked = typeof payload !== 'string';
    const raw = isPacked ? payload : Buffer.from(payload);
    expect(bytes).toBe(raw.length);
    expect(bytes).toBeLessThanOrEqual(maxCallBytes);
    const headers = {
      'dd-api-key': KEY,
      'content-type': 'application/json',
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
    };
    const request = { path: PATHS[label] ?? '', headers, raw };
    expect(datadogProblems(request, TICK + 60_000)).toEqual([]);
    return JSON.parse(isPacked ? gunzipSync(raw).toString() : payload);
  });
};
