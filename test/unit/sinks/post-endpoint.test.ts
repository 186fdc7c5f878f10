import { expect, it } from 'vitest';
import type { PostEndpoint } from '../../../src/shared/domain/check.ts';
import { endpointDestination } from '../../../src/shared/sinks/post-endpoint.ts';
import { anEmission, aSelfEmission, TICK } from '../../support/builders.ts';
import { startHttpSink, trustSinks } from '../../support/http-sink.ts';
import { anItem, aSending, never, sendAll } from './http/sending.ts';

trustSinks();

type ApiKey = NonNullable<PostEndpoint['apiKey']>;

const BODY = { title: 'a "b" ü', tags: ['x:1'], n: 1.5 };
const KEY = '${env:KEY}';
const SECRET = 'a b+c/d&e';

it('posts the body as it stands, with what tells a repeat from news', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const destination = endpointDestination({ url: `${sink.url}/in?x=%20a&y` }, sending.context);
  const outcomes = await sendAll(destination, [anItem(anEmission(), BODY)]);
  expect(outcomes).toEqual([{ kind: 'delivered' }]);
  const [request] = sink.requests;
  expect(request).toMatchObject({ method: 'POST', path: '/in', text: JSON.stringify(BODY) });
  expect(request?.headers).toMatchObject({
    'content-type': 'application/json',
    'idempotency-key': `a/@${TICK}`,
  });
  expect(request?.headers).not.toHaveProperty('authorization');
});

it.each<[ApiKey['in'], string, Record<string, string>, object]>([
  ['query', '/in?x=%20a&y&key%20name=a%20b%2Bc%2Fd%26e', {}, BODY],
  ['header', '/in?x=%20a&y', { 'x-key': SECRET }, BODY],
  ['bearer', '/in?x=%20a&y', { authorization: `Bearer ${SECRET}` }, BODY],
  ['basic', '/in?x=%20a&y', { authorization: `Basic ${btoa(`key name:${SECRET}`)}` }, BODY],
  ['body', '/in?x=%20a&y', {}, { ...BODY, 'key name': SECRET }],
])(
  'puts the key into the %s, and leaves the rest as it is',
  async (place, target, headers, body) => {
    await using sink = await startHttpSink();
    await using sending = aSending();
    sending.env['KEY'] = SECRET;
    const apiKey = { name: place === 'header' ? 'X-Key' : 'key name', value: KEY, in: place };
    const url = `${sink.url}/in?x=%20a&y`;
    const destination = endpointDestination({ url, apiKey }, sending.context);
    expect(await sendAll(destination, [anItem(anEmission(), BODY)])).toEqual([
      { kind: 'delivered' },
    ]);
    expect(sink.requests[0]).toMatchObject({ target, headers, json: body });
  },
);

it.each([
  ['/in', '/in?k=v'],
  ['/in?', '/in?k=v'],
  ['/in?a=%20b', '/in?a=%20b&k=v'],
  ['/in?a&', '/in?a&k=v'],
  ['/in#part', '/in?k=v'],
])('appends the parameter to %s', async (path, target) => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const apiKey = { name: 'k', value: 'v', in: 'query' } as const;
  const url = `${sink.url}${path}`;
  await sendAll(endpointDestination({ url, apiKey }, sending.context), [anItem(anEmission(), {})]);
  expect(sink.requests[0]?.target).toBe(target);
});

it('uses a rotated key at once', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const apiKey = { name: 'x', value: KEY, in: 'bearer' } as const;
  const destination = endpointDestination({ url: sink.url, apiKey }, sending.context);
  for (const key of ['old', 'new']) {
    sending.env['KEY'] = key;
    await sendAll(destination, [anItem(anEmission(), {})]);
  }
  expect(sink.requests.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer old',
    'Bearer new',
  ]);
});

