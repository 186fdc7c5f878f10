/**
 * CloudWatch and EventBridge on loopback, for the real SDK: reads what comes as AWS does, verifies the
 * signature, holds it against the official models, answers in the services' own forms, and can be told
 * to fail.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import {
  type AwsOperation,
  bodyProblem,
  type Entry,
  type EntryFailure,
  entryProblem,
  type MetricData,
  problemOf,
} from './aws-constraints.ts';
import { credentialOf, type Refusal, signatureProblem } from './aws-signature.ts';
import type { Certificate } from './certificates.ts';

export interface AwsRequest {
  readonly operation: AwsOperation;
  readonly headers: IncomingMessage['headers'];
  /** Decompressed. */
  readonly text: string;
  readonly accessKeyId: string;
}

/** What the next request meets instead of an answer. */
export type AwsFault =
  /** In the service's own form. */
  | {
      readonly kind: 'error';
      readonly code: string;
      readonly status?: number;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Anything else that a server or a proxy may answer. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** By index; the others of the call are accepted. */
  | { readonly kind: 'entries'; readonly failed: Readonly<Record<number, string>> }
  | { readonly kind: 'hang' }
  /** The head of an answer, and nothing after it. */
  | { readonly kind: 'stall' }
  | { readonly kind: 'reset' };

export interface AwsDoubleOptions {
  /** Access key to secret. May be changed while it runs. */
  readonly keys?: Map<string, string>;
  /** For the age of timestamps; default: the machine's clock. */
  readonly now?: () => number;
  /** How far the server's clock is ahead of this machine's. */
  readonly skewMs?: number;
  readonly tls?: Certificate;
}

export interface AwsDouble extends AsyncDisposable {
  /** For `AWS_ENDPOINT_URL`. */
  readonly url: string;
  readonly port: number;
  /** All that were signed well, refused or not. */
  readonly requests: readonly AwsRequest[];
  /** Accepted. */
  readonly metrics: readonly MetricData[];
  readonly entries: readonly Entry[];
  /** Why requests were refused, in this double's own words. */
  readonly refusals: readonly string[];
  /** One fault a request, in this order; then all is well again. */
  fail(...faults: readonly AwsFault[]): void;
}

export const ACCESS_KEY = 'AKIDEXAMPLE';
export const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

const TARGETS: Readonly<
  Record<string, { readonly operation: AwsOperation; readonly type: string }>
> = {
  'GraniteServiceVersion20100801.PutMetricData': {
    operation: 'PutMetricData',
    type: 'application/x-amz-json-1.0',
  },
  'AWSEvents.PutEvents': { operation: 'PutEvents', type: 'application/x-amz-json-1.1' },
};
const SIGNING_NAMES: Readonly<Record<AwsOperation, string>> = {
  PutMetricData: 'monitoring',
  PutEvents: 'events',
};

export const startAwsDouble = async (options: AwsDoubleOptions = {}): Promise<AwsDouble> => {
  const service = new Service(options);
  const { tls } = options;
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    service.answer(request, response);
  const server = tls ? createTlsServer(tls, answer) : createServer(answer);
  // As public services do; Node's own 5 s would make most calls pay for a handshake.
  server.keepAliveTimeout = 65_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests: service.requests,
    metrics: service.metrics,
    entries: service.entries,
    refusals: service.refusals,
    fail: (...faults) => service.faults.push(...faults),
    [Symbol.asyncDispose]: () => stop(server),
  };
};

const stop = async (server: Server): Promise<void> => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
};

class Service {
  readonly requests: AwsRequest[] = [];
  readonly metrics: MetricData[] = [];
  readonly entries: Entry[] = [];
  readonly refusals: string[] = [];
  readonly faults: AwsFault[] = [];
  readonly #keys: ReadonlyMap<string, string>;
  readonly #now: () => number;
  readonly #skewMs: number;

