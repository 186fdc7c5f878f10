/**
 * Ends this process when it stands still, so that its supervisor starts it anew: one whose loop is wedged
 * can neither run a check nor say so, and whose scheduler has stopped may even keep its lease. The judge is
 * a thread of its own (watchdog-thread.ts), and this is the pulse that it looks at.
 */

import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from './clock.ts';
import type { Log } from './log.ts';

const PULSE_MS = 1_000;
/** Cells of the memory that both threads share. */
export const PULSES = 0;
export const OVERDUE_MS = 1;
const MOST_MS = 0x7fff_ffff;
/** The thread only counts; without a limit it would take a heap like any other. */
const LIMITS = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

export interface WatchdogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long the process may stand still. */
  readonly limitMs: number;
  /** How long the first due check has been waiting to be started. */
  readonly overdueMs: () => number;
}

export interface WatchdogData {
  readonly cells: Int32Array;
  readonly limitMs: number;
}

export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions;
  readonly #cells = new Int32Array(new SharedArrayBuffer(8));
  #thread: Worker | null = null;
  #timer: Timer;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#timer = options.clock.after(PULSE_MS, () => this.#begin());
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    void this.#thread?.terminate();
  }

  /** Not at once: a start, and a command that ends soon, have better things to do. */
  #begin(): void {
    const { log, limitMs } = this.#options;
    const workerData: WatchdogData = { cells: this.#cells, limitMs };
    const file = new URL(extension('./watchdog-thread'), import.meta.url);
    this.#thread = new Worker(file, { workerData, resourceLimits: LIMITS });
    this.#thread.on('error', (err) =>
      log.warn('nobody watches whether this process lives', { err }),
    );
    this.#thread.unref();
    this.#pulse();
  }

  #pulse(): void {
    const { clock, overdueMs } = this.#options;
    Atomics.add(this.#cells, PULSES, 1);
    Atomics.store(this.#cells, OVERDUE_MS, Math.min(Math.round(overdueMs()), MOST_MS));
    this.#timer = clock.after(PULSE_MS, () => this.#pulse());
  }
}

/** Sources run as they are, or built: the thread's file is called as this one is. */
function extension(path: string): string {
  return path + import.meta.url.slice(import.meta.url.lastIndexOf('.'));
}
