import { describe, expect, it } from 'vitest';
import type { Fault } from '../../../src/shared/config/issues.ts';
import { sinksOf } from '../../../src/shared/config/sinks.ts';
import { WEBHOOK_FIELDS } from '../../../src/shared/config/sinks-schema.ts';
import type { JsonValue } from '../../../src/shared/domain/check.ts';
import type { WebhookSink } from '../../../src/shared/domain/sink-settings.ts';
import { createSecrets } from '../../../src/shared/secrets/resolve.ts';
import type { DestinationContext } from '../../../src/shared/sinks/destination.ts';
import { webhookDestination } from '../../../src/shared/sinks/webhook.ts';
import { anEmission, TICK } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const read = (sinks: JsonValue, env: Readonly<Record<string, string>> = {}) => {
  const faults: Fault[] = [];
  const decoded = sinksOf(sinks, { env, tell: (fault) => faults.push(fault) });
  const problems = faults.map(({ code, path, message, hint }) => {
    const more = hint === undefined ? '' : ` (${hint})`;
    return `${path.slice(1).join('.')}: ${code} ${message}${more}`;
  });
  return { decoded, problems };
};

const decoded = (sink: JsonValue, env = {}) => {
  const { decoded: sinks, problems } = read([sink], env);
  expect(problems).toEqual([]);
  return sinks[0];
};

const problemsOf = (sink: JsonValue) => read([sink]).problems;

const DATADOG = { kind: 'datadog', api_key: '${env:DD_API_KEY}' };
const CLOUDWATCH = { kind: 'cloudwatch', region: 'eu-central-1' };
const EVENTBRIDGE = { kind: 'eventbridge', region: 'eu-central-1' };
const JSONL = { kind: 'jsonl', path: 'results.jsonl' };
const WEBHOOK = { kind: 'webhook', url: 'https://hooks.example.com/watcher' };

