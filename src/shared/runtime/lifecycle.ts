/**
 * How a long-running process ends: the first SIGTERM or SIGINT stops it in order within a
 * deadline, a second one stops it at once, and nothing is lost silently in between.
 *
 * RUNNING → STOPPING (parts close, the last opened first) → ended with an exit code
 */

import type { EventEmitter } from 'node:events';
import { WatcherError } from '../domain/errors.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

type StopSignal = 'SIGINT' | 'SIGTERM';

/** As shells know them: 128 + the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const satisfies Record<StopSignal, number>;
const STOPPED_BY_A_PART = 0;
const STOPPED_BADLY = 1;

export interface LifecycleOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long the parts may take together; then the process ends as by a second signal. */
  readonly drainMs: number;
  /** The process; tests give an emitter of their own. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>;
}

type Stop = () => PromiseLike<void> | void;

export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #parts: { readonly name: string; readonly stop: Stop }[] = [];
  readonly #handlers = new Map<NodeJS.Signals, () => void>();
  readonly #ended = Promise.withResolvers<number>();
  #stopping = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#listen('SIGINT', () => this.#signalled('SIGINT'));
    this.#listen('SIGTERM', () => this.#signalled('SIGTERM'));
  }

  /** The exit code, once the process may end. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  /** Parts stop in the reverse order of their being named, each after the one before has stopped. */
  onStop(name: string, stop: Stop): void {
    this.#parts.push({ name, stop });
  }

  onReload(reload: () => void): void {
    this.#listen('SIGHUP', reload);
  }

  /** As the first signal does. Without one: the reader of stdout has gone, or a set time is over. */
  stop(signal?: StopSignal): void {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, log, drainMs } = this.#options;
    if (signal !== undefined) log.info(`${signal}: stopping; a second one stops at once`);
    const deadline = clock.after(drainMs, () => {
      log.warn('not stopped in time', { drain_ms: drainMs });
      this.#end(signal === undefined ? STOPPED_BADLY : EXIT_CODES[signal]);
    });
    void this.#stopParts().then((failures) => {
      deadline.cancel();
      this.#end(failures === 0 ? STOPPED_BY_A_PART : STOPPED_BADLY);
    });
  }

  #signalled(signal: StopSignal): void {
    if (this.#stopping) this.#end(EXIT_CODES[signal]);
    else this.stop(signal);
  }

  /** One part that fails to stop must not keep the others from it. */
  async #stopParts(): Promise<number> {
    let failures = 0;
    for (const { name, stop } of this.#parts.toReversed()) {
      try {
        await stop();
      } catch (err) {
        failures++;
        this.#options.log.error(`${name} did not stop cleanly`, { err });
      }
    }
    return failures;
  }

  #end(code: number): void {
    for (const [signal, handler] of this.#handlers) this.#options.signals.off(signal, handler);
    this.#handlers.clear();
    this.#ended.resolve(code);
  }

  #listen(signal: NodeJS.Signals, handler: () => void): void {
    this.#handlers.set(signal, handler);
    this.#options.signals.on(signal, handler);
  }
}

/**
 * A reader of stdout that goes away, as `head` does, is no error: `onGone` is called, once. Other
 * errors of the stream, such as a full disk, are for the sink to count.
 */
export function onReaderGone(stdout: Pick<EventEmitter, 'on'>, onGone: () => void): void {
  let gone = false;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' || gone) return;
    gone = true;
    onGone();
  });
}

/** Throws WCH_SETTINGS where the environment would take the meaning from every TLS check. */
export function refuseUnsafeEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return;
  throw new WatcherError(
    'WCH_SETTINGS',
    'NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate everywhere: unset it, and use `insecure` of the one check that needs it',
  );
}
