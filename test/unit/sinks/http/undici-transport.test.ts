import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { type ConnectTo, parseConnectTo } from '../../../../src/shared/rules/connect-to.ts';
import { type Clock, systemClock } from '../../../../src/shared/runtime/clock.ts';
import { HttpFailure } from '../../../../src/shared/sinks/http/failure.ts';
import type { HttpTransport } from '../../../../src/shared/sinks/http/transport.ts';
import { createHttpTransport } from '../../../../src/shared/sinks/http/undici-transport.ts';
import { makeCertificate } from '../../../support/certificates.ts';
import { sinkAuthority, startHttpSink, trustSinks } from '../../../support/http-sink.ts';
import {
  closingWith,
  keepingWith,
  response,
  startHttpTarget,
} from '../../../support/http-target.ts';
import { addressOf } from '../../../support/loopback.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

trustSinks();

const never = new AbortController().signal;
const NOWHERE: ConnectTo = () => null;

const aTransport = ({
  clock = systemClock,
  connectTo = NOWHERE,
}: {
  clock?: Clock;
  connectTo?: ConnectTo;
} = {}) => createHttpTransport({ clock, connectTo });

const post = (transport: HttpTransport, url: string, signal: AbortSignal = never) =>
  transport.call(
    { method: 'POST', url, headers: { 'x-key': 'secret-header' }, body: '{"a":1}' },
    signal,
  );

/** Accepts connections and never says a word. */
const startMute = async () => {
  const accepted = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    accepted.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { port, accepted: accepted.promise, [Symbol.asyncDispose]: close };
};

/** What the call rejects with, which is never anything else and never tells a secret. */
const failureOf = async (call: Promise<unknown>): Promise<HttpFailure> => {
  const failure = await call.then(
    () => null,
    (error) => error,
  );
  expect(failure).toBeInstanceOf(HttpFailure);
  expect(failure.message).not.toContain('secret');
  return failure;
};

it('sends what it is given and hands back the answer', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  sink.always({ status: 202, headers: { 'X-Seen': 'yes' }, body: '{"errors":[]}' });
  const answer = await post(transport, `${sink.url}/v1/x?api_key=a%20b#part`);
  expect(answer).toMatchObject({
    status: 202,
    body: '{"errors":[]}',
    headers: { 'x-seen': 'yes' },
  });
  const [request] = sink.requests;
  expect(request).toMatchObject({ method: 'POST', path: '/v1/x', text: '{"a":1}' });
  expect(request?.query.get('api_key')).toBe('a b');
  expect(request?.headers).toMatchObject({ 'x-key': 'secret-header', 'content-length': '7' });
  await transport.call({ method: 'GET', url: sink.url, headers: {} }, never);
  expect(sink.requests[1]).toMatchObject({ method: 'GET', path: '/', text: '' });
});

it('keeps a connection for the calls that follow', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  for (let n = 0; n < 20; n++) await post(transport, sink.url);
  // A call made in the very moment in which the one before ends finds its connection still taken.
  expect(sink.connections()).toBeLessThanOrEqual(2);
});

it('does not follow a redirect', async () => {
  await using other = await startHttpSink();
  await using sink = await startHttpSink();
  await using transport = aTransport();
  sink.always({ status: 307, headers: { location: other.url } });
  expect((await post(transport, sink.url)).status).toBe(307);
  expect(other.connections()).toBe(0);
});

it('reads no more than 64 KiB of an answer', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  sink.next(
    { status: 200, body: 'x'.repeat(65_536) },
    { status: 200, body: 'é'.repeat(5_000_000) },
  );
  expect((await post(transport, sink.url)).body).toBe('x'.repeat(65_536));
  expect(Buffer.byteLength((await post(transport, sink.url)).body)).toBe(65_536);
  expect((await post(transport, sink.url)).body).toBe('{}');
});

it('does not wait for the rest of an answer that is longer', async () => {
  await using target = await startHttpTarget(
    keepingWith(`HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n${'x'.repeat(70_000)}`),
  );
  await using transport = aTransport({ clock: new ManualClock() });
  expect((await post(transport, `http://${target.at}/`)).body).toHaveLength(65_536);
});

it.each(['hang', 'drip', 'late'] as const)(
  'gives a sink that does "%s" 10 s',
  async (behaviour) => {
    const clock = new ManualClock();
    await using sink = await startHttpSink();
    await using transport = aTransport({ clock });
    sink.next(behaviour);
    const failure = failureOf(post(transport, `${sink.url}/?secret`));
    await sink.received(1);
    await clock.advance(9_999);
    const isOpen = Symbol();
    expect(await Promise.race([failure, Promise.resolve(isOpen)])).toBe(isOpen);
    await clock.advance(1);
    expect((await failure).message).toBe(`127.0.0.1:${sink.port}: no answer within 10 s`);
    expect((await post(transport, sink.url)).status).toBe(200);
  },
);

