/**
 * One sink of each kind, as the pipeline sees them: real servers on loopback behind gates, and a file.
 * What arrives is told apart by check and tick, and forgotten at once: a row sends millions.
 */

import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PostSettings } from '../../src/shared/domain/check.ts';
import type { SinkSettings, WebhookSink } from '../../src/shared/domain/sink-settings.ts';
import type { SinkView } from '../../src/shared/domain/status.ts';
import type { Datum, Entry } from '../support/aws-constraints.ts';
import {
  ACCESS_KEY,
  type AwsDouble,
  type AwsFault,
  SECRET_KEY,
  startAwsDouble,
} from '../support/aws-double.ts';
import {
  type Behaviour,
  type HttpSink,
  type SinkRequest,
  sinkAuthority,
  startHttpSink,
} from '../support/http-sink.ts';
import { Arrivals } from './arrivals.ts';
import { type Gate, type GateMode, startGate } from './gate.ts';
import { isChange, numberOfDuration, type Sequence } from './synthetic.ts';

export const SINK_NAMES = [
  'datadog series',
  'datadog events',
  'datadog service checks',
  'cloudwatch',
  'eventbridge',
  'jsonl',
  'webhook',
  'post',
] as const;
export type SinkName = (typeof SINK_NAMES)[number];

/** As the destinations have them. */
export const WINDOW_MS: Readonly<Record<SinkName, number>> = {
  'datadog series': 10_000,
  'datadog events': 250,
  'datadog service checks': 10_000,
  cloudwatch: 60_000,
  eventbridge: 1_000,
  jsonl: 1_000,
  webhook: 50,
  post: 50,
};

/** The views of files and posts name path or host, too. */
export const viewOf = (name: SinkName, views: readonly SinkView[]): SinkView | undefined =>
  views.find(({ sink }) => sink === name || sink.startsWith(`${name} `));

/** Who shares an address. */
export const HOSTS = ['datadog', 'aws', 'webhook'] as const;
export type Host = (typeof HOSTS)[number];

export interface SinkDoubles extends AsyncDisposable {
  readonly arrivals: Readonly<Record<SinkName, Arrivals>>;
  readonly sinks: readonly SinkSettings[];
  /** As a check file may say, to the host of the webhook. */
  readonly posts: PostSettings;
  readonly connectTo: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Requests that reached a double, refused ones among them. */
  requests(host: Host): number;
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

export interface SinkDoublesOptions {
  readonly sequence: Sequence;
  readonly folder: string;
  /** Whether results come by a check file, too. */
  readonly posts?: boolean;
  /** What the webhook gets: one call each, so that many take their time. Default: every result. */
  readonly hook?: WebhookSink['on'];
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
    requests: (host) => taking.requests[host],
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

interface Servers {
  readonly datadog: HttpSink;
  readonly aws: AwsDouble;
  readonly webhook: HttpSink;
  readonly file: string;
}

/** Whoever takes from a double's lists empties them. */
const taken = <T>(list: readonly T[]): readonly T[] => (list as T[]).splice(0);

class Taking {
  readonly arrivals: Readonly<Record<SinkName, Arrivals>>;
  readonly requests: Record<Host, number> = { datadog: 0, aws: 0, webhook: 0 };
  /** Lines of the file that a process was killed in. */
  torn = 0;
  readonly #sequence: Sequence;
  readonly #servers: Servers;
  readonly #tail: Tail;
  readonly #refused = new WeakSet<SinkRequest>();

  constructor({ sequence, posts = false, hook = 'every' }: SinkDoublesOptions, servers: Servers) {
    this.#sequence = sequence;
    this.#servers = servers;
    this.#tail = new Tail(servers.file);
    const every = () => new Arrivals(sequence);
    const changes = () => new Arrivals(sequence, (n) => isChange(n, sequence));
    this.arrivals = {
      'datadog series': every(),
      'datadog events': changes(),
      'datadog service checks': every(),
      cloudwatch: every(),
      eventbridge: changes(),
      jsonl: every(),
      webhook: hook === 'every' ? every() : changes(),
      post: new Arrivals(sequence, () => posts),
    };
  }

  refuse(request: SinkRequest): void {
    this.#refused.add(request);
  }

