/** Calls to sinks over undici: destination → **transport** → socket. The only owner of undici here. */

import type { Socket } from 'node:net';
import { Agent, type buildConnector, type Dispatcher, request } from 'undici';
import { plainAddress } from '../../rules/address-policy.ts';
import type { ConnectTo } from '../../rules/connect-to.ts';
import type { Clock } from '../../runtime/clock.ts';
import { failureAt, HttpFailure } from './failure.ts';
import { createGuardedLookup } from './guarded-lookup.ts';
import { type Endpoint, openSocket, whereOf } from './open-socket.ts';
import { isPrivateAddress } from './private-address.ts';
import type { HttpAnswer, HttpCall, HttpTransport } from './transport.ts';

/** Of a whole call, against a peer that hangs or sends a byte now and then. */
const CALL_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024;
/** Longer than any window, shorter than what servers and their balancers commonly allow. */
const KEEP_ALIVE_MS = 30_000;
/** To one host: however many keys post to it, one that hangs holds no more descriptors. */
const MAX_CONNECTIONS = 64;
const MAX_USED = 1_000;

export interface HttpTransportOptions {
  readonly clock: Clock;
  readonly connectTo: ConnectTo;
}

export const createHttpTransport = (options: HttpTransportOptions): HttpTransport =>
  new UndiciTransport(options);

class UndiciTransport implements HttpTransport {
  readonly #options: HttpTransportOptions;
  readonly #agent: Agent;
  readonly #lookup = createGuardedLookup();
  readonly #ending = new AbortController();
  /** `address port` of private networks, the latest last. */
  readonly #used = new Set<string>();

  constructor(options: HttpTransportOptions) {
    this.#options = options;
    this.#agent = new Agent({
      connect: this.#connect,
      connections: MAX_CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      allowH2: false,
      // The clock's timers bound the whole call.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  call(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer> {
    return this.#within(call.url, signal, (url, limit) => this.#exchange(call, url, limit));
  }

  reach(url: string, signal: AbortSignal): Promise<void> {
    return this.#within(url, signal, async (target, limit) => {
      const either = AbortSignal.any([limit, this.#ending.signal]);
      const socket = await this.#open(endpointOf(target), either);
      socket.destroy();
    });
  }

  uses(address: string, port: number): boolean {
    return this.#used.has(`${plainAddress(address)} ${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new HttpFailure('watcher is ending'));
    await this.#agent.destroy();
  }

  /**
   * Raced against the limit and not only given the signal: undici does not look at it while a
   * request waits for a connection.
   */
  async #within<T>(
    text: string,
    signal: AbortSignal,
    work: (url: URL, limit: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const url = URL.parse(text);
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new HttpFailure('the address of the sink is not an http or https URL', FINAL);
    const where = whereOf(endpointOf(url));
    const limit = new AbortController();
    const late = new HttpFailure(`${where}: no answer within ${CALL_MS / 1000} s`);
    const timer = this.#options.clock.after(CALL_MS, () => limit.abort(late));
    const giveUp = (): void => limit.abort(new HttpFailure(`${where}: the call was given up`));
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    try {
      return await Promise.race([rejectionOf(limit.signal), work(url, limit.signal)]);
    } catch (error) {
      throw isUnsendable(error)
        ? new HttpFailure(`${where}: ${UNSENDABLE}`, FINAL)
        : failureAt(where, error);
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  async #exchange(
    { method, headers, body }: HttpCall,
    { origin, pathname, search }: URL,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const answer = await request(origin + pathname + search, {
      dispatcher: this.#agent,
      method,
      headers,
      body: body ?? null,
      signal,
    });
    return {
      status: answer.statusCode,
      headers: flattened(answer.headers),
      body: await startOf(answer.body),
    };
  }

  readonly #connect: buildConnector.connector = ({ hostname, protocol, port }, callback) => {
    const secure = protocol === 'https:';
    const endpoint = { host: hostname, port: Number(port) || (secure ? 443 : 80), secure };
    this.#open(endpoint, this.#ending.signal).then(
      (socket) => callback(null, socket),
      (error) => callback(error, null),
    );
  };

  async #open(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
    const socket = await openSocket(endpoint, { ...this.#options, lookup: this.#lookup, signal });
    this.#remember(plainAddress(socket.remoteAddress ?? ''), socket.remotePort);
    return socket;
  }

  #remember(address: string, port = 0): void {
    if (!isPrivateAddress(address)) return;
    const place = `${address} ${port}`;
    this.#used.delete(place);
    this.#used.add(place);
    const [oldest] = this.#used;
    if (this.#used.size > MAX_USED && oldest !== undefined) this.#used.delete(oldest);
  }
}

const FINAL = { isFinal: true };
const UNSENDABLE =
  'the request cannot be sent: its address or a header holds what HTTP does not allow';

const isUnsendable = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'UND_ERR_INVALID_ARG';

const endpointOf = ({ protocol, hostname, port }: URL): Endpoint => {
  const secure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host, port: Number(port) || (secure ? 443 : 80), secure };
};

const rejectionOf = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const rejectNow = (): void => reject(signal.reason);
    if (signal.aborted) rejectNow();
    else signal.addEventListener('abort', rejectNow);
  });

const flattened = (headers: Dispatcher.ResponseData['headers']): HttpAnswer['headers'] => {
  const flat: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers))
    flat[name] = Array.isArray(value) ? value.join(', ') : value;
  return flat;
};

/** Leaving the loop drops the rest, and the connection with it. */
const startOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, MAX_BODY_BYTES);
};