it.each(['reset', 'half'] as const)(
  'has no answer from a sink that does "%s"',
  async (behaviour) => {
    await using sink = await startHttpSink();
    await using transport = aTransport();
    sink.next(behaviour);
    const failure = await failureOf(post(transport, `${sink.url}/?secret`));
    expect(failure.message).toMatch(/^127\.0\.0\.1:\d+: connection (reset|closed)/);
    expect(failure.isFinal).toBe(false);
  },
);

it('gives up when it is told to, before and while it waits', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  sink.next('hang');
  const ending = new AbortController();
  const failure = failureOf(post(transport, sink.url, ending.signal));
  await sink.received(1);
  ending.abort();
  expect((await failure).message).toBe(`127.0.0.1:${sink.port}: the call was given up`);
  await failureOf(post(transport, sink.url, ending.signal));
  expect(sink.requests).toHaveLength(1);
});

it('gives up while a connection is made', async () => {
  await using mute = await startMute();
  await using transport = aTransport({ clock: new ManualClock() });
  const ending = new AbortController();
  const failure = failureOf(post(transport, `https://127.0.0.1:${mute.port}`, ending.signal));
  await mute.accepted;
  ending.abort();
  expect((await failure).message).toContain('the call was given up');
});

it('says that nobody listens', async () => {
  const gone = await startHttpSink();
  await gone[Symbol.asyncDispose]();
  await using transport = aTransport();
  const failure = await failureOf(post(transport, `${gone.url}/?secret`));
  expect(failure.message).toBe(`127.0.0.1:${gone.port}: connection refused`);
});

it('says that a name does not exist', async () => {
  await using transport = aTransport();
  const failure = await failureOf(post(transport, 'http://host.invalid/?secret'));
  expect(failure.message).toMatch(/^host\.invalid:80: .*resolver/);
});

it('gives a connection 3 s, TLS included', async () => {
  const clock = new ManualClock();
  await using mute = await startMute();
  await using transport = aTransport({ clock });
  const failure = failureOf(post(transport, `https://127.0.0.1:${mute.port}/?secret`));
  await mute.accepted;
  await clock.advance(3_000);
  expect((await failure).message).toBe(`127.0.0.1:${mute.port}: no connection within 3 s`);
});

it('verifies certificates, by the name in the URL', async () => {
  await using sink = await startHttpSink({ tls: true, hosts: ['sink.test'] });
  const place = `127.0.0.1:${sink.port}`;
  const connectTo = parseConnectTo([`sink.test:443:${place}`, `other.test:443:${place}`]);
  await using transport = aTransport({ connectTo });
  expect((await post(transport, 'https://sink.test/')).status).toBe(200);
  const failure = await failureOf(post(transport, 'https://other.test/?secret'));
  expect(failure.message).toBe('other.test:443: TLS: the certificate is for another host');
  const direct = await failureOf(post(transport, `https://127.0.0.1:${sink.port}/`));
  expect(direct.message).toContain('the certificate is for another host');
});

it('trusts an authority that NODE_EXTRA_CA_CERTS names', async () => {
  await using sink = await startHttpSink({ tls: true });
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-ca-'));
  const ca = path.join(folder.path, 'ca.pem');
  await writeFile(ca, sinkAuthority());
  const module = new URL('../../../../src/shared/sinks/http/undici-transport.ts', import.meta.url)
    .href;
  const script = `
    import { createHttpTransport } from ${JSON.stringify(module)};
    const clock = { after: () => ({ cancel() {} }) };
    await using transport = createHttpTransport({ clock, connectTo: () => null });
    const signal = new AbortController().signal;
    const call = { method: 'GET', url: process.argv[1], headers: {} };
    console.log(await transport.call(call, signal).then(({ status }) => status, String));
  `;
  const ask = async (env: Record<string, string>): Promise<string> => {
    const args = ['--input-type=module', '-e', script, sink.url];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    return stdout.trim();
  };
  expect(await ask({ NODE_EXTRA_CA_CERTS: ca })).toBe('200');
  expect(await ask({})).toContain('the issuer is not trusted here; see NODE_EXTRA_CA_CERTS');
});

it('asks for the name in the URL when it connects elsewhere', async () => {
  const names: string[] = [];
  const SNICallback = (name: string, done: (error: Error | null) => void) => {
    names.push(name);
    done(null);
  };
  await using target = await startHttpTarget(closingWith(response('{}')), {
    tls: { ...makeCertificate({ hosts: ['sink.test'] }), SNICallback },
  });
  const connectTo = parseConnectTo([`sink.test:443:${target.at}`]);
  await using transport = aTransport({ connectTo });
  const failure = await failureOf(post(transport, 'https://sink.test/'));
  expect(failure.message).toContain('self-signed');
  expect(names).toEqual(['sink.test']);
});

it('says that a port does not speak TLS', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  const failure = await failureOf(post(transport, `https://127.0.0.1:${sink.port}/?secret`));
  expect(failure.message).toMatch(/^127\.0\.0\.1:\d+: TLS: the port does not speak TLS$/);
});

it('says that an answer is not HTTP', async () => {
  await using target = await startHttpTarget(closingWith('SSH-2.0-OpenSSH_9.2\r\n'));
  await using transport = aTransport();
  const failure = await failureOf(post(transport, `http://${target.at}/?secret`));
  expect(failure.message).toBe(`${target.at}: the answer is not HTTP`);
});

