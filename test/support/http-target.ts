/** A target on loopback that answers byte for byte what it is told, well behaved or not. */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** One request, as soon as its head is there. */
export interface Received {
  readonly socket: Socket;
  /** Request line and headers. */
  readonly head: string;
  readonly path: string;
  /** What has come of the body so far. */
  readonly body: string;
  /** How many requests this connection served before. */
  readonly served: number;
}

export type Script = (received: Received) => void;

export interface HttpTargetOptions {
  readonly tls?: TlsOptions;
  /** Called for each connection before any byte is read. */
  readonly onConnection?: (socket: Socket) => void;
  readonly address?: string;
  /** Default: a free one. */
  readonly port?: number;
}

export interface HttpTarget extends AsyncDisposable {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly at: string;
  connections(): number;
  /** Heads of the requests so far. */
  requests(): readonly string[];
  /** What answers from now on. */
  answer(script: Script): void;
}

/** Status line, headers and body of a plain good answer. */
export const response = (
  body: string,
  headers: Readonly<Record<string, string | number>> = {},
  status = '200 OK',
): string => {
  const lines = Object.entries({ 'content-length': Buffer.byteLength(body), ...headers });
  return `HTTP/1.1 ${status}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
};

/** Sends the text and closes as a well-behaved server does after `connection: close`. */
export const closingWith =
  (text: string | Buffer): Script =>
  ({ socket }) =>
    socket.end(text);

/** Sends the text and keeps the connection. */
export const keepingWith =
  (text: string): Script =>
  ({ socket }) => {
    socket.write(text);
  };

export async function startHttpTarget(
  script: Script,
  { tls, onConnection, address = '127.0.0.1', port: wanted = 0 }: HttpTargetOptions = {},
): Promise<HttpTarget> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  let current = script;
  let connections = 0;

  const serve = (socket: Socket): void => {
    let served = 0;
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = text.slice(0, end);
      const body = text.slice(end + 4);
      text = '';
      requests.push(head);
      current({ socket, head, path: head.split(' ')[1] ?? '', body, served });
      served += 1;
    });
  };

  const track = (socket: Socket): void => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    onConnection?.(socket);
  };

  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  server.on('connection', track);
  server.listen(wanted, address);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    port,
    at: `${address}:${port}`,
    connections: () => connections,
    requests: () => requests,
    answer: (next) => {
      current = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