it('makes a call of each item', async () => {
  await using sending = aSending();
  const destination = endpointDestination({ url: 'http://host' }, sending.context);
  const items = [1, 2, 3].map((n) => anItem(anEmission(), { n }, n));
  const calls = destination.encode(items);
  expect(calls.map(({ items: carried }) => carried)).toEqual(items.map((item) => [item]));
  expect(calls.map(({ bytes }) => bytes)).toEqual([7, 7, 7]);
});

it('carries no body that is too large for anybody', async () => {
  await using sending = aSending();
  const destination = endpointDestination({ url: 'http://host' }, sending.context);
  const sized = (bytes: number) => anItem(anEmission(), 'x'.repeat(bytes - 2));
  expect(destination.encode([sized(1_048_576)])).toHaveLength(1);
  expect(destination.encode([sized(1_048_577)])).toHaveLength(0);
});

it('takes results and self reports', async () => {
  await using sending = aSending();
  const destination = endpointDestination({ url: 'http://host' }, sending.context);
  expect(destination.wants(anEmission())).toBe(true);
  expect(destination.wants(aSelfEmission())).toBe(true);
});

it('identifies checks in any script', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const destination = endpointDestination({ url: sink.url }, sending.context);
  const check = 'zürich/検査 \ud800';
  expect(await sendAll(destination, [anItem(anEmission({ check }), {})])).toEqual([
    { kind: 'delivered' },
  ]);
  const identity = String(sink.requests[0]?.headers['idempotency-key']);
  expect(decodeURIComponent(identity)).toBe(`zürich/検査 \ufffd@${TICK}`);
});

it('says which reference cannot be read, and sends nothing', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const apiKey = { name: 'k', value: KEY, in: 'query' } as const;
  const destination = endpointDestination({ url: sink.url, apiKey }, sending.context);
  expect(await sendAll(destination, [anItem(anEmission(), {})])).toEqual([
    { kind: 'denied', reason: '${env:KEY}: the variable is not set' },
  ]);
  expect(sink.requests).toEqual([]);
});

it('tells what came of a call, without the key', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  const apiKey = { name: 'k', value: 'secret', in: 'query' } as const;
  const destination = endpointDestination({ url: sink.url, apiKey }, sending.context);
  sink.next({ status: 429, headers: { 'retry-after': '7' } }, { status: 400 }, 'reset');
  const outcomes = await sendAll(
    destination,
    [1, 2, 3].map((n) => anItem(anEmission(), { n })),
  );
  expect(outcomes).toMatchObject([
    { kind: 'retry', afterMs: 7_000 },
    { kind: 'split', drop: 'refused' },
    { kind: 'retry' },
  ]);
  expect(JSON.stringify(outcomes)).not.toContain('secret');
});

it('ends a call when it is told to', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  sink.always('hang');
  const destination = endpointDestination({ url: sink.url }, sending.context);
  const ending = new AbortController();
  const outcomes = sendAll(destination, [anItem(anEmission(), {})], ending.signal);
  await sink.received(1);
  ending.abort();
  expect(await outcomes).toMatchObject([{ kind: 'retry' }]);
});

it('sends the very same again where the sink took it after the call had been given up', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending();
  sink.next('late');
  const destination = endpointDestination({ url: sink.url }, sending.context);
  const items = [anItem(anEmission(), BODY)];
  const ending = new AbortController();
  const first = sendAll(destination, items, ending.signal);
  await sink.received(1);
  ending.abort();
  expect(await first).toMatchObject([{ kind: 'retry' }]);
  expect(await sendAll(destination, items)).toEqual([{ kind: 'delivered' }]);
  const [one, other] = sink.accepted();
  expect(other?.text).toBe(one?.text);
  expect(other?.headers['idempotency-key']).toBe(one?.headers['idempotency-key']);
});

it('shows no more of its address than the host', async () => {
  await using sending = aSending();
  const labelOf = (url: string) => endpointDestination({ url }, sending.context).label;
  expect(labelOf('https://user:secret@api.example/v1/secret?api_key=secret')).toBe(
    'post api.example',
  );
  expect(labelOf('${env:URL}')).toBe('post');
  expect(labelOf('https://${env:HOST}/secret')).toBe('post');
});

