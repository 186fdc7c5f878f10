/**
 * Part g: what the way of a result to the sinks costs, from the router to the answer, and how many
 * calls a minute each sink gets, against the fewest that its limits allow.
 */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SinkSettings } from '../../src/shared/domain/sink-settings.ts';
import type { SinkView } from '../../src/shared/domain/status.ts';
import { ACCESS_KEY, SECRET_KEY, startAwsDouble } from '../support/aws-double.ts';
import { makeCertificate } from '../support/certificates.ts';
import { sinkAuthority, startHttpSink } from '../support/http-sink.ts';
import { outputOf } from '../support/processes.ts';
import type { Figure } from './figure.ts';
import type { Window } from './measured-window.ts';
import type { PartOptions } from './part.ts';
import type { SinkLoad } from './sink-load.ts';

const CHECKS = 10_000;
const MINUTE_MS = 60_000;
/** Of each check a result a minute, which is what is promised, and twelve times as many. */
const PACES = [
  { name: '10,000 results a minute', perSecond: CHECKS / 60, isBound: true },
  { name: '120,000 results a minute', perSecond: (12 * CHECKS) / 60, isBound: false },
] as const;
/** One in so many changes the state of its check. */
const CHANGE_EVERY = 1_000;
const QUICK = { warmUpMs: 1_000, measureMs: 2_000 };

interface Seen {
  readonly window: Window;
  readonly views: readonly SinkView[];
}

export async function* sinkPath({ rounds, quick }: PartOptions): AsyncIterable<Figure> {
  await using rig = await startRig();
  // The first minute loads the AWS clients, which happens once in a process' life.
  const [bareSpan, span] = quick
    ? [QUICK, QUICK]
    : [
        { warmUpMs: 15_000, measureMs: MINUTE_MS },
        { warmUpMs: MINUTE_MS + 10_000, measureMs: 2 * MINUTE_MS },
      ];
  for (const { name, perSecond, isBound } of PACES) {
    const costs: { bare: number; all: number; calls: ReadonlyMap<string, number> }[] = [];
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      const bare = await rig.run({ perSecond, span: bareSpan, sinks: [] });
      const all = await rig.run({ perSecond, span, sinks: rig.sinks });
      const minutes = (span.warmUpMs + span.measureMs) / MINUTE_MS;
      const calls = new Map(all.views.map(({ sink, calls: made }) => [sink, made / minutes]));
      costs.push({ bare: bare.window.cpuUs, all: all.window.cpuUs, calls });
    }
    const samples = costs.map(({ bare, all }) => all - bare);
    const figure = { part: 'g', unit: 'µs' } as const;
    yield {
      ...figure,
      what: `${name}: results, made only`,
      samples: costs.map(({ bare }) => bare),
    };
    const bound = { bound: { atMost: 15 } };
    yield { ...figure, what: `${name}: the way to the sinks`, samples, ...(isBound ? bound : {}) };
    for (const [sink, least] of leastCalls(perSecond))
      yield {
        part: 'g',
        what: `${name}: calls to ${sink} over the fewest possible (${least.toFixed(1)} a minute)`,
        unit: 'ratio',
        samples: costs.map(({ calls }) => (calls.get(sink) ?? 0) / least),
        ...(quick || !isBound ? {} : { bound: { atMost: 1.2 } }),
      };
  }
}

/**
 * Calls a minute: in each window one if there is anything, or as many as the items or the bytes take.
 * Sizes are those of the requests that the doubles received: a result is 60 bytes of packed series,
 * 150 of service checks, and two metrics of 170 in CloudWatch.
 */
const leastCalls = (perSecond: number): ReadonlyMap<string, number> => {
  const perMinute = perSecond * 60;
  const changes = perMinute / CHANGE_EVERY;
  const windowed = (windowMs: number, callsOf: (items: number) => number): number => {
    const windows = MINUTE_MS / windowMs;
    return windows * Math.max(1, Math.ceil(callsOf(perMinute / windows)));
  };
  const datums = Math.min(CHECKS, perMinute) * 2;
  return new Map([
    [
      'datadog series',
      windowed(10_000, (items) => Math.max((items * 270) / 5_242_880, (items * 60) / 512_000)),
    ],
    ['datadog service checks', windowed(10_000, (items) => (items * 150) / 512_000)],
    ['datadog events', changes],
    ['cloudwatch', Math.max(datums / 1_000, (datums * 170) / 1_000_000)],
    // Changes that do not fall into the same second cannot share a call.
    ['eventbridge', Math.min(60, changes)],
  ]);
};

interface Rig extends AsyncDisposable {
  readonly sinks: readonly SinkSettings[];
  run(load: Pick<SinkLoad, 'perSecond' | 'span' | 'sinks'>): Promise<Seen>;
}

async function startRig(): Promise<Rig> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await mkdtempDisposable(path.join(tmpdir(), 'sink-path-')));
  const authority = makeCertificate({ isAuthority: true });
  const ca = path.join(folder.path, 'ca.pem');
  await writeFile(ca, `${authority.cert}${sinkAuthority()}`);
  const datadog = stack.use(await startHttpSink({ tls: true, hosts: ['api.datadoghq.com'] }));
  datadog.always({ status: 202, body: '{"status":"ok","errors":[]}' });
  const hosts = ['monitoring.us-east-1.amazonaws.com', 'events.us-east-1.amazonaws.com'];
  const aws = stack.use(
    await startAwsDouble({ tls: makeCertificate({ hosts, issuer: authority }) }),
  );
  const connectTo = [
    `api.datadoghq.com:443:127.0.0.1:${datadog.port}`,
    ...hosts.map((host) => `${host}:443:127.0.0.1:${aws.port}`),
  ];
  const region = 'us-east-1';
  const metrics = ['success', 'duration_ms'] as const;
  const keys = { key: '${env:AWS_KEY}', secret: '${env:AWS_SECRET}' };
  const sinks: readonly SinkSettings[] = [
    {
      kind: 'datadog',
      site: 'datadoghq.com',
      apiKey: '${env:DD_API_KEY}',
      tags: ['env:prod'],
      metrics,
      events: true,
      serviceChecks: true,
    },
    { kind: 'cloudwatch', region, ...keys, namespace: 'Watcher', dimensions: {}, metrics },
    { kind: 'eventbridge', region, ...keys, bus: 'default', source: 'watcher' },
    { kind: 'jsonl', path: path.join(folder.path, 'results.jsonl'), maxBytes: 64e6, keep: 1 },
  ];
  const script = path.join(import.meta.dirname, 'sink-load.ts');
  const env = {
    NODE_EXTRA_CA_CERTS: ca,
    DD_API_KEY: 'benchbenchbenchbench',
    AWS_KEY: ACCESS_KEY,
    AWS_SECRET: SECRET_KEY,
  };
  return {
    sinks,
    run: async (some) => {
      const stateFolder = path.join(folder.path, 'state');
      const load: SinkLoad = {
        ...some,
        checks: CHECKS,
        changeEvery: CHANGE_EVERY,
        stateFolder,
        connectTo,
      };
      const command = [process.execPath, '--max-semi-space-size=8', script, JSON.stringify(load)];
      return JSON.parse(await outputOf(command, { env })) as Seen;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