  look(): void {
    const { datadog, aws, webhook } = this.#servers;
    this.requests.datadog += taken(datadog.requests).length;
    this.requests.aws += taken(aws.requests).length;
    this.requests.webhook += taken(webhook.requests).length;
    for (const request of this.#accepted(datadog)) this.#datadog(request);
    for (const request of this.#accepted(webhook)) this.#webhook(request);
    for (const { MetricData } of taken(aws.metrics))
      for (const datum of MetricData) this.#datum(datum);
    for (const entry of taken(aws.entries)) this.#event(entry);
    for (const line of this.#tail.lines()) this.#line(line);
  }

  #accepted(server: HttpSink): readonly SinkRequest[] {
    return taken(server.accepted()).filter((request) => !this.#refused.has(request));
  }

  #datadog({ path: where, text }: SinkRequest): void {
    const body = JSON.parse(text);
    if (where === '/api/v2/series') for (const series of body.series) this.#series(series);
    else if (where === '/api/v1/check_run') for (const one of body) this.#serviceCheck(one);
    else {
      const { tags, date_happened: second } = body;
      this.arrivals['datadog events'].takeTick(checkIn(tags), second * 1000, text);
    }
  }

  #series({ metric, tags, points }: DatadogSeries): void {
    if (metric !== 'watcher.check.duration_ms') return;
    for (const { timestamp, value } of points) {
      const content = `${tags} ${timestamp} ${value}`;
      this.arrivals['datadog series'].takeTick(checkIn(tags), timestamp * 1000, content);
    }
  }

  #serviceCheck(one: { readonly tags: readonly string[]; readonly timestamp: number }): void {
    const { tags, timestamp } = one;
    const { 'datadog service checks': arrivals } = this.arrivals;
    arrivals.takeTick(checkIn(tags), timestamp * 1000, JSON.stringify(one));
  }

  /** A value is the number of the run; how often it came is its count. */
  #datum(datum: Datum): void {
    const { MetricName, Dimensions = [], Values = [], Counts, Timestamp } = datum;
    if (MetricName !== 'watcher.check.duration_ms') return;
    const check = Dimensions.find(({ Name }) => Name === 'check')?.Value ?? '';
    for (const [index, value] of Values.entries())
      for (let times = Counts?.[index] ?? 1; times > 0; times--)
        this.arrivals.cloudwatch.take(
          numberOfDuration(check, value, this.#sequence),
          `${check} ${Timestamp} ${value}`,
        );
  }

  #event({ Detail = '{}', Time }: Entry): void {
    const { check, tick } = JSON.parse(Detail);
    this.arrivals.eventbridge.takeTick(check, Date.parse(tick), `${Detail} ${Time}`);
  }

  #webhook({ path: where, headers, text }: SinkRequest): void {
    const identity = String(headers['idempotency-key']);
    const [check = '', tick] = identity.split('@');
    const arrivals = where === '/post' ? this.arrivals.post : this.arrivals.webhook;
    arrivals.takeTick(check, Number(tick), `${identity} ${text}`);
  }

  #line(line: string): void {
    const { check, tick } = parsed(line) ?? {};
    if (check === undefined) this.torn += 1;
    else this.arrivals.jsonl.takeTick(check, Date.parse(tick), line);
  }
}

interface DatadogSeries {
  readonly metric: string;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

const parsed = (line: string) => {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
};

const CHECK_TAG = 'check:';
const checkIn = (tags: readonly string[]): string =>
  tags.find((tag) => tag.startsWith(CHECK_TAG))?.slice(CHECK_TAG.length) ?? '';

/** Whole lines of a file as it grows. */
class Tail {
  readonly #path: string;
  readonly #chunk = Buffer.alloc(1024 * 1024);
  #at = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: string) {
    this.#path = file;
  }

  *lines(): Iterable<string> {
    if (!existsSync(this.#path)) return;
    const descriptor = openSync(this.#path, 'r');
    try {
      for (;;) {
        const bytes = readSync(descriptor, this.#chunk, 0, this.#chunk.length, this.#at);
        if (bytes === 0) return;
        this.#at += bytes;
        const text = Buffer.concat([this.#rest, this.#chunk.subarray(0, bytes)]);
        const end = text.lastIndexOf(10) + 1;
        this.#rest = Buffer.from(text.subarray(end));
        yield* text
          .toString('utf8', 0, end)
          .split('\n')
          .filter((line) => line !== '');
      }
    } finally {
      closeSync(descriptor);
    }
  }
}