it('connects elsewhere as curl does: Host header and port stay those of the URL', async () => {
  await using sink = await startHttpSink();
  const connectTo = parseConnectTo([`api.example:8080:127.0.0.1:${sink.port}`]);
  await using transport = aTransport({ connectTo });
  await post(transport, 'http://api.example:8080/x');
  expect(sink.requests[0]?.headers.host).toBe('api.example:8080');
});

it.each([
  ['http://169.254.169.254/?secret', []],
  ['http://0xa9fea9fe/?secret', []],
  ['http://[::ffff:169.254.169.254]/?secret', []],
  ['http://metadata.google.internal/?secret', []],
  ['http://host.test/?secret', ['host.test:80:169.254.169.254:80']],
  ['http://host.test/?secret', ['host.test:80:metadata.google.internal:80']],
  // The system's resolver reads this as the number of an address.
  ['http://host.test/?secret', ['host.test:80:0xa9fea9fe:80']],
  ['http://host.test/?secret', ['host.test:80:2852039166:80']],
])('never speaks to a metadata service: %s %j', async (url, rules) => {
  await using transport = aTransport({ connectTo: parseConnectTo(rules) });
  const failure = await failureOf(post(transport, url));
  expect(failure.message).toContain('which watcher never speaks to');
  expect(failure.isFinal).toBe(true);
});

it.each([['ftp://host/secret'], ['secret'], ['']])(
  'waits for a person where the address is %j',
  async (url) => {
    await using transport = aTransport();
    const failure = await failureOf(post(transport, url));
    expect(failure.isFinal).toBe(true);
    expect(failure.message).toBe('the address of the sink is not an http or https URL');
  },
);

it('waits for a person where a header cannot be sent, and does not repeat it', async () => {
  await using sink = await startHttpSink();
  await using transport = aTransport();
  const headers = { 'x-key': 'secret\r\nx-other: 1' };
  const failure = await failureOf(
    transport.call({ method: 'POST', url: sink.url, headers, body: '' }, never),
  );
  expect(failure.isFinal).toBe(true);
  expect(failure.message).toContain('HTTP does not allow');
  expect(sink.requests).toEqual([]);
});

it('knows which private addresses it speaks to, those of --connect-to included', async () => {
  await using sink = await startHttpSink();
  const connectTo = parseConnectTo([`api.example:80:127.0.0.1:${sink.port}`]);
  await using transport = aTransport({ connectTo });
  expect(transport.uses('127.0.0.1', sink.port)).toBe(false);
  await post(transport, 'http://api.example/');
  expect(transport.uses('127.0.0.1', sink.port)).toBe(true);
  expect(transport.uses('::ffff:127.0.0.1', sink.port)).toBe(true);
  expect(transport.uses('127.0.0.1', sink.port + 1)).toBe(false);
  expect(transport.uses('127.0.0.2', sink.port)).toBe(false);
});

it('remembers the last thousand of them', async () => {
  await using sink = await startHttpSink({ address: '0.0.0.0' });
  await using transport = aTransport();
  for (let n = 0; n <= 1_000; n++)
    await transport.reach(`http://${addressOf(n)}:${sink.port}`, never);
  const known = [0, 1, 1_000].map((n) => transport.uses(addressOf(n), sink.port));
  expect(known).toEqual([false, true, true]);
});

it('can tell whether a sink is there without asking it anything', async () => {
  await using sink = await startHttpSink({ tls: true });
  await using transport = aTransport();
  await transport.reach(`${sink.url}/?secret`, never);
  expect(sink.connections()).toBe(1);
  expect(sink.requests).toEqual([]);
  await sink[Symbol.asyncDispose]();
  await failureOf(transport.reach(`${sink.url}/?secret`, never));
});

it('ends what goes on when it is disposed of, connections that are being made too', async () => {
  await using sink = await startHttpSink();
  await using mute = await startMute();
  const clock = new ManualClock();
  const transport = aTransport({ clock });
  sink.next('hang');
  const failures = [
    failureOf(post(transport, sink.url)),
    failureOf(post(transport, `https://127.0.0.1:${mute.port}`)),
  ];
  await Promise.all([sink.received(1), mute.accepted]);
  await transport[Symbol.asyncDispose]();
  for (const failure of failures) expect((await failure).message).toContain('watcher is ending');
  for (const late of [post(transport, sink.url), transport.reach(sink.url, never)])
    expect((await failureOf(late)).message).toContain('watcher is ending');
  expect(sink.connections()).toBe(1);
});

it('gives up on a call that still waits for a connection when its time is over', async () => {
  const clock = new ManualClock();
  await using sink = await startHttpSink();
  await using transport = aTransport({ clock });
  sink.always('hang');
  const calls = Array.from({ length: 70 }, () => failureOf(post(transport, sink.url)));
  await sink.received(64);
  expect(sink.connections()).toBe(64);
  await clock.advance(10_000);
  for (const failure of await Promise.all(calls)) expect(failure.message).toContain('within 10 s');
});
