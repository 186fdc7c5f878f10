import { describe, expect, it } from 'vitest';
import type {
  CheckDefinition,
  PostService,
  PostSettings,
  SelfDefinition,
} from '../../../src/shared/domain/check.ts';
import type { SinkSettings } from '../../../src/shared/domain/sink-settings.ts';
import { BATCHING, callsOf, DATUMS_PER_CALL } from '../../../src/shared/rules/batching.ts';
import { type CostOptions, costOf } from '../../../src/shared/rules/cost.ts';
import { Month, scheduledOf } from '../../../src/shared/rules/month.ts';
import { originOf } from '../../../src/shared/rules/post-cost.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import { MAX_DATUMS } from '../../../src/shared/sinks/aws/cloudwatch-encode.ts';
import { eventBridgePostDestination } from '../../../src/shared/sinks/aws/eventbridge.ts';
import { datadogDestinations } from '../../../src/shared/sinks/datadog/destinations.ts';
import type { DestinationContext } from '../../../src/shared/sinks/destination.ts';
import { jsonLine } from '../../../src/shared/sinks/json/json-line.ts';
import { aCheck, aResult, aSpec } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const FROM = Date.UTC(2026, 0, 1);
const MINUTES = 30 * 24 * 60;

const DATADOG: SinkSettings = {
  kind: 'datadog',
  site: 'datadoghq.com',
  apiKey: '${env:KEY}',
  tags: ['env:prod'],
  metrics: ['success', 'duration_ms'],
  events: true,
  serviceChecks: true,
};
const CLOUDWATCH: SinkSettings = {
  kind: 'cloudwatch',
  region: 'eu-central-1',
  namespace: 'Watcher',
  dimensions: {},
  metrics: ['success', 'duration_ms', 'lateness_ms'],
};
const EVENTBRIDGE: SinkSettings = {
  kind: 'eventbridge',
  region: 'eu-central-1',
  bus: 'ops',
  source: 'watcher',
};
const JSONL: SinkSettings = { kind: 'jsonl', path: 'a.jsonl', maxBytes: 1e6, keep: 5 };
const WEBHOOK: SinkSettings = {
  kind: 'webhook',
  url: 'https://hooks.example.com/s3cret?x=1',
  headers: [],
  on: 'every',
  body: {},
};

interface Given {
  readonly cron?: string;
  readonly posts?: PostSettings;
}

const checks = (many: number, { cron = '* * * * *', posts }: Given = {}): CheckDefinition[] =>
  Array.from({ length: many }, (_, n) =>
    aCheck(`host/${n}`, aSpec({ schedule: { cron }, ...(posts ? { posts } : {}) })),
  );

const cost = (given: Partial<CostOptions>) =>
  costOf({ definitions: [], selves: [], sinks: [], workers: 1, from: FROM, ...given });

const rows = (given: Partial<CostOptions>) =>
  Object.fromEntries(cost(given).destinations.map((row) => [row.sink, row]));

/** Those of a process about itself, whatever their number is. */
const ownMetrics = (sink: SinkSettings): number =>
  cost({ sinks: [sink] }).destinations[0]?.customMetrics ?? 0;

const service = (name: PostService['service'], more: Partial<PostService> = {}): PostSettings => ({
  service: { service: name, region: 'us-east-1', ...more },
  on: 'every',
});

describe('runs in thirty days', () => {
  it.each([
    ['* * * * *', MINUTES],
    ['*/10 * * * * *', MINUTES * 6],
    ['@hourly', 720],
    ['0 3 * * 1', 4],
    ['H H * * *', 30],
    ['0 0 1 1 *', 1],
  ])('of %s are %i', (cron, runs) => {
    expect(cost({ definitions: checks(1, { cron }) })).toMatchObject({ checks: 1, runs });
  });

  it('are as many as the load has, wherever the offset moves them', () => {
    const all = checks(50).map(({ id, spec }) =>
      scheduledOf({ ...spec.schedule, splayMs: 86_400_000 }, id),
    );
    const month = new Month(FROM);
    const { seconds } = month.load(all);
    expect(seconds.reduce((sum, runs) => sum + runs, 0)).toBe(month.runsOf(all));
  });

  it('count a check once a minute, however often it runs in it', () => {
    const all = checks(3, { cron: '*/10 * * * * *' }).map(({ id, spec }) =>
      scheduledOf(spec.schedule, id),
    );
    const { seconds, minutes } = new Month(FROM).load(all);
    expect(new Set(minutes)).toEqual(new Set([3]));
    expect(seconds[0]).toBe(3);
    expect(seconds[1]).toBe(0);
  });
});

