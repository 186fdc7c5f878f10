/** A lease of the memory store: it ends by itself `ttlMs` after its last renewal, on the Clock. */

import { WatcherError } from '../domain/errors.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Lease, LeaseId } from './kv.ts';

export class MemoryLease implements Lease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  /** What lives and dies with it; kept by the store. */
  readonly keys = new Set<string>();
  readonly #clock: Clock;
  readonly #onEnd: (lease: MemoryLease) => void;
  #deadline: number;
  /** Null once it has ended. */
  #timer: Timer | null;

  constructor(id: LeaseId, ttlMs: number, clock: Clock, onEnd: (lease: MemoryLease) => void) {
    this.id = id;
    this.ttlMs = ttlMs;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#deadline = clock.monotonicMs() + ttlMs;
    this.#timer = clock.after(ttlMs, () => this.#expire());
  }

  async renew(): Promise<{ ttlMs: number; sentAt: number }> {
    if (this.#timer === null) throw new WatcherError('WCH_LEASE_LOST', `${this.id} has ended`);
    const sentAt = this.#clock.monotonicMs();
    this.#deadline = sentAt + this.ttlMs;
    return { ttlMs: this.ttlMs, sentAt };
  }

  async revoke(): Promise<void> {
    if (this.#timer === null) return;
    this.dispose();
    this.#onEnd(this);
  }

  /** Stops the timer and leaves the keys: the store itself is going. */
  dispose(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** A renewal moves only the deadline; the timer goes off early then and is set anew. */
  #expire(): void {
    const leftMs = this.#deadline - this.#clock.monotonicMs();
    if (leftMs > 0) {
      this.#timer = this.#clock.after(leftMs, () => this.#expire());
      return;
    }
    this.#timer = null;
    this.#onEnd(this);
  }
}
