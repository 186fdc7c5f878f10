/**
 * The barest load that undici can make: dispatch on a pool of one origin, collect the body, look
 * at it. Closed loop with a number in flight, or open loop with the arrivals of checks.
 */

import { type Dispatcher, Pool } from 'undici';
import type { Pace } from './target-load.ts';

export interface LoadOptions {
  readonly origin: string;
  readonly path: string;
  readonly pace: Pace;
  /** A new connection for each request. */
  readonly fresh?: boolean;
  readonly connect?: NonNullable<Pool.Options['connect']>;
  /** Throws when the body is not as it should be. */
  readonly judge: (body: string) => void;
}

export interface Load extends AsyncDisposable {
  readonly done: () => number;
}

const MINUTE_MS = 60_000;
const PACED_CONNECTIONS = 128;

export function startLoad(options: LoadOptions): Load {
  const { origin, connect = {}, pace } = options;
  // A pool with room for more than are in flight opens more clients, and costs half as much again.
  const connections = pace.kind === 'saturated' ? pace.inFlight : PACED_CONNECTIONS;
  const pool = new Pool(origin, { connections, allowH2: false, connect });
  const loop = new Loop(pool, options);
  if (pace.kind === 'saturated') loop.keepInFlight(pace.inFlight);
  else loop.arriveAt(pace.perSecond);
  return {
    done: () => loop.done,
    [Symbol.asyncDispose]: async () => {
      loop.stop();
      await pool.destroy();
    },
  };
}

class Loop {
  readonly #pool: Pool;
  readonly #request: Dispatcher.DispatchOptions;
  readonly #judge: LoadOptions['judge'];
  #stopped = false;
  done = 0;

  constructor(pool: Pool, { path, fresh = false, judge }: LoadOptions) {
    this.#pool = pool;
    this.#request = { method: 'GET', path, reset: fresh };
    this.#judge = judge;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The end of one request starts the next. */
  keepInFlight(count: number): void {
    const again = () => this.#dispatch(again);
    for (let i = 0; i < count; i += 1) again();
  }

  /** Arrivals as those of checks whose offsets are spread at random over a minute. */
  arriveAt(perSecond: number): void {
    const count = perSecond * 60;
    const random = () => Math.floor(Math.random() * MINUTE_MS);
    const offsets = Float64Array.from({ length: count }, random).sort();
    const dueAt = (n: number) => (offsets[n % count] ?? 0) + MINUTE_MS * Math.floor(n / count);
    const began = performance.now();
    let next = 0;
    const step = () => {
      if (this.#stopped) return;
      const now = performance.now() - began;
      for (; dueAt(next) <= now; next += 1) this.#dispatch(() => {});
      setTimeout(step, dueAt(next) - now);
    };
    step();
  }

  #dispatch(then: () => void): void {
    if (this.#stopped) return;
    const chunks: Buffer[] = [];
    this.#pool.dispatch(this.#request, {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData(_controller, chunk) {
        chunks.push(chunk);
      },
      onResponseEnd: () => {
        this.#judge(String(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
        this.done += 1;
        then();
      },
      onResponseError: (_controller, error) => {
        if (!this.#stopped) throw error;
      },
    });
  }
}
