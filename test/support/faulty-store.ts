/**
 * One client's view of a store, with its network at fault: requests that never arrive, answers that
 * never come back, commits that the client repeats. Several of them can share one store.
 */

import type {
  Commit,
  Condition,
  KeyValueStore,
  Lease,
  Operation,
  Read,
  Revision,
  WatchEvent,
} from '../../src/shared/coordination/kv.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';

/**
 * `request`: lost on the way there, nothing was written. `answer`: written, and nobody knows.
 * `repeated`: written, then sent again by the client, so the answer is that of the second time.
 * `late`: given up by the client, and written when `arrive` is called, if its conditions hold then.
 */
export type Fault = 'request' | 'answer' | 'repeated' | 'late';

const unavailable = (what: string): WatcherError =>
  new WatcherError('WCH_STORE_UNAVAILABLE', what, { retryable: true });

export class FaultyStore implements KeyValueStore {
  /** Nothing gets through, in either direction, and watches stand still. */
  cut = false;
  /** Calls get through, but watches stand still. */
  blind = false;
  /** Watches tell again, after each event, what they told before it. */
  repeats = false;
  /** So many events watches pass over, without a word. */
  passesOver = 0;
  /** What each snapshot waits for before it is asked for. */
  beforeSnapshot: Promise<void> | null = null;
  /** Of the next commit, given what it would do; null for none. */
  nextFault: ((then: readonly Operation[]) => Fault | null) | null = null;
  /** What each commit waits for once it is written, before it is answered. */
  beforeAnswer: (() => Promise<void>) | null = null;
  #late: (() => Promise<Commit>)[] = [];
  #store: KeyValueStore;
  #healed = Promise.withResolvers<void>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  heal(): void {
    this.cut = false;
    this.blind = false;
    this.#healed.resolve();
    this.#healed = Promise.withResolvers();
  }

  /** What is late arrives now. */
  async arrive(): Promise<void> {
    for (const commit of this.#late.splice(0)) await commit();
  }

  /** The store is wiped or restored: from now on it is this one, which knows none of the leases before. */
  async becomes(store: KeyValueStore): Promise<void> {
    const before = this.#store;
    this.#store = store;
    await before[Symbol.asyncDispose]();
  }

  async snapshot(prefix: string) {
    await this.beforeSnapshot;
    this.#pass();
    return this.#store.snapshot(prefix);
  }

  async changes(prefix: string, since: Revision) {
    this.#pass();
    return this.#store.changes(prefix, since);
  }

  async commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit> {
    this.#pass();
    const fault = this.nextFault?.(then) ?? null;
    if (fault === 'request') throw unavailable('the request was lost');
    if (fault === 'late') {
      this.#late.push(() => this.#store.commit(when, then, otherwise));
      throw unavailable('no answer in time');
    }
    const commit = await this.#store.commit(when, then, otherwise);
    await this.beforeAnswer?.();
    if (fault === 'answer') throw unavailable('the answer was lost');
    return fault === 'repeated' ? this.#store.commit(when, then, otherwise) : commit;
  }

  async *watch(prefix: string, after: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    this.#pass();
    let told: WatchEvent | null = null;
    for await (const event of this.#store.watch(prefix, after, signal)) {
      while (this.cut || this.blind) await this.#healed.promise;
      this.passesOver -= 1;
      if (this.passesOver >= 0) continue;
      yield event;
      if (this.repeats && told !== null) yield told;
      told = event;
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#pass();
    const store = this.#store;
    const lease = await store.lease(ttlMs);
    return {
      id: lease.id,
      ttlMs: lease.ttlMs,
      renew: async () => {
        this.#pass();
        if (this.#store !== store) throw new WatcherError('WCH_LEASE_LOST', 'of a store before');
        return lease.renew();
      },
      revoke: async () => {
        this.#pass();
        if (this.#store === store) await lease.revoke();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  #pass(): void {
    if (this.cut) throw unavailable('the network is cut');
  }
}
