/**
 * As much of CloudWatch and EventBridge as a pool on one machine needs: takes what watcher's sinks send,
 * believes every signature, keeps nothing. Point the sinks at it by AWS_ENDPOINT_URL.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface Level {
  readonly name: string;
  readonly value: number;
  readonly dimensions: Readonly<Record<string, string>>;
}

export interface Happening {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface CloudWatchOptions {
  readonly host: string;
  readonly port: number;
  readonly onLevel: (level: Level) => void;
  readonly onEvent: (event: Happening) => void;
}

/** As they come over the wire, as far as they are read. */
interface MetricData {
  readonly MetricData: readonly {
    readonly MetricName: string;
    readonly Values: readonly number[];
    readonly Counts?: readonly number[];
    readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  }[];
}
interface Events {
  readonly Entries: readonly { readonly DetailType?: string; readonly Detail?: string }[];
}

/** Rejects when the port is taken. */
export async function startCloudWatch(options: CloudWatchOptions): Promise<AsyncDisposable> {
  const server = createServer((request, response) => void answer(options, request, response));
  await once(server.listen(options.port, options.host), 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

async function answer(
  options: CloudWatchOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let body: object;
  let status = 200;
  try {
    body = take(options, request, await bodyOf(request));
  } catch (error) {
    status = 400;
    body = { __type: 'ValidationException', message: (error as Error).message };
  }
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(JSON.stringify(body));
}

function take(options: CloudWatchOptions, { headers }: IncomingMessage, body: unknown): object {
  const operation = String(headers['x-amz-target']).split('.').at(-1);
  if (operation === 'PutMetricData') {
    for (const level of levelsIn(body as MetricData)) options.onLevel(level);
    return {};
  }
  if (operation !== 'PutEvents') throw new Error(`this is no ${operation}`);
  const { Entries } = body as Events;
  for (const { DetailType = '', Detail = '{}' } of Entries)
    options.onEvent({ type: DetailType, detail: JSON.parse(Detail) });
  return { FailedEntryCount: 0, Entries: Entries.map((_, i) => ({ EventId: `local-${i}` })) };
}

/** The average of each, as a policy asks for it. */
const levelsIn = ({ MetricData }: MetricData): readonly Level[] =>
  MetricData.map(({ MetricName, Values, Counts = [], Dimensions = [] }) => ({
    name: MetricName,
    value: averageOf(Values, Counts),
    dimensions: Object.fromEntries(Dimensions.map((one) => [one.Name, one.Value])),
  }));

function averageOf(values: readonly number[], counts: readonly number[]): number {
  const countOf = (i: number): number => counts[i] ?? 1;
  const sum = values.reduce((all, value, i) => all + value * countOf(i), 0);
  return sum / values.reduce((all, _, i) => all + countOf(i), 0);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const raw = Buffer.concat(await request.toArray());
  const isZipped = request.headers['content-encoding'] === 'gzip';
  return JSON.parse(String(isZipped ? gunzipSync(raw) : raw));
}
