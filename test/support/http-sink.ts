/**
 * The double of any sink that speaks HTTP: a real server on loopback, which keeps what it is sent and
 * misbehaves as it is told.
 *
 *     await using sink = await startHttpSink();          // { tls: true } for https, { port } to come back
 *     sink.always({ status: 202, body: '{"errors":[]}' });   // without: 200 with an empty JSON object
 *     sink.next({ status: 429, headers: { 'retry-after': '7' } }, 'hang');   // the next two requests
 *     await post(`${sink.url}/api/v2/series?x=1`);
 *     await sink.received(3);                            // until three requests have come in all
 *     sink.requests[0]?.headers['dd-api-key'], .path, .query.get('x'), .text (inflated), .json
 *     sink.accepted();                                   // what it took: answered 2xx, or `late`
 *
 * `always` takes a function of the request, too. For https: `trustSinks()` once in a test file makes
 * this process trust the test authority; another process is given `sinkAuthority()` in a file by
 * NODE_EXTRA_CA_CERTS. The certificate is for localhost and 127.0.0.1, or for `hosts`.
 */

import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates, TLSSocket } from 'node:tls';
import { gunzipSync, inflateSync } from 'node:zlib';
import { makeCertificate } from './certificates.ts';

export interface SinkRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly raw: Buffer;
  /** The body, inflated where `content-encoding` says so. */
  readonly text: string;
  /** Of `text`; throws when that is none. */
  readonly json: unknown;
}

export interface SinkAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * What is done with a request, all of it read: `hang` never answers, `reset` resets the connection
 * (under TLS ends it),
 * `half` ends it in the middle of an answer, `drip` sends a byte of a long answer every 20 ms, `late`
 * takes it in, and would have said so if the client had not given up.
 */
export type Behaviour = SinkAnswer | 'hang' | 'reset' | 'half' | 'drip' | 'late';

export interface HttpSinkOptions {
  readonly tls?: boolean;
  /** Of the certificate. */
  readonly hosts?: readonly string[];
  readonly address?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export interface HttpSink extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly SinkRequest[];
  accepted(): readonly SinkRequest[];
  /** How many connections were made so far. */
  connections(): number;
  /** For the next requests, one each, before `always`. */
  next(...behaviours: readonly Behaviour[]): void;
  always(behaviour: Behaviour | ((request: SinkRequest) => Behaviour)): void;
  /** Resolves once so many requests have come, counted from the start. */
  received(count: number): Promise<void>;
}

const DRIP_MS = 20;

let authority: ReturnType<typeof makeCertificate> | null = null;

const theAuthority = () => {
  authority ??= makeCertificate({ isAuthority: true, name: 'test authority of sinks' });
  return authority;
};

/** PEM. */
export const sinkAuthority = (): string => theAuthority().cert;

export const trustSinks = (): void =>
  setDefaultCACertificates([...getCACertificates('default'), sinkAuthority()]);

export async function startHttpSink(options: HttpSinkOptions = {}): Promise<HttpSink> {
  const { tls = false, hosts, address = '127.0.0.1', port: wanted = 0 } = options;
  const requests: SinkRequest[] = [];
  const taken: SinkRequest[] = [];
  const script: Behaviour[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let standing: Behaviour | ((request: SinkRequest) => Behaviour) = { status: 200, body: '{}' };
  let connections = 0;

  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on('error', () => {});
    const request = await readRequest(message).catch(() => null);
    if (request === null) return;
    const behaviour =
      script.shift() ?? (typeof standing === 'function' ? standing(request) : standing);
    requests.push(request);
    if (isAcceptance(behaviour)) taken.push(request);
    behave(behaviour, response);
    for (const { count, resolve } of waiting) if (requests.length >= count) resolve();
  };

  const listener = (message: IncomingMessage, response: ServerResponse) =>
    void serve(message, response);
  const server: Server = tls
    ? createTlsServer(
        makeCertificate({ issuer: theAuthority(), ...(hosts && { hosts }) }),
        listener,
      )
    : createServer(listener);
  // As public services do; Node's own 5 s would make most calls pay for a handshake.
  server.keepAliveTimeout = 65_000;
  server.on('connection', (socket) => {
    connections += 1;
    socket.on('error', () => {});
  });
  server.listen(wanted, address);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    url: `${tls ? 'https' : 'http'}://${host}:${port}`,
    port,
    requests,
    accepted: () => taken,
    connections: () => connections,
    next: (...behaviours) => {
      script.push(...behaviours);
    },
    always: (behaviour) => {
      standing = behaviour;
    },
    received: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    // More than once is fine: a test may have made the sink go away before its end.
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function readRequest(message: IncomingMessage): Promise<SinkRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  const raw = Buffer.concat(chunks);
  const text = inflated(raw, message.headers['content-encoding']).toString();
  const { method = '', url: target = '' } = message;
  const { pathname, searchParams } = new URL(target, 'http://sink');
  return {
    method,
    target,
    path: pathname,
    query: searchParams,
    headers: message.headers,
    raw,
    text,
    get json() {
      return JSON.parse(text);
    },
  };
}

function inflated(raw: Buffer, encoding: string | undefined): Buffer {
  if (encoding === 'gzip') return gunzipSync(raw);
  return encoding === 'deflate' ? inflateSync(raw) : raw;
}

const isAcceptance = (behaviour: Behaviour): boolean =>
  behaviour === 'late' ||
  (typeof behaviour === 'object' && behaviour.status >= 200 && behaviour.status < 300);

function behave(behaviour: Behaviour, response: ServerResponse): void {
  if (typeof behaviour === 'object') {
    const { status, headers, body = '' } = behaviour;
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
  } else if (behaviour === 'reset') {
    const { socket } = response;
    if (socket instanceof TLSSocket) socket.destroy();
    else socket?.resetAndDestroy();
  } else if (behaviour === 'half') {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half of it', () => response.socket?.destroy());
  } else if (behaviour === 'drip') {
    response.writeHead(200, { 'content-length': '1000000' });
    const timer = setInterval(() => response.write('.'), DRIP_MS);
    response.on('close', () => clearInterval(timer));
  }
}
