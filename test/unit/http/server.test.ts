import { once } from 'node:events';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../../src/shared/http/route.ts';
import { type HttpServer, startHttpServer } from '../../../src/shared/http/server.ts';
import { type Clock, systemClock } from '../../../src/shared/runtime/clock.ts';
import { type Log, silentLog } from '../../../src/shared/runtime/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/open', open: true, handle: () => ({ body: 'hello' }) },
  { method: 'GET', path: '/echo', handle: ({ query }) => ({ status: 203, body: { query } }) },
  { method: 'POST', path: '/change', handle: () => ({ body: { changed: true } }) },
  {
    method: 'DELETE',
    path: '/things/:name',
    handle: ({ params }) => ({ body: { params } }),
  },
  {
    method: 'POST',
    path: '/file',
    handle: ({ body }) => ({ body: Buffer.from(body).toString('hex') }),
  },
  {
    method: 'GET',
    path: '/broken',
    handle: () => Promise.reject(new Error('the password is hunter2')),
  },
];

interface Call {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly localAddress?: string;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const call = async (server: HttpServer, { path, body, ...options }: Call): Promise<Reply> => {
  const outgoing = request(new URL(path, server.url), options).end(body);
  const [response] = await once(outgoing, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
};

interface Begin {
  readonly token?: string;
  readonly log?: Log;
  readonly port?: number;
  readonly clock?: Clock;
}

const begin = ({ port = 0, log = silentLog, clock = systemClock, ...rest }: Begin = {}) => {
  const listen = { host: '127.0.0.1', port };
  return startHttpServer({ listen, routes: ROUTES, log, clock, ...rest });
};

describe('the HTTP server', () => {
  let server: HttpServer;

  beforeEach(async () => {
    server = await begin();
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('answers routes with text or JSON', async () => {
    expect(await call(server, { path: '/open' })).toMatchObject({ status: 200, body: 'hello' });
    const reply = await call(server, { path: '/echo?a=1&b=' });
    expect(reply).toMatchObject({ status: 203, body: '{"query":{"a":"1","b":""}}' });
    expect(reply.headers['content-type']).toMatch(/^application\/json/);
  });

  it('gives a route the parts of its path', async () => {
    const reply = await call(server, { path: '/things/a%2Fb', method: 'DELETE' });
    expect(reply.body).toBe('{"params":{"name":"a/b"}}');
  });

  it('gives a route the bytes of a YAML body, or none', async () => {
    const headers = { 'content-type': 'application/yaml' };
    const file = { path: '/file', method: 'POST' };
    expect(await call(server, { ...file, headers, body: 'aé' })).toMatchObject({ body: '61c3a9' });
    expect(await call(server, file)).toMatchObject({ status: 200, body: '' });
  });

  it('sends on every answer what keeps a browser from using it', async () => {
    for (const path of ['/open', '/nowhere', '/broken']) {
      const { headers } = await call(server, { path });
      expect(headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'cache-control': 'no-store',
      });
    }
  });

  it.each<[string, Call, number, string]>([
    ['an unknown path', { path: '/nowhere' }, 404, 'not_found'],
    ['an unknown method', { path: '/open', method: 'DELETE' }, 404, 'not_found'],
    ['a path that climbs', { path: '/%2e%2e%2fetc/passwd' }, 404, 'not_found'],
    [
      'a body above 1 MiB',
      {
        path: '/change',
        method: 'POST',
        headers: { 'content-type': 'application/yaml', 'content-length': '1048577' },
      },
      413,
      'FST_ERR_CTP_BODY_TOO_LARGE',
    ],
    [
      'a form, as a foreign page could post it',
      {
        path: '/change',
        method: 'POST',
        body: 'a=1',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      415,
      'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    ],
    [
      'plain text, as a foreign page could post it',
      { path: '/file', method: 'POST', body: 'a: 1', headers: { 'content-type': 'text/plain' } },
      415,
      'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    ],
    [
      'a change asked for by a page of another origin',
      { path: '/change', method: 'POST', headers: { origin: 'https://evil.example' } },
      403,
      'origin_refused',
    ],
    [
      'a sandboxed page',
      { path: '/change', method: 'POST', headers: { origin: 'null' } },
      403,
      'origin_refused',
    ],
    [
      'a name that was made to resolve to loopback',
      { path: '/echo', headers: { host: 'evil.example:9464' } },
      403,
      'host_refused',
    ],
  ])('refuses %s', async (_, options, status, code) => {
    const reply = await call(server, options);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body)).toEqual({ code, message: expect.any(String) });
  });

  it.each(['localhost', 'localhost:9464', '127.0.0.1:1', '[::1]:9464'])(
    'answers to the host %s',
    async (host) => {
      expect(await call(server, { path: '/echo', headers: { host } })).toMatchObject({
        status: 203,
      });
    },
  );

  it('lets a page of its own change something', async () => {
    const headers = { origin: server.url };
    const reply = await call(server, { path: '/change', method: 'POST', headers });
    expect(reply).toMatchObject({ status: 200, body: '{"changed":true}' });
  });

  it('takes the next free port when its own is taken', async () => {
    await using second = await begin({ port: server.address.port });
    expect(second.address.port).toBeGreaterThan(server.address.port);
    expect(second.address.port).toBeLessThanOrEqual(server.address.port + 20);
    expect(await call(second, { path: '/open' })).toMatchObject({ status: 200 });
  });

  it('ends at once although a client keeps its connection open', async () => {
    const { port } = server.address;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    await server[Symbol.asyncDispose]();
    await once(socket, 'close');
    const refused = connect(port, '127.0.0.1');
    const [error] = await once(refused, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('what goes wrong inside', () => {
  it('is logged, and the caller learns only that it did', async () => {
    const errors: unknown[] = [];
    const log = { ...silentLog, error: (...all: unknown[]) => void errors.push(...all) };
    await using server = await begin({ log });
    const reply = await call(server, { path: '/broken' });
    expect(reply.status).toBe(500);
    expect(JSON.parse(reply.body)).toMatchObject({ code: 'internal' });
    expect(reply.body).not.toContain('hunter2');
    expect(errors).toMatchObject(['a request failed', { path: '/broken' }]);
  });
});

describe('a server with a token', () => {
  it.each([
    ['none', undefined, 401],
    ['another', 'Bearer tokem', 401],
    ['another kind', 'Basic token', 401],
    ['the right one', 'Bearer token', 203],
  ])('answers when it is %s', async (_, authorization, status) => {
    await using server = await begin({ token: 'token' });
    const headers = authorization === undefined ? {} : { authorization };
    expect((await call(server, { path: '/echo', headers })).status).toBe(status);
  });

  it('answers to any host name, as the token proves the caller', async () => {
    await using server = await begin({ token: 'token' });
    const headers = { authorization: 'Bearer token', host: 'watcher.example' };
    expect((await call(server, { path: '/echo', headers })).status).toBe(203);
  });

  it('answers nobody at an address from which ten wrong tokens came, for a minute', async () => {
    const clock = new ManualClock();
    await using server = await begin({ token: 'token', clock });
    const status = async (authorization: string, localAddress = '127.0.0.1') => {
      const headers = { authorization };
      return (await call(server, { path: '/echo', headers, localAddress })).status;
    };
    for (let n = 0; n < 10; n++) expect(await status(`Bearer ${n}`)).toBe(401);
    expect(await status('Bearer token')).toBe(429);
    expect(await status('Bearer token', '127.0.0.2')).toBe(203);
    expect((await call(server, { path: '/open' })).status).toBe(200);
    await clock.advance(59_999);
    expect(await status('Bearer token')).toBe(429);
    await clock.advance(1);
    expect(await status('Bearer token')).toBe(203);
  });

  it('does not take a caller without a token for one who guesses', async () => {
    await using server = await begin({ token: 'token' });
    for (let n = 0; n < 11; n++) expect((await call(server, { path: '/echo' })).status).toBe(401);
  });

  it('says up or down to anyone', async () => {
    await using server = await begin({ token: 'token' });
    expect((await call(server, { path: '/open' })).status).toBe(200);
  });
});

describe('an address that cannot be listened on', () => {
  it('is named', async () => {
    const starting = startHttpServer({
      listen: { host: '0.0.0.0', port: 0 },
      routes: ROUTES,
      log: silentLog,
      clock: systemClock,
    });
    await expect(starting).rejects.toMatchObject({ code: 'WCH_SETTINGS' });
  });
});
