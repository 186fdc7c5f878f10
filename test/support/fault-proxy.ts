/**
 * A network that can be broken: a TCP proxy in front of a server. A connection that has lost a byte is
 * dead from then on, and nobody tells its ends, as with a firewall that has forgotten it.
 */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `pass`: forwards. `mute`: requests arrive, answers are lost. `hole`: connections are accepted, and
 * everything is lost. `reset`: new connections are reset at once, old ones with their next byte.
 */
export type ProxyMode = 'pass' | 'mute' | 'hole' | 'reset';

export class FaultProxy implements AsyncDisposable {
  mode: ProxyMode = 'pass';
  /** Each way. */
  delayMs = 0;
  /** Connections that it has accepted so far. */
  accepted = 0;
  /** The port to which new connections lead. */
  target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    this.target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** In front of that port of this machine. */
  static async start(target: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return (typeof address === 'object' && address?.port) || 0;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Open at present, those to the server included. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Ends all connections there are; new ones are accepted. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    this.accepted += 1;
    if (this.mode === 'reset') {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target, '127.0.0.1');
    let isDead = this.mode === 'hole';
    const join = (from: Socket, to: Socket, isLost: () => boolean) => {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (chunk) => {
        if (this.mode === 'reset') {
          from.resetAndDestroy();
          to.resetAndDestroy();
          return;
        }
        isDead ||= isLost();
        if (isDead) return;
        if (this.delayMs === 0) to.write(chunk);
        else setTimeout(() => to.write(chunk), this.delayMs);
      });
    };
    join(client, server, () => this.mode === 'hole');
    join(server, client, () => this.mode !== 'pass');
  }
}
