/** The one listener of a process: routes of the roles → **server**. The only importer of fastify. */

import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { refusalOf } from './guard.ts';
import { formatAddress, type ListenAddress, refuseExposed, type TlsFiles } from './listen.ts';
import { problem, type Route, type RouteReply } from './route.ts';
import { WrongTokens } from './wrong-tokens.ts';

export interface HttpServerOptions {
  /** With a port that is taken, the next free one of the 20 above it. */
  readonly listen: ListenAddress;
  readonly routes: readonly Route[];
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly tls?: TlsFiles | undefined;
  /** Bearer token that every route but the open ones asks for. */
  readonly token?: string | undefined;
}

export interface HttpServer extends AsyncDisposable {
  /** `http://127.0.0.1:9464`. */
  readonly url: string;
  readonly address: ListenAddress;
}

const PORTS_TRIED = 20;
const BODY_BYTES = 1024 * 1024;
/** For the headers, and for the whole request: nobody holds a connection open by being slow. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
};
const CONNECTIONS = 512;

const NO_BODY = new Uint8Array();

interface RouteShape {
  readonly Querystring: Record<string, string>;
  readonly Params: Record<string, string>;
  readonly Body: Uint8Array | undefined;
}

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

/** Throws WCH_SETTINGS where the address may not be listened on, or cannot. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { listen, tls, token } = options;
  refuseExposed(listen, { tls, token });
  const app = await build(options);
  const port = await listenOn(app, listen);
  const address = { host: listen.host, port };
  return {
    address,
    url: `${tls === undefined ? 'http' : 'https'}://${formatAddress(address)}`,
    [Symbol.asyncDispose]: () => app.close(),
  };
}

async function build(options: HttpServerOptions): Promise<FastifyInstance> {
  const { routes, log, tls } = options;
  const { fastify } = await import('fastify');
  const app = fastify({
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true,
    serverFactory: (handler) =>
      tls === undefined ? createHttpServer(TIMEOUTS, handler) : withTls(tls, handler),
  });
  app.server.maxConnections = CONNECTIONS;
  guard(app, options);
  answerErrors(app, log);
  takeYaml(app);
  for (const route of routes) {
    app.route<RouteShape>({
      method: route.method,
      url: route.path,
      handler: async ({ query, params, body }, reply) =>
        send(reply, await route.handle({ query, params, body: body ?? NO_BODY })),
    });
  }
  return app;
}

/** A page of another origin cannot send this type unasked, as it can send forms and plain text. */
function takeYaml(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/yaml', { parseAs: 'buffer' }, (_, body, done) =>
    done(null, body),
  );
}

/** OpenSSL says what is wrong with a file, though not with which of the two. */
const withTls = (tls: TlsFiles, handler: RequestListener) => {
  try {
    return createHttpsServer({ ...TIMEOUTS, ...tls }, handler);
  } catch (cause) {
    const message = 'listen_tls: cert and key cannot be used';
    throw new WatcherError('WCH_SETTINGS', message, { cause });
  }
};

function guard(app: FastifyInstance, { routes, clock, token }: HttpServerOptions): void {
  const open = new Set(routes.filter((route) => route.open).map((route) => route.path));
  const wrongTokens = new WrongTokens(clock);
  app.addHook('onRequest', async ({ method, headers, routeOptions, ip }, reply) => {
    reply.headers(HEADERS);
    const { host, origin, authorization } = headers;
    const isOpen = open.has(routeOptions.url ?? '');
    const blocked = wrongTokens.blocks(ip);
    const caller = { method, host, origin, authorization, open: isOpen, blocked };
    const refusal = refusalOf(caller, token ?? null);
    if (refusal === null) return undefined;
    // Who sends none does not guess.
    if (refusal.status === 401 && authorization !== undefined) wrongTokens.count(ip);
    return send(reply, refusal);
  });
}

/** What goes wrong inside is logged; the caller learns only that it did. */
function answerErrors(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((_, reply) =>
    send(reply, problem(404, 'not_found', 'there is no such route')),
  );
  app.setErrorHandler<Error & { code?: string; statusCode?: number }>((err, request, reply) => {
    const status = err.statusCode ?? 500;
    if (status < 500) return send(reply, problem(status, err.code ?? 'bad_request', err.message));
    log.error('a request failed', { path: request.routeOptions.url, err });
    return send(reply, problem(500, 'internal', 'watcher could not answer; its log says why'));
  });
}

const send = (reply: FastifyReply, { status = 200, body, contentType }: RouteReply): FastifyReply =>
  reply
    .code(status)
    .type(
      typeof body === 'string' ? (contentType ?? 'text/plain; charset=utf-8') : 'application/json',
    )
    .send(body);

/** The port that was free: the one asked for or, if others have it, the next. */
async function listenOn(app: FastifyInstance, { host, port }: ListenAddress): Promise<number> {
  for (let tried = 0; ; tried++) {
    try {
      await app.listen({ host, port: port + tried });
      return (app.server.address() as AddressInfo).port;
    } catch (cause) {
      if (isTaken(cause) && tried < PORTS_TRIED) continue;
      const where = formatAddress({ host, port });
      throw new WatcherError('WCH_SETTINGS', `listen: cannot listen on ${where}`, { cause });
    }
  }
}

const isTaken = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
