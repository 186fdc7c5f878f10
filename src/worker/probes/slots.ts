/** The slots of a probe: those for one request a connection, and kept connections by route. */

import type { Channel } from './channel.ts';
import { Slot } from './slot.ts';

/** Slots kept for the next runs; more than this is a burst that has passed. */
const SPARE_SLOTS = 512;

export interface Slots {
  take(channel: Channel, origin: string): Slot;
  /** One that has no connection yet. */
  takeNew(channel: Channel, origin: string): Slot;
  /**
   * After a response that ended well. `then` is called when the connection is closed or free for the
   * next request: opening another before that costs half as much again [in CPU].
   */
  release(slot: Slot, then: () => void): void;
  /** After any error: nothing is known about the slot's state. */
  drop(slot: Slot): void;
  close(): void;
}

export class FreshSlots implements Slots {
  readonly #spare: Slot[] = [];
  readonly #all = new Set<Slot>();

  take(): Slot {
    return this.#spare.pop() ?? this.takeNew();
  }

  takeNew(): Slot {
    const slot = new Slot(null, this.#onClosed);
    this.#all.add(slot);
    return slot;
  }

  release(slot: Slot, then: () => void): void {
    slot.holder = null;
    slot.afterClose = then;
  }

  drop(slot: Slot): void {
    this.#all.delete(slot);
    slot.destroy();
  }

  close(): void {
    for (const slot of this.#all) slot.destroy();
    this.#all.clear();
    this.#spare.length = 0;
  }

  readonly #onClosed = (slot: Slot): void => {
    const { afterClose } = slot;
    // A connection that failed: its exchange drops the slot.
    if (afterClose === null) return;
    slot.afterClose = null;
    if (this.#spare.length < SPARE_SLOTS) this.#spare.push(slot);
    else this.drop(slot);
    afterClose();
  };
}

export class KeptSlots implements Slots {
  readonly #capacity: number;
  readonly #all = new Set<Slot>();
  readonly #idle = new Map<Channel, Map<string, Slot[]>>();
  /** The idle ones in the order in which they became so. */
  readonly #oldestFirst = new Set<Slot>();

  /** At most `capacity` connections are kept while idle. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  take(channel: Channel, origin: string): Slot {
    const slot = this.#idle.get(channel)?.get(origin)?.pop();
    if (slot === undefined) return this.takeNew(channel, origin);
    this.#oldestFirst.delete(slot);
    return slot;
  }

  takeNew(channel: Channel, origin: string): Slot {
    const slot = new Slot({ channel, origin }, this.#onClosed);
    this.#all.add(slot);
    return slot;
  }

  release(slot: Slot, then: () => void): void {
    slot.holder = null;
    this.#stackOf(slot).push(slot);
    this.#oldestFirst.add(slot);
    if (this.#oldestFirst.size > this.#capacity) this.#evictOldest();
    then();
  }

  drop(slot: Slot): void {
    this.#all.delete(slot);
    slot.destroy();
    if (this.#stackOf(slot).length === 0) this.#forgetStackOf(slot);
  }

  close(): void {
    for (const slot of this.#all) slot.destroy();
    this.#all.clear();
    this.#idle.clear();
    this.#oldestFirst.clear();
  }

  readonly #onClosed = (slot: Slot): void => {
    if (this.#oldestFirst.has(slot)) this.#evict(slot);
  };

  #evictOldest(): void {
    for (const oldest of this.#oldestFirst) {
      this.#evict(oldest);
      return;
    }
  }

  #evict(slot: Slot): void {
    this.#oldestFirst.delete(slot);
    const stack = this.#stackOf(slot);
    stack.splice(stack.indexOf(slot), 1);
    this.drop(slot);
  }

  #stackOf({ route }: Slot): Slot[] {
    if (route === null) throw new Error('a slot without a route is not kept');
    let origins = this.#idle.get(route.channel);
    if (origins === undefined) {
      origins = new Map();
      this.#idle.set(route.channel, origins);
    }
    let stack = origins.get(route.origin);
    if (stack === undefined) {
      stack = [];
      origins.set(route.origin, stack);
    }
    return stack;
  }

  #forgetStackOf({ route }: Slot): void {
    if (route === null) return;
    this.#idle.get(route.channel)?.delete(route.origin);
  }
}
