import { expect, it } from 'vitest';
import type { WebhookSink } from '../../../src/shared/domain/sink-settings.ts';
import { webhookDestination } from '../../../src/shared/sinks/webhook.ts';
import { anEmission, aSelfEmission, TICK } from '../../support/builders.ts';
import { startHttpSink } from '../../support/http-sink.ts';
import { anItem, aSending, never, sendAll } from './http/sending.ts';

const aSink = (overrides: Partial<WebhookSink> = {}): WebhookSink => ({
  kind: 'webhook',
  url: 'http://host/',
  headers: [],
  on: 'transitions',
  body: { text: '{check} is {status}' },
  ...overrides,
});

const DOWN = { from: 'ok', to: 'critical', at: TICK, reason: 'HTTP 500' } as const;
const FAILED = { status: 'critical', code: 'http_status', reason: 'HTTP 500' } as const;

const FIELDS = [
  'id check tick start status from to reason code duration_ms lateness_ms worker',
  'values.status values.n values.none unknown',
].flatMap((names) => names.split(' '));

const bodyOf = (body: WebhookSink['body'], emission: ReturnType<typeof anEmission>): unknown => {
  const destination = webhookDestination(aSink({ body, on: 'every' }), aSending().context);
  return JSON.parse(destination.encode([anItem(emission)])[0]?.payload.text ?? '');
};

const every = Object.fromEntries(FIELDS.map((name) => [name, `{${name}}`]));

it('fills in what is known of a result and its transition', () => {
  const emission = anEmission({ ...FAILED, values: { status: 'bad', n: 2 } }, DOWN);
  expect(bodyOf(every, emission)).toEqual({
    id: `a/@${TICK}`,
    check: 'a/',
    tick: '2026-01-01T00:00:00.000Z',
    start: '2026-01-01T00:00:00.003Z',
    status: 'critical',
    from: 'ok',
    to: 'critical',
    reason: 'HTTP 500',
    code: 'http_status',
    duration_ms: 12.346,
    lateness_ms: 3,
    worker: 'w1',
    'values.status': 'bad',
    'values.n': 2,
  });
});

it('leaves out what a good result does not have', () => {
  const body = bodyOf({ ...every, text: 'now {status}, {reason}.' }, anEmission());
  for (const name of ['from', 'to', 'reason', 'code']) expect(body).not.toHaveProperty(name);
  expect(body).toMatchObject({ text: 'now ok, .' });
});

it('takes values by their own names only', () => {
  expect(bodyOf({ a: '{values.__proto__}', b: '{__proto__}' }, anEmission())).toEqual({});
});

it('wants transitions only, or every result, and never a self report', async () => {
  await using sending = aSending();
  const transitions = webhookDestination(aSink(), sending.context);
  const all = webhookDestination(aSink({ on: 'every' }), sending.context);
  const wanted = [anEmission(), anEmission(FAILED, DOWN), aSelfEmission()].map((emission) => [
    transitions.wants(emission),
    all.wants(emission),
  ]);
  expect(wanted).toEqual([
    [false, true],
    [true, true],
    [false, false],
  ]);
});

it('posts each by itself, with headers of now', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const headers = [
    ['Authorization', 'Bearer ${env:KEY}'],
    ['Content-Type', 'application/vnd.x+json'],
  ] as const;
  const url = '${env:URL}';
  const destination = webhookDestination(aSink({ url, headers }), sending.context);
  sending.env['URL'] = `${sink.url}/services/secret`;
  for (const key of ['old', 'new']) {
    sending.env['KEY'] = key;
    const items = [1, 2].map((seq) => anItem(anEmission(FAILED, DOWN), null, seq));
    expect(await sendAll(destination, items)).toEqual([
      { kind: 'delivered' },
      { kind: 'delivered' },
    ]);
  }
  expect(sink.requests.map(({ headers: sent }) => sent.authorization)).toEqual([
    'Bearer old',
    'Bearer old',
    'Bearer new',
    'Bearer new',
  ]);
  expect(sink.requests[0]).toMatchObject({ path: '/services/secret', method: 'POST' });
  expect(sink.requests[0]?.json).toEqual({ text: 'a/ is critical' });
  expect(sink.requests[0]?.headers).toMatchObject({
    'content-type': 'application/vnd.x+json',
    'idempotency-key': `a/@${TICK}`,
  });
});

it('sends JSON, and says so, unless a header says otherwise', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const destination = webhookDestination(aSink({ url: sink.url }), sending.context);
  await sendAll(destination, [anItem(anEmission(FAILED, DOWN))]);
  expect(sink.requests[0]?.headers['content-type']).toBe('application/json');
});

it('does not take an error in a good answer for delivered', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  sink.always({ status: 200, body: '{"ok":false,"error":"invalid_auth"}' });
  const destination = webhookDestination(aSink({ url: sink.url }), sending.context);
  expect(await sendAll(destination, [anItem(anEmission(FAILED, DOWN))])).toMatchObject([
    { kind: 'retry', reason: expect.stringContaining('invalid_auth') },
  ]);
});

it('says which reference cannot be read', async () => {
  await using sending = aSending();
  const headers = [['x-key', '${env:KEY}']] as const;
  const destination = webhookDestination(aSink({ headers }), sending.context);
  expect(await sendAll(destination, [anItem(anEmission(FAILED, DOWN))])).toEqual([
    { kind: 'denied', reason: '${env:KEY}: the variable is not set' },
  ]);
});

it('is another destination with any other setting', async () => {
  await using sending = aSending();
  const idOf = (overrides: Partial<WebhookSink>) =>
    webhookDestination(aSink(overrides), sending.context).id;
  const ids = [
    {},
    { url: 'http://other/' },
    { headers: [['a', 'b']] as const },
    { on: 'every' as const },
    { body: {} },
  ].map(idOf);
  expect(new Set(ids).size).toBe(5);
  expect(idOf({})).toBe(ids[0]);
});

it('shows no more of its address than the host', async () => {
  await using sending = aSending();
  const url = 'https://hooks.slack.com/services/secret';
  expect(webhookDestination(aSink({ url }), sending.context).label).toBe('webhook hooks.slack.com');
});

it('tests the connection without posting', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const destination = webhookDestination(aSink({ url: sink.url }), sending.context);
  expect(await destination.verify(never)).toMatchObject({ state: 'untested' });
  expect(sink.connections()).toBe(1);
  expect(sink.requests).toEqual([]);
});