describe('calls', () => {
  it('are one a window with anything in it, and more when it is too much for one', () => {
    const seconds = new Uint32Array(60);
    seconds.set([1, 0, 2], 0);
    seconds.set([25], 19);
    seconds.set([10], 20);
    expect(callsOf(seconds, { windowSeconds: 10, itemsPerCall: 10 })).toBe(1 + 3 + 1);
  });

  it('are gathered as the destinations gather', () => {
    const secrets = createSecrets({ clock: new ManualClock(), env: {} });
    const context = { secrets, connectTo: () => null } as unknown as DestinationContext;
    const destinations = [
      ...datadogDestinations(DATADOG, context),
      eventBridgePostDestination({ region: 'us-east-1' }, context),
    ];
    for (const [label, { windowSeconds, itemsPerCall }] of Object.entries(BATCHING)) {
      const destination = destinations.find((one) => one.label === label);
      expect(destination, label).toMatchObject({
        windowMs: windowSeconds * 1000,
        maxItems: itemsPerCall,
      });
    }
    expect(DATUMS_PER_CALL).toBe(MAX_DATUMS);
  });
});

describe('a sink of the settings', () => {
  it('of Datadog has a metric for each number of a check, and a call a window', () => {
    const definitions = checks(10);
    const own = ownMetrics(DATADOG);
    expect(own).toBeGreaterThan(10);
    expect(rows({ definitions, sinks: [DATADOG] })).toEqual({
      // With the minute's report of watcher itself.
      'datadog series': {
        sink: 'datadog series',
        where: 'datadoghq.com',
        checks: 10,
        customMetrics: 10 * 2 + own,
        calls: MINUTES,
        bytes: null,
      },
      'datadog events': expect.objectContaining({ customMetrics: 0, calls: null }),
      'datadog service checks': expect.objectContaining({ customMetrics: 0, calls: MINUTES }),
    });
  });

  it('of Datadog sends no more than is switched on', () => {
    const sink: SinkSettings = { ...DATADOG, metrics: [], events: false, serviceChecks: false };
    const { destinations } = cost({
      definitions: checks(10, { cron: '* * * * * *' }),
      sinks: [sink],
    });
    expect(destinations).toMatchObject([{ sink: 'datadog series', calls: MINUTES }]);
    expect(destinations[0]?.customMetrics).toBe(ownMetrics(sink));
  });

  it('of Datadog cuts what is too much for one call', () => {
    const most = BATCHING['datadog series'].itemsPerCall - 1;
    const few = rows({ definitions: checks(most), sinks: [DATADOG] })['datadog series'];
    const many = rows({ definitions: checks(most + 1), sinks: [DATADOG] })['datadog series'];
    expect([few?.calls, many?.calls]).toEqual([MINUTES, 2 * MINUTES]);
  });

  it('of CloudWatch has a call for each thousand metrics of a minute', () => {
    const own = ownMetrics(CLOUDWATCH);
    const fits = Math.floor((1_000 - own) / 3);
    const calls = (many: number) =>
      rows({ definitions: checks(many, { cron: '*/10 * * * * *' }), sinks: [CLOUDWATCH] })[
        'cloudwatch'
      ];
    expect(calls(fits)).toMatchObject({ customMetrics: fits * 3 + own, calls: MINUTES });
    expect(calls(fits + 1)).toMatchObject({ calls: 2 * MINUTES });
  });

  it('of events is not counted, and a file is counted in bytes', () => {
    const definitions = checks(2);
    const found = rows({ definitions, sinks: [EVENTBRIDGE, JSONL, WEBHOOK] });
    expect(found['eventbridge']).toMatchObject({ where: 'eu-central-1 ops', calls: null });
    const line = jsonLine(
      aResult({
        check: 'host/0',
        worker: 'x'.repeat(36),
        phases: { dns: 1.234, connect: 12.345, tls: 23.456, first_byte: 34.567, body: 0.123 },
        values: { status: 'ok', version: '1.22.333' },
      }),
    );
    const bytes = found['jsonl']?.bytes ?? 0;
    expect(bytes / (2 * MINUTES) / line.length).toBeGreaterThan(0.9);
    expect(bytes / (2 * MINUTES) / line.length).toBeLessThan(1.2);
    expect(found['webhook']).toMatchObject({
      where: 'https://hooks.example.com',
      calls: 2 * MINUTES,
    });
    const changes: SinkSettings = { ...WEBHOOK, on: 'transitions' };
    expect(rows({ definitions, sinks: [changes] })['webhook']).toMatchObject({ calls: null });
  });

  it('has calls and own metrics of each process', () => {
    const definitions = checks(10);
    const own = ownMetrics(DATADOG);
    const found = rows({ definitions, sinks: [DATADOG, CLOUDWATCH], workers: 3 });
    expect(found['datadog series']?.calls).toBe(3 * MINUTES);
    expect(found['datadog service checks']?.calls).toBe(3 * MINUTES);
    expect(found['cloudwatch']?.calls).toBe(3 * MINUTES);
    const alone = rows({ definitions, sinks: [DATADOG], workers: 3 })['datadog series'];
    expect(alone?.customMetrics).toBe(10 * 2 + 3 * own);
  });
});

