/**
 * How free the event loop is. A blocked loop makes runs late and deadlines fire late, so whoever
 * judges a run must be able to tell that from a slow target.
 */

import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock, Timer } from './clock.ts';
import type { Meter } from './meter.ts';

/** Readings are those of the last full window. */
const WINDOW_MS = 10_000;
/** How often the detector looks: 10 timers a second cost nothing measurable. */
const PROBE_MS = 100;
/** Below it garbage collection and a large file would be reported too. */
const BLOCKED_MS = 200;
/** Node's histogram measures the distance between two timers, so this is part of each value. */
const RESOLUTION_MS = 10;

export interface LoopReading {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** 0 idle to 1 busy. */
  readonly utilisation: number;
}

export interface EventLoopOptions {
  readonly clock: Clock;
  readonly meter: Meter;
  /** Called once the loop is free again, after it was blocked for that long. */
  readonly onBlocked?: (blockedMs: number) => void;
}

export class EventLoopMonitor implements Disposable {
  readonly #options: EventLoopOptions;
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #utilisation: EventLoopUtilization = performance.eventLoopUtilization();
  #reading: LoopReading = { p50Ms: 0, p99Ms: 0, maxMs: 0, utilisation: 0 };
  #windowStart: number;
  #probedAt: number;
  #timer: Timer;

  constructor(options: EventLoopOptions) {
    this.#options = options;
    this.#windowStart = this.#probedAt = options.clock.monotonicMs();
    this.#timer = options.clock.after(PROBE_MS, () => this.#probe());
    this.#delays.enable();
    this.#export(options.meter);
  }

  get reading(): LoopReading {
    return this.#reading;
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#delays.disable();
  }

  #probe(): void {
    const { clock, meter, onBlocked } = this.#options;
    const now = clock.monotonicMs();
    const blockedMs = now - this.#probedAt - PROBE_MS;
    if (blockedMs >= BLOCKED_MS) {
      meter.counter('watcher.event_loop.blocked').add(blockedMs);
      onBlocked?.(blockedMs);
    }
    if (now - this.#windowStart >= WINDOW_MS) this.#rollWindow(now);
    this.#probedAt = now;
    this.#timer = clock.after(PROBE_MS, () => this.#probe());
  }

  #rollWindow(now: number): void {
    const before = this.#utilisation;
    this.#utilisation = performance.eventLoopUtilization();
    this.#reading = {
      p50Ms: delayMs(this.#delays.percentile(50)),
      p99Ms: delayMs(this.#delays.percentile(99)),
      maxMs: delayMs(this.#delays.max),
      utilisation: performance.eventLoopUtilization(this.#utilisation, before).utilization,
    };
    this.#delays.reset();
    this.#windowStart = now;
  }

  #export(meter: Meter): void {
    meter.observe('watcher.event_loop.delay', () => [
      { labels: { stat: 'p50' }, value: this.#reading.p50Ms },
      { labels: { stat: 'p99' }, value: this.#reading.p99Ms },
      { labels: { stat: 'max' }, value: this.#reading.maxMs },
    ]);
    meter.observe('watcher.event_loop.utilisation', () => this.#reading.utilisation);
  }
}

const delayMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