describe('sinks of the settings file', () => {
  it('need little more than where they go', () => {
    expect(decoded(DATADOG)).toEqual({
      kind: 'datadog',
      site: 'datadoghq.com',
      apiKey: '${env:DD_API_KEY}',
      tags: [],
      metrics: ['success', 'duration_ms'],
      events: true,
      serviceChecks: true,
    });
    expect(decoded(CLOUDWATCH)).toEqual({
      kind: 'cloudwatch',
      region: 'eu-central-1',
      namespace: 'Watcher',
      dimensions: {},
      metrics: ['success', 'duration_ms'],
    });
    expect(decoded(EVENTBRIDGE)).toEqual({
      kind: 'eventbridge',
      region: 'eu-central-1',
      bus: 'default',
      source: 'watcher',
    });
    expect(decoded(JSONL)).toEqual({
      kind: 'jsonl',
      path: 'results.jsonl',
      maxBytes: 64 * 1024 * 1024,
      keep: 5,
    });
    expect(decoded(WEBHOOK)).toMatchObject({
      kind: 'webhook',
      url: 'https://hooks.example.com/watcher',
      headers: [],
      on: 'transitions',
      body: { check: '{check}', status: '{status}', reason: '{reason}' },
    });
  });

  it('take all of their keys', () => {
    const datadog = {
      ...DATADOG,
      site: 'us5.datadoghq.com',
      tags: ['env:prod'],
      metrics: ['lateness_ms', 'lateness_ms'],
      events: false,
      service_checks: false,
    };
    expect(decoded(datadog)).toMatchObject({
      site: 'us5.datadoghq.com',
      tags: ['env:prod'],
      metrics: ['lateness_ms'],
      events: false,
      serviceChecks: false,
    });
    const keys = { aws_key: '${env:AWS_KEY}', aws_secret: '${file:/run/secret}' };
    const access = { key: '${env:AWS_KEY}', secret: '${file:/run/secret}' };
    const cloudwatch = { ...CLOUDWATCH, ...keys, namespace: 'a/b', dimensions: { Stage: 1 } };
    expect(decoded(cloudwatch)).toMatchObject({
      ...access,
      namespace: 'a/b',
      dimensions: { Stage: '1' },
    });
    const bus = 'arn:aws:events:eu-central-1:123456789012:event-bus/ops';
    expect(decoded({ ...EVENTBRIDGE, ...keys, bus, source: 'ops' })).toMatchObject({
      ...access,
      bus,
      source: 'ops',
    });
    const webhook = {
      ...WEBHOOK,
      url: '${env:HOOK}',
      headers: { Authorization: 'Bearer ${env:TOKEN}', 'X-Team': 7 },
      on: 'every',
      body: { text: '{check}' },
    };
    expect(decoded(webhook)).toMatchObject({
      url: '${env:HOOK}',
      headers: [
        ['Authorization', 'Bearer ${env:TOKEN}'],
        ['X-Team', '7'],
      ],
      on: 'every',
      body: { text: '{check}' },
    });
  });

  it.each([
    [65_536, 65_536],
    ['65536B', 65_536],
    ['1.5MiB', 1_572_864],
    ['2GiB', 2_147_483_648],
  ])('take the size %s as %i bytes', (size, maxBytes) => {
    expect(decoded({ ...JSONL, max_size: size })).toMatchObject({ maxBytes });
  });

  it.each([
    [{ AWS_REGION: 'us-west-2', AWS_DEFAULT_REGION: 'us-east-2' }, 'us-west-2'],
    [{ AWS_REGION: '', AWS_DEFAULT_REGION: 'us-east-2' }, 'us-east-2'],
  ])('have their region from the environment %j', (env, region) => {
    expect(decoded({ kind: 'eventbridge' }, env)).toMatchObject({ region });
  });

  it('keep the region that they name, whatever the environment says', () => {
    const env = { AWS_REGION: 'us-west-2' };
    expect(decoded(CLOUDWATCH, env)).toMatchObject({ region: 'eu-central-1' });
  });

  it.each<[JsonValue, string]>([
    [7, '0: E502 sinks must be a list of maps, not 7'],
    [{}, '0.kind: E503 "kind" is missing'],
    [
      { kind: 'slack' },
      '0.kind: E502 kind must be one of datadog, cloudwatch, eventbridge, jsonl, webhook, not "slack"',
    ],
    [{ ...DATADOG, sit: 1 }, '0.sit: E501 unknown key "sit" (did you mean site?)'],
    [
      { ...DATADOG, regon: 'eu-central-1' },
      '0.regon: E501 unknown key "regon" (known: kind, site, api_key, tags, metrics, events, service_checks)',
    ],
    [{ kind: 'datadog' }, '0.api_key: E503 "api_key" is missing'],
    [
      { ...DATADOG, site: 'datadoghq.org' },
      expect.stringMatching(
        /^0\.site: E502 site must be one of datadoghq\.com, .*"datadoghq\.org"$/,
      ),
    ],
    [
      { ...DATADOG, tags: ['x'.repeat(201)] },
      expect.stringContaining('0.tags.0: E502 tags must be text of at most 200 characters'),
    ],
    [
      { ...DATADOG, metrics: ['speed'] },
      '0.metrics.0: E502 metrics must be one of success, duration_ms, lateness_ms, not "speed"',
    ],
    [{ kind: 'cloudwatch' }, '0: E503 "region" is missing (add it, or set AWS_REGION)'],
    [
      { ...CLOUDWATCH, region: 'Frankfurt' },
      '0.region: E502 region must be an AWS region such as eu-central-1, not "Frankfurt"',
    ],
    [
      { ...CLOUDWATCH, namespace: 'AWS/EC2' },
      '0.namespace: E502 namespace must be 1 to 255 printable ASCII characters that do not start with AWS/ or ":", not "AWS/EC2"',
    ],
    [
      { ...CLOUDWATCH, dimensions: { a: '1', b: '2', c: '3' } },
      '0.dimensions: E502 at most 2 dimensions can be set',
    ],
    [
      { ...CLOUDWATCH, dimensions: { Host: 'x' } },
      '0.dimensions: E502 the dimension Host is set by watcher itself',
    ],
    [
      { ...CLOUDWATCH, dimensions: { Stage: 'prüf' } },
      expect.stringContaining('0.dimensions: E502 dimensions have names of 1 to 255'),
    ],
    [{ ...EVENTBRIDGE, aws_key: '${env:KEY}' }, '0: E510 aws_key and aws_secret need each other'],
    [
      { ...EVENTBRIDGE, bus: 'a bus' },
      '0.bus: E502 bus must be the name or the ARN of an event bus, not "a bus"',
    ],
    [
      { ...EVENTBRIDGE, source: 'aws.watcher' },
      '0.source: E502 source must be text of at most 256 characters that does not start with "aws.", not "aws.watcher"',
    ],
    [
      { ...JSONL, max_size: '64MB' },
      '0.max_size: E502 max_size must be a size from 64KiB to 1024GiB, such as 64MiB, not "64MB"',
    ],
    [{ ...JSONL, max_size: '1KiB' }, expect.stringContaining('must be a size from 64KiB')],
    [{ ...JSONL, path: '' }, '0.path: E502 path must be the path of a file, not ""'],
    [{ ...JSONL, keep: -1 }, '0.keep: E502 keep must be a whole number from 0 to 1000, not -1'],
    [
      { ...WEBHOOK, url: 'ftp://a.example' },
      '0.url: E505 ftp: URLs are not checked (use http or https)',
    ],
    [
      { ...WEBHOOK, url: 'http://169.254.169.254/' },
      expect.stringContaining('0.url: E505 169.254.169.254 is never probed'),
    ],
    [
      { ...WEBHOOK, headers: { 'X Y': 'a' } },
      '0.headers.X Y: E506 "X Y" is not the name of a header',
    ],
    [{ ...WEBHOOK, on: 'never' }, '0.on: E502 on must be one of transitions, every, not "never"'],
    [{ ...WEBHOOK, body: 'text' }, '0.body: E502 body must be a map, not "text"'],
    [
      { ...WEBHOOK, body: { text: ['{chek} is down'] } },
      '0.body.text.0: E509 a result has no field "chek" (did you mean check?)',
    ],
    [
      { ...WEBHOOK, body: { text: '{version}' } },
      expect.stringMatching(/^0\.body\.text: E509 .* \(known: id, check, .*, values\.NAME\)$/),
    ],
  ])('are refused for %j', (sink, problem) => {
    expect(problemsOf(sink)).toEqual([problem]);
  });

  it.each<[JsonValue, string]>([
    [{ ...DATADOG, api_key: 'hunter2' }, '0.api_key'],
    [{ ...DATADOG, api_key: '${hunter2}' }, '0.api_key'],
    [{ ...CLOUDWATCH, aws_key: 'hunter2', aws_secret: '${env:S}' }, '0.aws_key'],
    [{ ...EVENTBRIDGE, aws_key: '${env:K}', aws_secret: 'hunter2' }, '0.aws_secret'],
    [{ ...WEBHOOK, headers: { authorization: 'Bearer hunter2' } }, '0.headers.authorization'],
    [{ ...WEBHOOK, headers: { 'X-Api-Key': 'hunter2' } }, '0.headers.X-Api-Key'],
    [{ ...WEBHOOK, headers: { 'X-Auth-Token': 'hunter2' } }, '0.headers.X-Auth-Token'],
    [{ ...WEBHOOK, url: 'https://a.example/?api_key=hunter2' }, '0.url'],
    [{ ...WEBHOOK, url: '${env:HOST}?token=hunter2' }, '0.url'],
    [{ ...WEBHOOK, url: 'https://user:hunter2@a.example/' }, '0.url'],
  ])('never hold a secret, nor is it repeated: %j', (sink, path) => {
    const [problem, ...more] = problemsOf(sink);
    expect(more).toEqual([]);
    expect(problem).toMatch(new RegExp(`^${path}: E5\\d\\d `));
    expect(problem).not.toContain('hunter2');
  });

  it('may have a key in a URL that is a reference', () => {
    expect(problemsOf({ ...WEBHOOK, url: 'https://a.example/?api_key=${env:KEY}' })).toEqual([]);
  });

  it('may have values of checks in a body, and braces', () => {
    const body = { text: '{values.version} {{braces}} ${env:TEAM}' };
    expect(problemsOf({ ...WEBHOOK, body })).toEqual([]);
  });

  it.each(WEBHOOK_FIELDS)('fill {%s} in a body', (field) => {
    const sink = decoded({ ...WEBHOOK, body: { it: `{${field}}` } });
    const context = { secrets: createSecrets({ clock: new ManualClock(), env: {} }) };
    const destination = webhookDestination(sink as WebhookSink, context as DestinationContext);
    const transition = { from: 'ok', to: 'critical', at: TICK, reason: 'why' } as const;
    const status = { status: 'critical', reason: 'why', code: 'refused' } as const;
    const [call] = destination.encode([
      { seq: 1, emission: anEmission(status, transition), body: null },
    ]);
    expect(JSON.parse(call?.payload.text ?? '')).toEqual({ it: expect.anything() });
  });

  it('are told of with all that is wrong in each', () => {
    const sinks = [{ ...DATADOG, site: 'x', events: 'yes' }, { kind: 'cloudwatch' }, 'x'];
    expect(read(sinks).problems).toHaveLength(4);
  });

  it.each<[JsonValue, JsonValue]>([
    [DATADOG, { ...DATADOG, tags: ['a'], metrics: [] }],
    [CLOUDWATCH, { ...CLOUDWATCH, metrics: [] }],
    [
      { ...CLOUDWATCH, dimensions: { a: 1, b: 2 } },
      { ...CLOUDWATCH, dimensions: { b: 2, a: 1 } },
    ],
    [EVENTBRIDGE, { ...EVENTBRIDGE, source: 'x' }],
    [JSONL, { ...JSONL, path: './x/../results.jsonl' }],
    [WEBHOOK, { ...WEBHOOK, on: 'every' }],
  ])('go to one destination once: %j, %j', (one, other) => {
    const { kind } = one as { readonly kind: string };
    expect(read([JSONL === one ? WEBHOOK : JSONL, one, other]).problems).toEqual([
      `2: E510 this ${kind} sink goes to the same destination as sink 2 of the list (join the two, or everything arrives there twice)`,
    ]);
  });

  it.each<[JsonValue, JsonValue]>([
    [DATADOG, { ...DATADOG, api_key: '${env:OTHER}' }],
    [DATADOG, { ...DATADOG, site: 'datadoghq.eu' }],
    [CLOUDWATCH, { ...CLOUDWATCH, region: 'us-east-1' }],
    [CLOUDWATCH, { ...CLOUDWATCH, namespace: 'Other' }],
    [EVENTBRIDGE, { ...EVENTBRIDGE, bus: 'ops' }],
    [JSONL, { ...JSONL, path: 'other.jsonl' }],
    [WEBHOOK, { ...WEBHOOK, headers: { 'X-Team': 'ops' } }],
  ])('may go to several destinations of one kind: %j, %j', (one, other) => {
    expect(read([one, other]).problems).toEqual([]);
  });
});