describe('what check files post', () => {
  const endpoint = (url: string, value: string): PostSettings => ({
    endpoint: { url, apiKey: { name: 'key', value, in: 'query' }, body: {} },
    on: 'every',
  });

  it('is a row for each address and key', () => {
    const one = endpoint('https://api.example.com/a', '${env:A}');
    const definitions = [
      ...checks(2, { posts: one }),
      ...checks(1, { posts: { ...one } }),
      ...checks(1, { posts: endpoint('https://api.example.com/a', '${env:B}') }),
      ...checks(5),
    ];
    expect(cost({ definitions }).destinations).toEqual([
      {
        sink: 'post_endpoint',
        where: 'https://api.example.com',
        checks: 3,
        customMetrics: 0,
        calls: 3 * MINUTES,
        bytes: null,
      },
      expect.objectContaining({ checks: 1, calls: MINUTES }),
    ]);
  });

  it('is, for a self block, posted by each process', () => {
    const { schedule } = aSpec({ schedule: { cron: '@hourly' } });
    const self: SelfDefinition = { schedule, posts: endpoint('https://a.example', '${env:A}') };
    expect(cost({ selves: [self], workers: 3 }).destinations).toMatchObject([
      { checks: 0, calls: 3 * 720 },
    ]);
  });

  it('is gathered by the second for EventBridge', () => {
    const posts = service('aws-eventbridge', { source: 's', detailType: 't' });
    const definitions = checks(11, { posts });
    expect(cost({ definitions }).destinations).toMatchObject([
      { sink: 'eventbridge posts', where: 'us-east-1', checks: 11, calls: 2 * MINUTES },
    ]);
  });

  it('shares metrics by the source for CloudWatch', () => {
    const posts = (source?: string) =>
      service('aws-cloudwatch', source === undefined ? {} : { source });
    const definitions = [
      ...checks(5, { posts: posts('shop') }),
      ...checks(5, { posts: posts('blog') }),
    ];
    const row = { sink: 'cloudwatch posts', checks: 10, customMetrics: 6, calls: MINUTES };
    expect(cost({ definitions }).destinations).toMatchObject([row]);
    // Without a source it is the host's name.
    expect(
      cost({ definitions: checks(5, { posts: posts() }), workers: 4 }).destinations,
    ).toMatchObject([{ customMetrics: 3 * 4, calls: 4 * MINUTES }]);
  });

  it.each<[PostService['service'], Partial<PostService>, readonly string[]]>([
    ['aws-cloudwatch', {}, ['cloudwatch posts']],
    ['aws-cloudwatch', { source: 's', detailType: 't' }, ['cloudwatch posts', 'eventbridge posts']],
    ['aws-cloudwatch-metrics', { source: 's', detailType: 't' }, ['cloudwatch posts']],
    ['aws-eventbridge', { source: 's', detailType: 't' }, ['eventbridge posts']],
  ])('goes, for %s with %j, to %j', (name, more, sinks) => {
    const { destinations } = cost({ definitions: checks(1, { posts: service(name, more) }) });
    expect(destinations.map(({ sink }) => sink)).toEqual(sinks);
  });
});

describe('an address', () => {
  it.each([
    ['https://hooks.example.com/T0/B0/s3cret', 'https://hooks.example.com'],
    ['https://a.example:8443?key=s3cret', 'https://a.example:8443'],
    ['https://${env:HOST}/s3cret', 'https://${env:HOST}'],
    ['${env:HOOK}/s3cret', '${env:HOOK}'],
    ['https://user:s3cret@a.example/', 'a URL'],
    ['s3cret', 'a URL'],
  ])('%s is shown as %s', (url, shown) => {
    expect(originOf(url)).toBe(shown);
  });
});
