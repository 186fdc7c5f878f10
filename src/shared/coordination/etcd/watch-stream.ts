/**
 * One raw watch stream of etcd's, read message by message: etcd → **stream** → watch. Its errors are
 * kept until they are asked for, never thrown into the air; while nobody takes, it stops reading, and
 * etcd keeps what is still to come.
 */

import { InterceptingCall, type Interceptor } from '@grpc/grpc-js';
import {
  type Etcd3,
  GRPCUnavailableError,
  type IDuplexStream,
  type IWatchCreateRequest,
  type IWatchRequest,
  type IWatchResponse,
} from 'etcd3';
import type { Clock } from '../../runtime/clock.ts';

/** It is a Node stream; the library's types leave that out. */
type RawStream = IDuplexStream<IWatchRequest, IWatchResponse> & {
  pause(): unknown;
  resume(): unknown;
};

/** A message holds up to a thousand revisions: a few keep the reader busy while the next one comes. */
const WAITING_MESSAGES = 8;

/** Without it a watch on a member that has lost the others stays connected, and silent, for ever. */
const requireLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      metadata.set('hasleader', 'true');
      next(metadata, listener);
    },
  });

export class WatchStream implements Disposable {
  readonly #stream: RawStream;
  readonly #clock: Clock;
  readonly #messages: IWatchResponse[] = [];
  /** Told after the messages that came before it. */
  #failure: Error | null = null;
  #isClosed = false;
  #wake: (() => void) | null = null;

  private constructor(stream: RawStream, clock: Clock) {
    this.#stream = stream;
    this.#clock = clock;
    stream.on('data', (message) => {
      this.#messages.push(message);
      if (this.#messages.length >= WAITING_MESSAGES) stream.pause();
      this.#wake?.();
    });
    stream.on('error', (error) => this.#fail(error));
    stream.on('end', () => this.#fail(new GRPCUnavailableError('14 UNAVAILABLE: stream ended')));
  }

  static async open(
    client: Etcd3,
    request: IWatchCreateRequest,
    clock: Clock,
  ): Promise<WatchStream> {
    const raw = await client.watchClient.watch({ interceptors: [requireLeader] });
    const stream = new WatchStream(raw as RawStream, clock);
    raw.write({ create_request: request });
    return stream;
  }

  /** Asks for a sign of life; the answer is a message without events. */
  askProgress(): void {
    if (this.#failure === null) this.#stream.write({ progress_request: {} });
  }

  /** The next message; `silent` when none came in time, `closed` after dispose. Throws its failure. */
  async take(withinMs: number): Promise<IWatchResponse | 'silent' | 'closed'> {
    if (this.#messages.length === 0 && this.#failure === null && !this.#isClosed)
      await this.#something(withinMs);
    if (this.#isClosed) return 'closed';
    const message = this.#messages.shift();
    if (message !== undefined) {
      if (this.#messages.length < WAITING_MESSAGES / 2) this.#stream.resume();
      return message;
    }
    if (this.#failure !== null) throw this.#failure;
    return 'silent';
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.cancel();
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  #something(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        timer.cancel();
        this.#wake = null;
        resolve();
      };
      const timer = this.#clock.after(withinMs, wake);
      this.#wake = wake;
    });
  }
}
