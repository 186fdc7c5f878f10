/** What stands before a sink's double and can be shut in each way that a network has. */

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * `unavailable`: HTTP 503 to whatever is asked, for sinks without TLS; `slow`: each piece of an answer
 * waits.
 */
export type GateMode = 'open' | 'slow' | 'hangs' | 'refuses' | 'unavailable';

export interface Gate extends AsyncDisposable {
  readonly port: number;
  /** What is under way through it is cut off. */
  set(mode: GateMode): Promise<void>;
  readonly mode: GateMode;
}

const SLOW_MS = 300;
const UNAVAILABLE =
  'HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}';

export async function startGate(targetPort: number): Promise<Gate> {
  let mode: GateMode = 'open';
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    // Else pieces of an answer wait 40 ms for the acknowledgement of the one before.
    socket.setNoDelay();
    return socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    if (mode === 'hangs') return void client.resume();
    if (mode === 'unavailable') return refuse(client);
    const target = keep(connect(targetPort, '127.0.0.1'));
    target.once('close', () => client.destroy());
    client.once('close', () => target.destroy());
    client.pipe(target);
    target.on('data', async (piece) => {
      if (mode === 'slow') {
        target.pause();
        await sleep(SLOW_MS);
        target.resume();
      }
      client.write(piece);
    });
  });
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as { port: number }).port;
  };
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  const port = await listen(0);
  return {
    port,
    get mode() {
      return mode;
    },
    set: async (next) => {
      mode = next;
      if (next === 'refuses') return close();
      for (const socket of sockets) socket.destroy();
      if (!server.listening) await listen(port);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** The request is read to its end, as a real front end does. */
function refuse(client: Socket): void {
  client.once('data', () => client.end(UNAVAILABLE));
  client.resume();
}
