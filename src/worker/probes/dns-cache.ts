/** What the resolver said, for as long as it may be believed. Bounded; the oldest answers go first. */

import type { Resolution } from './resolver.ts';

interface Entry {
  readonly resolution: Resolution;
  /** Monotonic ms. */
  readonly expiresAt: number;
}

const CAPACITY = 50_000;

/** A TTL of 0 would mean a question for each run; a long one, hours of talking to a dead address. */
const TTL_MS = { floor: 5_000, cap: 300_000 };
/** For names that do not exist: a new name should be seen soon. */
const NEGATIVE_MS = 5_000;

export class DnsCache {
  readonly #entries = new Map<string, Entry>();

  get(key: string, now: number): Resolution | null {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.expiresAt > now ? entry.resolution : null;
  }

  /** `ttlMs` as the resolver gave it; only a problem that is an answer ("no such name") is kept. */
  put(key: string, resolution: Resolution, ttlMs: number, now: number): void {
    const { problem } = resolution;
    if (problem !== null && problem.code !== 'dns_not_found') return;
    const livesMs =
      problem === null ? Math.min(Math.max(ttlMs, TTL_MS.floor), TTL_MS.cap) : NEGATIVE_MS;
    this.#entries.delete(key);
    if (this.#entries.size >= CAPACITY) this.#dropOldest();
    this.#entries.set(key, { resolution, expiresAt: now + livesMs });
  }

  clear(): void {
    this.#entries.clear();
  }

  #dropOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
