/** The slots of a probe: those for one request a connection, and kept connections by route. */

import type { Channel } from './channel.ts';
import { IdleSlots } from './idle-slots.ts';
import { type Route, Slot } from './slot.ts';

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
  readonly #idle: IdleSlots;
  readonly #all = new Set<Slot>();
  readonly #routes = new Map<Channel, Map<string, Route>>();

  /** At most `capacity` connections are kept while idle. */
  constructor(capacity: number) {
    this.#idle = new IdleSlots(capacity);
  }

  take(channel: Channel, origin: string): Slot {
    const slot = this.#routes.get(channel)?.get(origin)?.idle.pop();
    if (slot === undefined) return this.takeNew(channel, origin);
    this.#idle.remove(slot);
    return slot;
  }

  takeNew(channel: Channel, origin: string): Slot {
    const slot = new Slot(this.#routeTo(channel, origin), this.#onClosed);
    this.#all.add(slot);
    return slot;
  }

  release(slot: Slot, then: () => void): void {
    slot.holder = null;
    slot.route?.idle.push(slot);
    const evicted = this.#idle.add(slot);
    if (evicted !== null) this.#discard(evicted);
    then();
  }

  drop(slot: Slot): void {
    this.#all.delete(slot);
    slot.destroy();
    const { route } = slot;
    if (route === null) return;
    route.slots -= 1;
    if (route.slots === 0) this.#routes.get(route.channel)?.delete(route.origin);
  }

  close(): void {
    for (const slot of this.#all) slot.destroy();
    this.#all.clear();
    this.#routes.clear();
  }

  #routeTo(channel: Channel, origin: string): Route {
    const origins = this.#routes.get(channel) ?? new Map<string, Route>();
    this.#routes.set(channel, origins);
    const route = origins.get(origin) ?? { channel, origin, idle: [], slots: 0 };
    origins.set(origin, route);
    route.slots += 1;
    return route;
  }

  readonly #onClosed = (slot: Slot): void => {
    if (!slot.isIdle) return;
    this.#idle.remove(slot);
    this.#discard(slot);
  };

  /** An idle slot that is in the order of idle ones no more. */
  #discard(slot: Slot): void {
    const idle = slot.route?.idle ?? [];
    idle.splice(idle.indexOf(slot), 1);
    this.drop(slot);
  }
}
