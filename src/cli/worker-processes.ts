/**
 * The processes of `watcher worker --processes N`: this command again, N times. One that crashes is
 * started again; what they write to stdout goes on in whole lines.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import { EXIT } from './exit-codes.ts';
import { wholeLines } from './whole-lines.ts';

const VARIABLE = 'WATCHER_PROCESS';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** One that has run for this long does not crash at once. */
const STEADY_MS = 30_000;

/** Which of several this process is, from 1; null for one that nobody else has started. */
export const ownNumber = (): number | null => {
  const text = process.env[VARIABLE];
  return text === undefined ? null : Number(text);
};

export interface WorkerProcessesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly stdout: Writable;
  readonly count: number;
}

export class WorkerProcesses {
  readonly #options: WorkerProcessesOptions;
  readonly #running = new Map<number, ChildProcess>();
  readonly #waiting = new Map<number, Timer>();
  readonly #ended = Promise.withResolvers<void>();
  #onEnded: () => void = () => {};
  #stopping = false;
  #hopeless: number | null = null;

  constructor(options: WorkerProcessesOptions) {
    this.#options = options;
  }

  /** The exit code of one that would only fail again: a person has to mend something. */
  get hopeless(): number | null {
    return this.#hopeless;
  }

  /** `onEnded`: none of them runs any more, or ever will. */
  start(onEnded: () => void): void {
    this.#onEnded = onEnded;
    this.#options.stdout.setMaxListeners(0);
    for (let number = 1; number <= this.#options.count; number += 1) this.#spawn(number, 0);
  }

  signal(signal: NodeJS.Signals): void {
    for (const child of this.#running.values()) child.kill(signal);
  }

  /** Resolves when all have ended. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
    this.signal('SIGTERM');
    this.#settle();
    return this.#ended.promise;
  }

  #spawn(number: number, failures: number): void {
    const { clock, stdout, log } = this.#options;
    this.#waiting.delete(number);
    const startedAt = clock.monotonicMs();
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, [VARIABLE]: String(number) },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
      detached: true,
    });
    this.#running.set(number, child);
    child.stdout?.pipe(wholeLines()).pipe(stdout, { end: false });
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (!this.#running.delete(number)) return;
      const isSteady = clock.monotonicMs() - startedAt > STEADY_MS;
      this.#after({ number, code, signal, failures: isSteady ? 0 : failures });
    };
    child.on('close', ended);
    child.on('error', (err) => {
      log.error('a worker process cannot be started', { process: number, err });
      if (child.pid === undefined) ended(null, null);
    });
  }

  #after(end: {
    readonly number: number;
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly failures: number;
  }): void {
    const { number, code, signal, failures } = end;
    if (this.#stopping || code === EXIT.ok) return this.#settle();
    if (code === EXIT.usage || code === EXIT.unreachable) {
      this.#hopeless = code;
      return this.#onEnded();
    }
    const { clock, log } = this.#options;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures);
    const fields = { process: number, code, signal, pause_ms: pauseMs };
    log.error('a worker process crashed, and is started again', fields);
    this.#waiting.set(
      number,
      clock.after(pauseMs, () => this.#spawn(number, failures + 1)),
    );
  }

  #settle(): void {
    if (this.#running.size + this.#waiting.size > 0) return;
    this.#ended.resolve();
    this.#onEnded();
  }
}
