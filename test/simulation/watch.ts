/**
 * A watch of one process: changes of the store in order, each after a while. It holds back what cannot
 * get through, says things twice, passes things over, or loses its place, as its process's link is told.
 */

import {
  type Change,
  keyOf,
  type Revision,
  type WatchEvent,
} from '../../src/shared/coordination/kv.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { Batch, Etcd, Follower } from './etcd.ts';
import type { ProcessClock, WorldClock } from './process-clock.ts';

/** What its process's way to the store does to it. */
interface WatchFaults {
  readonly standsStill: boolean;
  readonly watchDelayMs: number;
  readonly doubled: number;
  readonly skipped: number;
}

interface WatchOptions {
  readonly world: WorldClock;
  readonly etcd: Etcd;
  readonly clock: ProcessClock;
  readonly random: Random;
  readonly link: WatchFaults;
  readonly prefix: string;
  readonly after: Revision;
}

const GAP: WatchEvent = { kind: 'gap' };

export class Watch implements Follower {
  readonly #options: WatchOptions;
  readonly #epoch: number;
  /** Events that are on their way, held back while the link stands still. */
  #held: WatchEvent[] = [];
  #onWay = 0;
  #lastAt = 0;
  #ready: WatchEvent[] = [];
  #before: WatchEvent | null = null;
  #wake: ((result: IteratorResult<WatchEvent>) => void) | null = null;
  #isOver = false;
  #hasLost = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#epoch = options.etcd.epoch;
  }

  get lags(): boolean {
    return this.#held.length > 0 || this.#onWay > 0;
  }

  begin(): void {
    const { etcd, after } = this.#options;
    const missed = etcd.since(after);
    if (missed === null) return this.lose();
    etcd.followers.add(this);
    for (const batch of missed) this.offer(batch);
  }

  offer({ revision, changes }: Batch): void {
    const { prefix, etcd } = this.#options;
    if (this.#hasLost || this.#epoch !== etcd.epoch) return;
    let mine: Change[] | null = null;
    for (const change of changes)
      if (keyOf(change).startsWith(prefix)) {
        mine ??= [];
        mine.push(change);
      }
    const { link, random } = this.#options;
    if (mine === null || (link.skipped > 0 && random.next() < link.skipped)) return;
    this.#send({ kind: 'changes', changes: mine, revision });
  }

  lose(): void {
    if (this.#hasLost) return;
    this.#hasLost = true;
    this.#held = [];
    this.#send(GAP);
  }

  /** Its own side knows that what it follows is no more: nothing has to get through for that. */
  lapse(): void {
    this.#hasLost = true;
    this.#held = [];
    this.#hand(GAP);
  }

  flush(): void {
    for (const event of this.#held.splice(0)) this.#send(event);
  }

  end(): void {
    this.#isOver = true;
    this.#options.etcd.followers.delete(this);
    this.#wake?.({ done: true, value: undefined });
    this.#wake = null;
  }

  next(): Promise<IteratorResult<WatchEvent>> {
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    const value = this.#ready.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #send(event: WatchEvent): void {
    const { link, world, clock, random } = this.#options;
    if (link.standsStill) {
      this.#held.push(event);
      return;
    }
    const delayMs = 0.3 + 3 * random.next() ** 3 + link.watchDelayMs * random.next();
    this.#lastAt = Math.max(this.#lastAt, world.monotonicMs() + delayMs);
    this.#onWay += 1;
    world.after(this.#lastAt - world.monotonicMs(), () => {
      this.#onWay -= 1;
      if (link.standsStill && event.kind !== 'gap') this.#held.push(event);
      else if (!this.#hasLost || event.kind === 'gap') clock.deliver(() => this.#hand(event));
    });
  }

  #hand(event: WatchEvent): void {
    const { link, random } = this.#options;
    this.#push(event);
    if (link.doubled > 0 && event.kind === 'changes' && random.next() < link.doubled) {
      // As a stream does that begins again a little too early.
      if (this.#before !== null) this.#push(this.#before);
      this.#push(event);
    }
    this.#before = event;
  }

  #push(event: WatchEvent): void {
    if (this.#isOver) return;
    const wake = this.#wake;
    this.#wake = null;
    if (wake === null) this.#ready.push(event);
    else wake({ done: false, value: event });
  }
}
