/** What the SDK makes of our text, on a real socket, up to the signature that AWS would verify. */

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { AwsAccess } from '../../../../src/shared/domain/sink-settings.ts';
import { parseConnectTo } from '../../../../src/shared/rules/connect-to.ts';
import { cloudWatchDestination } from '../../../../src/shared/sinks/aws/cloudwatch.ts';
import { eventBridgeDestination } from '../../../../src/shared/sinks/aws/eventbridge.ts';
import type {
  Call,
  Destination,
  DestinationContext,
} from '../../../../src/shared/sinks/destination.ts';
import {
  ACCESS_KEY,
  type AwsDouble,
  type AwsDoubleOptions,
  type AwsFault,
  SECRET_KEY,
  startAwsDouble,
} from '../../../support/aws-double.ts';
import { anEmission, TICK } from '../../../support/builders.ts';
import { makeCertificate } from '../../../support/certificates.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { ACCESS, AWS_ENV, aContext, anItem, deliver, NEVER } from './context.ts';

const DELIVERED = { kind: 'delivered' };
const HOUR = 3_600_000;

beforeEach(() => {
  for (const [name, value] of Object.entries(AWS_ENV)) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const aDouble = async (options: AwsDoubleOptions = {}): Promise<AwsDouble> => {
  const double = await startAwsDouble({ now: () => TICK + HOUR, ...options });
  onTestFinished(() => double[Symbol.asyncDispose]());
  vi.stubEnv('AWS_ENDPOINT_URL', double.url);
  return double;
};

const disposedAtEnd = <D extends Destination<string>>(destination: D): D => {
  onTestFinished(() => destination[Symbol.asyncDispose]());
  return destination;
};
const cloudWatch = (context: DestinationContext, access: AwsAccess = ACCESS) =>
  disposedAtEnd(
    cloudWatchDestination(
      { kind: 'cloudwatch', ...access, namespace: 'Watcher', dimensions: {}, metrics: ['success'] },
      context,
    ),
  );
const eventBridge = (context: DestinationContext) =>
  disposedAtEnd(
    eventBridgeDestination(
      { kind: 'eventbridge', ...ACCESS, bus: 'alerts', source: 'watcher' },
      context,
    ),
  );

const DOWN = { from: 'ok', to: 'critical', at: TICK, reason: 'down' } as const;
const aChange = () => anItem(anEmission({ reason: 'Zürich: ☃ down' }, DOWN));
const oneOf = (destination: Destination<string>): Call<string> =>
  destination.encode([aChange()])[0] as Call<string>;
const send = (destination: Destination<string>) => destination.send(oneOf(destination), NEVER);

it('puts metrics as JSON 1.0, signed, and named as AWS knows the operation', async () => {
  const double = await aDouble();
  expect(await send(cloudWatch(aContext()))).toEqual(DELIVERED);
  expect(double.refusals).toEqual([]);
  expect(double.metrics).toHaveLength(1);
  expect(double.requests[0]?.headers).toMatchObject({
    'content-type': 'application/x-amz-json-1.0',
    'x-amz-target': 'GraniteServiceVersion20100801.PutMetricData',
  });
});

it('puts events as JSON 1.1, signed, with text that is not ASCII', async () => {
  const double = await aDouble();
  expect(await send(eventBridge(aContext()))).toEqual(DELIVERED);
  expect(double.refusals).toEqual([]);
  expect(double.entries).toMatchObject([{ EventBusName: 'alerts', Time: TICK / 1000 }]);
  expect(double.requests[0]?.headers['content-type']).toBe('application/x-amz-json-1.1');
});

it('compresses a large body before it is measured and signed', async () => {
  const double = await aDouble();
  const items = Array.from({ length: 1000 }, (_, i) => anItem(anEmission({ check: `c${i}/` })));
  expect(await deliver(cloudWatch(aContext()), items)).toEqual([DELIVERED]);
  const [request] = double.requests;
  expect(request?.headers['content-encoding']).toBe('gzip');
  expect(Number(request?.headers['content-length'])).toBeLessThan((request?.text.length ?? 0) / 10);
  expect(double.metrics[0]?.MetricData).toHaveLength(1000);
});

it('does not mix the bodies of calls that are made at the same time', async () => {
  const double = await aDouble();
  const sink = cloudWatch(aContext());
  const calls = Array.from({ length: 20 }, (_, i) => {
    const items = Array.from({ length: 1 + i * 20 }, () => anItem(anEmission({ check: `c${i}/` })));
    return sink.encode(items)[0] as Call<string>;
  });
  const outcomes = await Promise.all(calls.map((call) => sink.send(call, NEVER)));
  expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']));
  expect(new Set(double.requests.map(({ text }) => text))).toEqual(
    new Set(calls.map(({ payload }) => payload)),
  );
});

it('makes one request a call, and leaves repeating to the delivery', async () => {
  const double = await aDouble();
  double.fail({ kind: 'error', code: 'InternalServiceFault', status: 500 });
  expect(await send(cloudWatch(aContext()))).toMatchObject({ kind: 'retry' });
  expect(double.requests).toHaveLength(1);
});

it.each<[string, AwsFault, object]>([
  ['a throttled call', { kind: 'error', code: 'ThrottlingException' }, { kind: 'retry' }],
  [
    'the wait that AWS asks for',
    { kind: 'error', code: 'ThrottlingException', headers: { 'x-amz-retry-after': '2500' } },
    { kind: 'retry', afterMs: 2500 },
  ],
  [
    'a proxy that says all is well',
    { kind: 'answer', status: 200, body: '<html>Welcome</html>' },
    { kind: 'retry', reason: 'EventBridge in eu-west-1: HTTP 200, but not an answer of AWS' },
  ],
  [
    'a proxy that apologizes',
    { kind: 'answer', status: 503, body: '<html>Sorry</html>' },
    { kind: 'retry', reason: 'EventBridge in eu-west-1: HTTP 503' },
  ],
  ['a reset connection', { kind: 'reset' }, { kind: 'retry' }],
  ['a redirect', { kind: 'answer', status: 307, body: '' }, { kind: 'denied' }],
  [
    'a call that is too large',
    { kind: 'answer', status: 413, body: 'Request Entity Too Large' },
    { kind: 'split', drop: 'size' },
  ],
  ['bad input', { kind: 'error', code: 'ValidationException' }, { kind: 'split', drop: 'refused' }],
  [
    'missing permission',
    { kind: 'error', code: 'AccessDeniedException', message: 'User: u is not authorized' },
    {
      kind: 'denied',
      reason:
        'EventBridge in eu-west-1: AccessDeniedException: User: u is not authorized; needed: events:PutEvents on the bus alerts',
    },
  ],
  [
    'an entry that failed',
    { kind: 'entries', failed: { 0: 'InternalFailure' } },
    { kind: 'partial', failed: [{ index: 0, retry: true, reason: 'InternalFailure: scripted' }] },
  ],
])('tells the delivery of %s', async (_, fault, outcome) => {
  const double = await aDouble();
  double.fail(fault);
  expect(await send(eventBridge(aContext()))).toMatchObject(outcome);
});

it('goes nowhere else than it was told to', async () => {
  const double = await aDouble();
  const other = await startAwsDouble();
  onTestFinished(() => other[Symbol.asyncDispose]());
  const headers = { location: `${other.url}/` };
  double.fail({ kind: 'answer', status: 307, body: '', headers });
  expect(await send(cloudWatch(aContext()))).toMatchObject({ kind: 'denied' });
  expect([other.requests, other.refusals]).toEqual([[], []]);
});

it('halves for the entries that failed only: the others are there', async () => {
  const double = await aDouble();
  double.fail({ kind: 'entries', failed: { 1: 'ThrottlingException', 3: 'MalformedDetail' } });
  const sink = eventBridge(aContext());
  const [outcome] = await deliver(sink, [aChange(), aChange(), aChange(), aChange()]);
  expect(outcome).toMatchObject({
    failed: [
      { index: 1, retry: true },
      { index: 3, retry: false },
    ],
  });
  expect(double.entries).toHaveLength(2);
});

it.each(['hang', 'stall'] as const)('gives up after ten seconds of a %s', async (kind) => {
  const double = await aDouble();
  double.fail({ kind });
  const clock = new ManualClock(TICK);
  const sending = send(cloudWatch(aContext({ clock })));
  await vi.waitUntil(() => double.requests.length === 1);
  await clock.advance(9_999);
  expect(await Promise.race([sending, Promise.resolve('waiting')])).toBe('waiting');
  await clock.advance(1);
  expect(await sending).toEqual({
    kind: 'retry',
    reason: 'CloudWatch in eu-west-1: no answer in time',
  });
});

it('gives up at once when told to, before and during a call', async () => {
  const double = await aDouble();
  double.fail({ kind: 'hang' });
  const sink = cloudWatch(aContext());
  const stop = new AbortController();
  const sending = sink.send(oneOf(sink), stop.signal);
  await vi.waitUntil(() => double.requests.length === 1);
  stop.abort();
  expect(await sending).toMatchObject({ kind: 'retry' });
  expect(await sink.send(oneOf(sink), stop.signal)).toMatchObject({ kind: 'retry' });
  expect(double.requests).toHaveLength(1);
});

it('uses a rotated key at the next call', async () => {
  const double = await aDouble({
    keys: new Map([
      [ACCESS_KEY, SECRET_KEY],
      ['AKIDNEW', 'new'],
    ]),
  });
  const env = { KEY: ACCESS_KEY, SECRET: SECRET_KEY };
  const sink = cloudWatch(aContext({}, env));
  expect(await send(sink)).toEqual(DELIVERED);
  Object.assign(env, { KEY: 'AKIDNEW', SECRET: 'new' });
  expect(await send(sink)).toEqual(DELIVERED);
  expect(double.requests.map(({ accessKeyId }) => accessKeyId)).toEqual([ACCESS_KEY, 'AKIDNEW']);
});

it('says which secret cannot be read, and sends once it can', async () => {
  await aDouble();
  const env: Record<string, string> = { KEY: ACCESS_KEY };
  const sink = cloudWatch(aContext({}, env));
  expect(await send(sink)).toEqual({
    kind: 'denied',
    reason: '${env:SECRET}: the variable is not set',
  });
  env['SECRET'] = SECRET_KEY;
  expect(await send(sink)).toEqual(DELIVERED);
});

it('is denied with a wrong secret, and shows nothing of the request', async () => {
  const double = await aDouble();
  const outcome = await send(cloudWatch(aContext({}, { KEY: ACCESS_KEY, SECRET: 'wrong' })));
  expect(outcome).toEqual({
    kind: 'denied',
    reason:
      'CloudWatch in eu-west-1: InvalidSignatureException; needed: cloudwatch:PutMetricData, where it has the condition cloudwatch:namespace for "Watcher"',
  });
  expect(double.metrics).toEqual([]);
});

it('gives up in time although the credentials do not come', async () => {
  await aDouble();
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  onTestFinished(() => void silent.close());
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/`);
  const clock = new ManualClock(TICK);
  const asked = once(silent, 'connection');
  const sending = send(cloudWatch(aContext({ clock }), { region: 'eu-west-1' }));
  const [socket] = (await asked) as [Socket];
  await clock.advance(10_000);
  expect(await sending).toMatchObject({ kind: 'retry' });
  socket.destroy();
});

it('takes the default credentials without a key, and reads them anew when they have ended', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'aws-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'credentials');
  const write = (id: string, secret: string) =>
    writeFile(file, `[default]\naws_access_key_id=${id}\naws_secret_access_key=${secret}\n`);
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file);
  const double = await aDouble({
    keys: new Map([
      ['AKIDOLD', 'old'],
      ['AKIDNEW', 'new'],
    ]),
  });
  await write('AKIDOLD', 'old');
  const sink = cloudWatch(aContext(), { region: 'eu-west-1' });
  expect(await send(sink)).toEqual(DELIVERED);
  await write('AKIDNEW', 'new');
  double.fail({ kind: 'error', code: 'ExpiredTokenException' });
  expect(await send(sink)).toMatchObject({ kind: 'retry' });
  expect(await send(sink)).toEqual(DELIVERED);
  expect(double.requests.map(({ accessKeyId }) => accessKeyId)).toEqual([
    'AKIDOLD',
    'AKIDOLD',
    'AKIDNEW',
  ]);
});

it('says what to do where there are no credentials at all', async () => {
  await aDouble();
  const outcome = await send(cloudWatch(aContext(), { region: 'eu-west-1' }));
  expect(outcome).toMatchObject({ kind: 'denied' });
  expect(outcome).toHaveProperty('reason', expect.stringContaining('no credentials'));
});

it.each([10, -10])('sets its clock by a server that is %i minutes ahead', async (minutes) => {
  const double = await aDouble({ skewMs: minutes * 60_000 });
  const sink = cloudWatch(aContext());
  expect(await send(sink)).toMatchObject({ kind: 'retry' });
  expect(await send(sink)).toEqual(DELIVERED);
  expect(double.metrics).toHaveLength(1);
});

it('connects to another place and still asks for the same host, over TLS', async () => {
  const authority = makeCertificate({ isAuthority: true });
  const host = 'monitoring.eu-west-1.amazonaws.com';
  const double = await aDouble({ tls: makeCertificate({ hosts: [host], issuer: authority }) });
  vi.stubEnv('AWS_ENDPOINT_URL', undefined);
  const trusted = getCACertificates('default');
  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, authority.cert]);
  const connectTo = parseConnectTo([`${host}:443:127.0.0.1:${double.port}`]);
  expect(await send(cloudWatch(aContext({ connectTo })))).toEqual(DELIVERED);
  expect(double.requests[0]?.headers.host).toBe(host);
});

it('does not trust another host because it was sent there', async () => {
  const authority = makeCertificate({ isAuthority: true });
  const double = await aDouble({
    tls: makeCertificate({ hosts: ['localhost'], issuer: authority }),
  });
  vi.stubEnv('AWS_ENDPOINT_URL', undefined);
  const trusted = getCACertificates('default');
  onTestFinished(() => setDefaultCACertificates(trusted));
  setDefaultCACertificates([...trusted, authority.cert]);
  const connectTo = parseConnectTo([`::127.0.0.1:${double.port}`]);
  expect(await send(cloudWatch(aContext({ connectTo })))).toEqual({
    kind: 'retry',
    reason: 'CloudWatch in eu-west-1: TLS: the certificate is for another host',
  });
});

it('connects to another place without TLS where the endpoint has none', async () => {
  const double = await aDouble();
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://aws.test:81');
  const connectTo = parseConnectTo([`aws.test:81:127.0.0.1:${double.port}`]);
  expect(await send(eventBridge(aContext({ connectTo })))).toEqual(DELIVERED);
  expect(double.requests[0]?.headers.host).toBe('aws.test:81');
});

it('verifies by one value and one event that nobody is alerted by', async () => {
  const double = await aDouble({ now: () => TICK });
  const context = aContext({ clock: new ManualClock(TICK + 1_234) });
  expect(await cloudWatch(context).verify(NEVER)).toMatchObject({
    state: 'ok',
    message: expect.stringContaining('watcher.doctor in the namespace "Watcher"'),
  });
  expect(await eventBridge(context).verify(NEVER)).toMatchObject({
    state: 'ok',
    message: expect.stringContaining('no rule asks for it'),
  });
  expect(double.refusals).toEqual([]);
  expect(double.metrics[0]?.MetricData).toMatchObject([
    { MetricName: 'watcher.doctor', Values: [1] },
  ]);
  expect(double.entries).toMatchObject([{ DetailType: 'Watcher Doctor', EventBusName: 'alerts' }]);
});

it('names the permission when it cannot be verified', async () => {
  const double = await aDouble();
  const denied: AwsFault = { kind: 'error', code: 'AccessDeniedException' };
  double.fail(denied, denied);
  expect(await cloudWatch(aContext()).verify(NEVER)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('cloudwatch:PutMetricData'),
  });
  expect(await eventBridge(aContext()).verify(NEVER)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('events:PutEvents on the bus alerts'),
  });
});
