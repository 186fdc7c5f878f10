/** Time as a port. The only file that may touch `Date` and timers. */

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock, ms since the epoch. May be stepped. */
  now(): number;
  /** Never goes back; its origin means nothing. Fractions of a millisecond count. */
  monotonicMs(): number;
  /** Calls `fn` once, not before `ms` have passed. */
  after(ms: number, fn: () => void): Timer;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(ms: number, fn: () => void) {
    this.#handle = setTimeout(fn, ms);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, fn) => new SystemTimer(ms, fn),
  sleep: (ms, signal) => sleepOn(systemClock, ms, signal),
};

/** `Clock.sleep` in terms of `Clock.after`, for every implementation. */
export const sleepOn = (
  clock: Pick<Clock, 'after'>,
  ms: number,
  signal?: AbortSignal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });

/**
 * ISO 8601 in UTC, with milliseconds. Results come in the order of time, so the texts of the last
 * seconds serve most of them: making one anew is a tenth of what a run on a kept connection costs.
 */
export const isoTime = (ms: number): string => {
  const second = Math.floor(ms / 1000);
  const place = ((second % ISO_SECONDS) + ISO_SECONDS) % ISO_SECONDS;
  if (isoSeconds[place] !== second) {
    isoSeconds[place] = second;
    isoPrefixes[place] = new Date(second * 1000).toISOString().slice(0, -4);
  }
  return `${isoPrefixes[place]}${String(Math.floor(ms) - second * 1000).padStart(3, '0')}Z`;
};

const ISO_SECONDS = 64;
const isoSeconds = new Float64Array(ISO_SECONDS).fill(Number.NaN);
const isoPrefixes: string[] = new Array(ISO_SECONDS).fill('');
