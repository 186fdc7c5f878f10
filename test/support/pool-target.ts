/**
 * What a pool's checks ask: one listener for each worker, so that each arrival tells who came. It
 * answers as it is told, and writes down when it was asked.
 */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

export interface Arrival {
  /** Wall clock of this machine, ms. */
  readonly at: number;
  /** Number of the worker, which it keeps over restarts. */
  readonly by: number;
  /** Number of the check. */
  readonly check: number;
}

const BODY = '{"status":"ok","version":"1"}';
const ANSWER = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\nconnection: close\r\n\r\n${BODY}`;

export class PoolTarget implements AsyncDisposable {
  readonly arrivals: Arrival[] = [];
  /** Checks whose endpoint resets every connection. */
  readonly down = new Set<number>();
  /** Before the answer to a check, in ms. */
  delayOf: (check: number) => number = () => 0;
  readonly #servers = new Map<number, Server>();
  readonly #sockets = new Set<Socket>();

  /** The port for a worker; the same at each call. */
  async portFor(worker: number): Promise<number> {
    let server = this.#servers.get(worker);
    if (server === undefined) {
      server = createServer((socket) => this.#serve(socket, worker));
      this.#servers.set(worker, server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return (server.address() as { port: number }).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers.values()) {
      server.close();
      await once(server, 'close');
    }
  }

  #serve(socket: Socket, by: number): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    // A GET fits into one segment, whose first line says all.
    socket.once('data', (head) => {
      const check = checkIn(head.subarray(0, 100).toString('latin1'));
      if (check === null) return void socket.destroy();
      this.arrivals.push({ at: Date.now(), by, check });
      if (this.down.has(check)) return void socket.resetAndDestroy();
      const delayMs = this.delayOf(check);
      if (delayMs === 0) socket.end(ANSWER);
      else setTimeout(() => socket.end(ANSWER), delayMs);
    });
  }
}

export const HOST = 'pool-target.test';

/** How the checks of a pool's folder are named. */
export const keyOf = (check: number, host = HOST): string => `${host}/check?n=${check}`;

/** As the checks of a pool are named: `…?n=17`. */
export const checkIn = (text: string): number | null => {
  const [, number] = /\?n=(\d+)/.exec(text) ?? [];
  return number === undefined ? null : Number(number);
};
