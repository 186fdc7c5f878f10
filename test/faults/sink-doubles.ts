/**
 * One sink of each kind, as the pipeline sees them: real servers on loopback behind gates, and a file.
 * What arrives is told apart by check and tick, and forgotten at once: a row sends millions.
 */

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PostSettings } from '../../src/shared/domain/check.ts';
import type { SinkSettings, WebhookSink } from '../../src/shared/domain/sink-settings.ts';
import { ACCESS_KEY, type AwsFault, SECRET_KEY, startAwsDouble } from '../support/aws-double.ts';
import {
  type Behaviour,
  type SinkRequest,
  sinkAuthority,
  startHttpSink,
} from '../support/http-sink.ts';
import type { Arrivals } from './arrivals.ts';
import { type Gate, type GateMode, startGate } from './gate.ts';
import type { Host, SinkName } from './sink-names.ts';
import { Taking, type TakingOptions } from './taking.ts';

export interface SinkDoubles extends AsyncDisposable {
  readonly arrivals: Readonly<Record<SinkName, Arrivals>>;
  readonly sinks: readonly SinkSettings[];
  /** As a check file may say, to the host of the webhook. */
  readonly posts: PostSettings;
  readonly connectTo: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  set(host: Host, mode: GateMode): Promise<void>;
  /** Whatever is answered but `accept` is no acceptance, HTTP 200 among it. */
  answer(host: 'datadog' | 'webhook', answer: Answering): void;
  /** The next requests to AWS, one each. */
  failAws(faults: readonly AwsFault[]): void;
  /** Lines of the file that are none. */
  torn(): number;
  /** Takes in what has come so far. */
  look(): void;
}

type Answering = (request: SinkRequest) => Behaviour | 'accept';

const ACCEPTANCE: Behaviour = { status: 202, body: '{"errors":[]}' };
const UNAVAILABLE: Behaviour = { status: 503, body: '{}' };
const SITE = 'datadog.fault.test';
const LOOK_MS = 100;
const MAX_FILE_BYTES = 64 * 1024 ** 3;

export interface SinkDoublesOptions extends TakingOptions {
  readonly folder: string;
}

export async function startSinkDoubles(options: SinkDoublesOptions): Promise<SinkDoubles> {
  const { folder, hook = 'every' } = options;
  await using stack = new AsyncDisposableStack();
  const datadog = stack.use(await startHttpSink({ tls: true, hosts: [`api.${SITE}`] }));
  const aws = stack.use(await startAwsDouble());
  const webhook = stack.use(await startHttpSink());
  const gates: Readonly<Record<Host, Gate>> = {
    datadog: stack.use(await startGate(datadog.port)),
    aws: stack.use(await startGate(aws.port)),
    webhook: stack.use(await startGate(webhook.port)),
  };
  const file = path.join(folder, 'results.jsonl');
  const authority = path.join(folder, 'authority.pem');
  writeFileSync(authority, sinkAuthority());
  const taking = new Taking(options, { datadog, aws, webhook, file });
  const timer = setInterval(() => taking.look(), LOOK_MS);
  stack.defer(() => clearInterval(timer));
  const owned = stack.move();
  return {
    arrivals: taking.arrivals,
    sinks: sinksTo(file, { port: gates.webhook.port, on: hook }),
    posts: postsTo(gates.webhook.port),
    connectTo: [`api.${SITE}:443:127.0.0.1:${gates.datadog.port}`],
    env: {
      NODE_EXTRA_CA_CERTS: authority,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${gates.aws.port}`,
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
      FAULT_DATADOG_KEY: '0123456789abcdef0123456789abcdef',
    },
    set: async (host, mode) => {
      // Under TLS only the double itself can speak.
      const isSpoken = host === 'datadog' && mode === 'unavailable';
      if (host === 'datadog') datadog.always(isSpoken ? UNAVAILABLE : ACCEPTANCE);
      await gates[host].set(isSpoken ? 'open' : mode);
    },
    torn: () => taking.torn,
    answer: (host, answer) => {
      const server = host === 'datadog' ? datadog : webhook;
      server.always((request) => {
        const behaviour = answer(request);
        if (behaviour === 'accept') return ACCEPTANCE;
        if (behaviour !== 'late') taking.refuse(request);
        return behaviour;
      });
    },
    failAws: (faults) => aws.fail(...faults),
    look: () => taking.look(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const sinksTo = (
  file: string,
  { port, on }: { readonly port: number; readonly on: WebhookSink['on'] },
): readonly SinkSettings[] => [
  {
    kind: 'datadog',
    site: SITE,
    apiKey: '${env:FAULT_DATADOG_KEY}',
    tags: ['env:fault'],
    metrics: ['success', 'duration_ms'],
    events: true,
    serviceChecks: true,
  },
  {
    kind: 'cloudwatch',
    region: 'eu-central-1',
    namespace: 'Fault',
    dimensions: {},
    metrics: ['success', 'duration_ms'],
  },
  { kind: 'eventbridge', region: 'eu-central-1', bus: 'default', source: 'watcher' },
  { kind: 'jsonl', path: file, maxBytes: MAX_FILE_BYTES, keep: 0 },
  {
    kind: 'webhook',
    url: `http://127.0.0.1:${port}/hook`,
    headers: [],
    on,
    body: { id: '{id}', check: '{check}', status: '{status}', from: '{from}', tick: '{tick}' },
  },
];

const postsTo = (port: number): PostSettings => ({
  endpoint: {
    url: `http://127.0.0.1:${port}/post`,
    apiKey: { name: 'x-key', value: '${env:FAULT_DATADOG_KEY}', in: 'header' },
    body: { status: '{status}' },
  },
  on: 'every',
});
