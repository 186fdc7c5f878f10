/**
 * One machine's time over the world's: its monotonic clock runs a little too fast or too slow, its wall
 * clock is a little off and can be set, and the process can be stopped (time passes) or its machine
 * suspended (the monotonic clock stands still, the wall clock does not). What falls due meanwhile waits,
 * and a dead process hears of nothing any more.
 */

import { type Clock, sleepOn, type Timer } from '../../src/shared/runtime/clock.ts';

/** The time that everybody shares and nobody in the simulation can read. */
export type WorldClock = Clock;

/** Time passes with every timer, however short: rounding must not make a loop of it. */
const LEAST_MS = 0.001;

interface Waiting {
  readonly due: number;
  fn: (() => void) | null;
}

export class ProcessClock implements Clock {
  readonly #world: WorldClock;
  /** Monotonic milliseconds of this machine for one of the world's. */
  readonly #rate: number;
  readonly #bornAt: number;
  #wallOffsetMs: number;
  #suspendedMs = 0;
  #state: 'running' | 'stopped' | 'suspended' | 'dead' = 'running';
  #haltedAt = 0;
  #timers: Waiting[] = [];
  #deliveries: (() => void)[] = [];

  constructor(world: WorldClock, options: { rate?: number; wallOffsetMs?: number } = {}) {
    this.#world = world;
    this.#rate = options.rate ?? 1;
    this.#wallOffsetMs = options.wallOffsetMs ?? 0;
    this.#bornAt = world.monotonicMs();
  }

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** By how much the wall clock is off. */
  get wallOffsetMs(): number {
    return this.#wallOffsetMs;
  }

  now(): number {
    return Math.floor(this.#world.now() + this.#wallOffsetMs);
  }

  monotonicMs(): number {
    const at = this.#state === 'suspended' ? this.#haltedAt : this.#world.monotonicMs();
    return (at - this.#bornAt - this.#suspendedMs) * this.#rate;
  }

  after(ms: number, fn: () => void): Timer {
    const waiting: Waiting = { due: this.monotonicMs() + Math.max(LEAST_MS, ms), fn };
    this.#arm(waiting);
    return {
      cancel: () => {
        waiting.fn = null;
      },
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  /** Something from outside has arrived; read when the process runs. */
  deliver(fn: () => void): void {
    if (this.#state === 'running') fn();
    else if (this.#state !== 'dead') this.#deliveries.push(fn);
  }

  stepWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  stop(): void {
    this.#halt('stopped');
  }

  suspend(): void {
    this.#halt('suspended');
  }

  kill(): void {
    this.#state = 'dead';
    this.#timers = [];
    this.#deliveries = [];
  }

  /** Timers that are overdue go off one by one; what has arrived is read before or after them. */
  resume(timersFirst: boolean): void {
    if (this.#state !== 'stopped' && this.#state !== 'suspended') return;
    if (this.#state === 'suspended')
      this.#suspendedMs += this.#world.monotonicMs() - this.#haltedAt;
    this.#state = 'running';
    const timers = this.#timers.sort((a, b) => a.due - b.due);
    const deliveries = this.#deliveries;
    this.#timers = [];
    this.#deliveries = [];
    const fireAll = () => {
      for (const waiting of timers) this.#world.after(0, () => this.#fire(waiting));
    };
    if (timersFirst) fireAll();
    for (const fn of deliveries) this.#world.after(0, () => this.deliver(fn));
    if (!timersFirst) fireAll();
  }

  #halt(state: 'stopped' | 'suspended'): void {
    if (this.#state !== 'running') return;
    this.#state = state;
    this.#haltedAt = this.#world.monotonicMs();
  }

  #arm(waiting: Waiting): void {
    const leftMs = (waiting.due - this.monotonicMs()) / this.#rate;
    this.#world.after(leftMs, () => this.#fire(waiting));
  }

  #fire(waiting: Waiting): void {
    const { fn, due } = waiting;
    if (fn === null || this.#state === 'dead') return;
    if (this.#state !== 'running') this.#timers.push(waiting);
    else if (this.monotonicMs() < due - 1e-6) this.#arm(waiting);
    else fn();
  }
}
