/** Watches of a simulated fleet: changes go together to all who watch the same keys from equally far away. */

import type { Change, Revision, WatchEvent } from '../../src/shared/coordination/kv.ts';
import type { Clock } from '../../src/shared/runtime/clock.ts';

export const revisionOf = (change: Change): Revision =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;

/** How changes come to some of those who watch. */
export class Way {
  readonly watchers = new Set<Watcher>();
  readonly #clock: Clock;
  readonly #lagMs: number;
  #under: Change[] = [];
  /** Told of late: for watches that begin at an earlier revision. */
  #told: Change[] = [];
  #hasForgotten = false;

  constructor(clock: Clock, lagMs: number) {
    this.#clock = clock;
    this.#lagMs = lagMs;
  }

  send(change: Change): void {
    if (this.#under.length === 0) this.#clock.after(this.#lagMs, () => this.#arrive());
    this.#under.push(change);
  }

  /** What of it came after a revision. */
  since(after: Revision): Change[] {
    const oldest = this.#told[0];
    if (oldest !== undefined && after < revisionOf(oldest) && this.#hasForgotten)
      throw new Error('a watch of the simulation begins too long ago');
    return this.#told.filter((change) => revisionOf(change) > after);
  }

  #arrive(): void {
    const changes = this.#under;
    this.#under = [];
    this.#told.push(...changes);
    if (this.#told.length > 4 * REMEMBERED) {
      this.#told = this.#told.slice(-REMEMBERED);
      this.#hasForgotten = true;
    }
    const event = eventOf(changes);
    if (event !== null) for (const watcher of this.watchers) watcher.tell(event);
  }
}

/** Far more than come between a snapshot and the watch after it. */
const REMEMBERED = 5_000;

export const eventOf = (changes: readonly Change[]): WatchEvent | null => {
  const last = changes.at(-1);
  return last === undefined ? null : { kind: 'changes', changes, revision: revisionOf(last) };
};

export class Watcher {
  #ready: WatchEvent[] = [];
  #wake: ((result: IteratorResult<WatchEvent>) => void) | null = null;
  #isOver = false;

  tell(event: WatchEvent): void {
    const wake = this.#wake;
    this.#wake = null;
    if (wake === null) this.#ready.push(event);
    else wake({ done: false, value: event });
  }

  end(): void {
    this.#isOver = true;
    this.#ready = [];
    this.#wake?.({ done: true, value: undefined });
    this.#wake = null;
  }

  next(): Promise<IteratorResult<WatchEvent>> {
    const value = this.#ready.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