it('is the same destination for the same address and key, and another for any other', async () => {
  await using sending = aSending();
  const base = { url: 'http://h', apiKey: { name: 'k', value: KEY, in: 'query' } } as const;
  const idOf = (endpoint: Parameters<typeof endpointDestination>[0]) =>
    endpointDestination(endpoint, sending.context).id;
  const others = [
    { url: base.url },
    { ...base, url: 'http://h/' },
    { ...base, apiKey: { ...base.apiKey, name: 'l' } },
    { ...base, apiKey: { ...base.apiKey, value: '${env:OTHER}' } },
    { ...base, apiKey: { ...base.apiKey, in: 'body' as const } },
  ];
  expect(idOf({ ...base })).toBe(idOf(base));
  expect(new Set([base, ...others].map(idOf)).size).toBe(6);
});

it.each([
  [{ status: 200, body: '{"valid":true}' }, 'ok', 'knows the key'],
  [{ status: 200, body: '{"valid":false}' }, 'failed', 'does not know the key'],
  [{ status: 403, body: '{"errors":["Forbidden"]}' }, 'failed', 'wrong key'],
  [{ status: 302, headers: { location: 'http://x' } }, 'failed', 'redirects are refused'],
  ['reset', 'failed', 'connection'],
] as const)('asks Datadog whether it knows the key: %j', async (behaviour, state, words) => {
  await using sink = await startHttpSink({ tls: true, hosts: ['api.datadoghq.eu'] });
  await using sending = aSending([`api.datadoghq.eu:443:127.0.0.1:${sink.port}`]);
  sending.env['KEY'] = 'secret';
  sink.always(behaviour);
  const apiKey = { name: 'api_key', value: KEY, in: 'query' } as const;
  const url = 'http://api.datadoghq.eu/api/v1/events?x=1';
  const found = await endpointDestination({ url, apiKey }, sending.context).verify(never);
  expect(found).toMatchObject({ state, message: expect.stringContaining(words) });
  expect(found.message).not.toContain('secret');
  expect(sink.requests[0]).toMatchObject({ method: 'GET', path: '/api/v1/validate', text: '' });
  expect(sink.requests[0]?.headers['dd-api-key']).toBe('secret');
  expect(sink.requests[0]?.query.size).toBe(0);
});

it('asks nothing of other hosts, and says what it did not test', async () => {
  await using sink = await startHttpSink();
  const others = ['datadoghq.eu.example', 'notdatadoghq.com'];
  await using sending = aSending(others.map((host) => `${host}::127.0.0.1:${sink.port}`));
  const apiKey = { name: 'k', value: 'secret', in: 'query' } as const;
  for (const url of [sink.url, ...others.map((host) => `http://${host}/secret`)]) {
    const found = await endpointDestination({ url, apiKey }, sending.context).verify(never);
    expect(found).toMatchObject({
      state: 'untested',
      message: expect.stringMatching(/not tested/),
    });
    expect(found.message).not.toContain('secret');
  }
  expect(sink.connections()).toBe(3);
  expect(sink.requests).toEqual([]);
});

it('asks nothing of Datadog where it has no key to ask about', async () => {
  await using sink = await startHttpSink();
  await using sending = aSending([`api.datadoghq.com::127.0.0.1:${sink.port}`]);
  const destination = endpointDestination({ url: 'http://api.datadoghq.com/' }, sending.context);
  expect(await destination.verify(never)).toMatchObject({ state: 'untested' });
  expect(sink.requests).toEqual([]);
});

it('finds that nobody is there, or a reference cannot be read', async () => {
  const gone = await startHttpSink();
  await gone[Symbol.asyncDispose]();
  await using sending = aSending();
  const verify = (url: string) => endpointDestination({ url }, sending.context).verify(never);
  expect(await verify(gone.url)).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('connection refused'),
  });
  expect(await verify('${env:URL}')).toMatchObject({
    state: 'failed',
    message: expect.stringContaining('${env:URL}'),
  });
});
