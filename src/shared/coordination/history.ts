/**
 * What the memory store remembers of the past, so that a watch can start at an earlier revision and
 * a slow watcher costs no queue of its own: it reads on from here at its own pace. Old revisions are
 * forgotten by count and by bytes; who asks for them gets a gap.
 */

import { type Change, keyOf, type Revision } from './kv.ts';

export interface HistoryLimits {
  readonly changes: number;
  readonly bytes: number;
}

/** About a minute of claims by a whole pool, or half a day of one worker's heartbeats. */
export const HISTORY_LIMITS: HistoryLimits = { changes: 20_000, bytes: 16 * 1024 * 1024 };

const bytesOf = (changes: readonly Change[]): number =>
  changes.reduce((sum, change) => sum + (change.kind === 'put' ? change.entry.value.length : 0), 0);

export class History {
  readonly #limits: HistoryLimits;
  /** One batch a revision, without holes: the batch of revision r lies at r - first + head. */
  #batches: (readonly Change[])[] = [];
  #head = 0;
  #first: Revision;
  #changes = 0;
  #bytes = 0;

  constructor(firstRevision: Revision, limits: HistoryLimits) {
    this.#first = firstRevision;
    this.#limits = limits;
  }

  /** The oldest revision that is still known; revisions before it are gone. */
  get first(): Revision {
    return this.#first;
  }

  /** Adds the next revision. The newest one is kept whatever its size. */
  append(changes: readonly Change[]): void {
    this.#batches.push(changes);
    this.#changes += changes.length;
    this.#bytes += bytesOf(changes);
    while (this.#isTooLong() && this.#head < this.#batches.length - 1) this.#forgetOldest();
  }

  /**
   * Changes under the prefix from revision `from` on, in whole revisions, until there are about
   * `atMost`; `next` is the revision to go on from. `from` must not be forgotten.
   */
  read(from: Revision, prefix: string, atMost: number): { changes: Change[]; next: Revision } {
    const changes: Change[] = [];
    let next = from;
    for (; changes.length < atMost; next += 1) {
      const batch = this.#batches[next - this.#first + this.#head];
      if (batch === undefined) break;
      for (const change of batch) if (keyOf(change).startsWith(prefix)) changes.push(change);
    }
    return { changes, next };
  }

  #isTooLong(): boolean {
    return this.#changes > this.#limits.changes || this.#bytes > this.#limits.bytes;
  }

  #forgetOldest(): void {
    const oldest = this.#batches[this.#head] ?? [];
    this.#batches[this.#head] = [];
    this.#head += 1;
    this.#first += 1;
    this.#changes -= oldest.length;
    this.#bytes -= bytesOf(oldest);
    // Moving the rest down only now and then keeps forgetting cheap.
    if (this.#head * 2 < this.#batches.length || this.#head < 1024) return;
    this.#batches = this.#batches.slice(this.#head);
    this.#head = 0;
  }
}