  constructor({ keys, now, skewMs = 0 }: AwsDoubleOptions) {
    this.#keys = keys ?? new Map([[ACCESS_KEY, SECRET_KEY]]);
    this.#now = now ?? Date.now;
    this.#skewMs = skewMs;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = Buffer.concat(await request.toArray().catch(() => []));
    response.setHeader('date', new Date(Date.now() + this.#skewMs).toUTCString());
    const refusal =
      transportProblem(request, raw) ??
      signatureProblem(request, raw, {
        keys: this.#keys,
        now: Date.now() + this.#skewMs,
        service: SIGNING_NAMES[targetOf(request)?.operation ?? 'PutEvents'],
      });
    if (refusal !== null) return this.#refuse(response, refusal);
    const { operation } = targetOf(request) as { operation: AwsOperation };
    const text = textOf(request, raw);
    const accessKeyId = credentialOf(request)?.[0] ?? '';
    this.requests.push({ operation, headers: request.headers, text, accessKeyId });
    const fault = this.faults.shift();
    if (fault === undefined || fault.kind === 'entries')
      return this.#take(response, { operation, text }, fault?.failed ?? {});
    meet(fault, request, response);
  }

  #take(
    response: ServerResponse,
    { operation, text }: Pick<AwsRequest, 'operation' | 'text'>,
    failed: Readonly<Record<number, string>>,
  ): void {
    const input: unknown = parsed(text);
    const tooLarge = bodyProblem(Buffer.byteLength(text));
    if (tooLarge !== null)
      return this.#refuse(response, {
        code: 'RequestEntityTooLarge',
        status: 413,
        message: tooLarge,
      });
    const problem =
      input === undefined ? 'the body is not JSON' : problemOf(operation, input, this.#now());
    if (problem !== null)
      return this.#refuse(response, { ...REFUSAL_OF[operation], message: problem });
    if (operation === 'PutMetricData') {
      this.metrics.push(input as MetricData);
      return reply(response, 200, {});
    }
    this.#takeEntries(response, (input as { readonly Entries: readonly Entry[] }).Entries, failed);
  }

  #takeEntries(
    response: ServerResponse,
    entries: readonly Entry[],
    failed: Readonly<Record<number, string>>,
  ): void {
    const results = entries.map((entry, i): EntryFailure | { readonly EventId: string } => {
      const code = failed[i];
      const failure =
        code === undefined ? entryProblem(entry) : { ErrorCode: code, ErrorMessage: 'scripted' };
      if (failure !== null) return failure;
      this.entries.push(entry);
      return { EventId: `event-${this.entries.length}` };
    });
    const FailedEntryCount = results.filter((result) => 'ErrorCode' in result).length;
    reply(response, 200, { FailedEntryCount, Entries: results });
  }

  #refuse(response: ServerResponse, refusal: Refusal): void {
    this.refusals.push(`${refusal.code}: ${refusal.message}`);
    refuse(response, refusal);
  }
}

const REFUSAL_OF: Readonly<Record<AwsOperation, { readonly code: string }>> = {
  PutMetricData: { code: 'InvalidParameterValueException' },
  PutEvents: { code: 'ValidationException' },
};

const meet = (fault: AwsFault, request: IncomingMessage, response: ServerResponse): void => {
  switch (fault.kind) {
    case 'error':
      return refuse(response, { message: 'scripted', ...fault });
    case 'answer':
      response.writeHead(fault.status, { 'content-type': 'text/html', ...fault.headers });
      response.end(fault.body);
      return;
    case 'stall':
      response.writeHead(200, { 'content-length': 100 });
      response.flushHeaders();
      return;
    case 'reset':
      request.socket.resetAndDestroy();
      return;
    default:
  }
};

const refuse = (response: ServerResponse, { code, message, status, headers }: Refusal): void => {
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  reply(response, status ?? 400, { __type: code, message });
};

const reply = (response: ServerResponse, status: number, body: unknown): void => {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.1',
    'x-amzn-requestid': 'request-1',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
};

const targetOf = (request: IncomingMessage) => TARGETS[String(request.headers['x-amz-target'])];

/** What AWS's front end would stumble over. */
const transportProblem = (request: IncomingMessage, raw: Buffer): Refusal | null => {
  const target = targetOf(request);
  const { headers, method, url } = request;
  if (target === undefined || method !== 'POST' || url !== '/')
    return { code: 'UnknownOperationException', status: 404, message: `${method} ${url}` };
  if (headers['content-type'] !== target.type)
    return { code: 'SerializationException', message: `content-type ${headers['content-type']}` };
  if (headers['content-length'] !== String(raw.length))
    return { code: 'SerializationException', message: 'the length is not the one announced' };
  try {
    textOf(request, raw);
    return null;
  } catch {
    return { code: 'SerializationException', message: 'the body cannot be decompressed' };
  }
};

const textOf = (request: IncomingMessage, raw: Buffer): string =>
  String(request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw);

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
