/**
 * One store for a thousand simulated workers: the memory store of the product behind a network that takes
 * its time. Each change is sent once to all who watch the same keys, some of them sooner than others, and
 * what has changed is remembered by what is watched, so that nobody walks through all there is to hear
 * that nothing is new.
 */

import {
  type Change,
  type ChangedSince,
  type Commit,
  type Condition,
  type Entry,
  type KeyValueStore,
  keyOf,
  type Lease,
  type Operation,
  type Read,
  type Revision,
  type Snapshot,
  type WatchEvent,
} from '../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import type { Clock } from '../../src/shared/runtime/clock.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import { eventOf, revisionOf, Watcher, Way } from './fleet-watch.ts';

/** How late watches are: the members of a cluster, and the ways to them, differ. */
const LAGS_MS = [5, 10, 20, 40, 60, 80, 100, 130, 160, 200];
/** A call takes twice this at most. */
const HOP_MS = 4;
/** Of one prefix, at least. */
const KEPT_CHANGES = 20_000;

export interface FleetStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Each change, at its commit. */
  readonly onChange: (change: Change) => void;
  readonly onCommit: (then: readonly Operation[], outcome: Commit) => void;
}

export class FleetStore {
  readonly clock: Clock;
  readonly random: Random;
  readonly memory: MemoryStore;
  /** Of all changes. */
  revision: Revision = 1;
  readonly #options: FleetStoreOptions;
  readonly #streams = new Map<string, Stream>();

  constructor(options: FleetStoreOptions) {
    this.#options = options;
    this.clock = options.clock;
    this.random = options.random;
    this.memory = new MemoryStore({ clock: options.clock });
    void this.#follow();
  }

  async commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit> {
    const outcome = await this.memory.commit(when, then, otherwise);
    this.#options.onCommit(then, outcome);
    return outcome;
  }

  stream(prefix: string): Stream {
    let stream = this.#streams.get(prefix);
    if (stream === undefined) {
      stream = new Stream(this, prefix);
      this.#streams.set(prefix, stream);
    }
    return stream;
  }

  async #follow(): Promise<void> {
    const forEver = new AbortController().signal;
    for await (const event of this.memory.watch('', 1, forEver)) {
      if (event.kind === 'gap') throw new Error('the simulation reads too slowly');
      for (const change of event.changes) this.#tell(change);
      this.revision = event.revision;
    }
  }

  #tell(change: Change): void {
    this.#options.onChange(change);
    const key = keyOf(change);
    for (const stream of this.#streams.values())
      if (key.startsWith(stream.prefix)) stream.add(change);
  }
}

/** All that happens to the keys of one prefix. */
class Stream {
  readonly prefix: string;
  readonly #store: FleetStore;
  readonly #ways: readonly Way[];
  /** Null before the first snapshot. */
  #keys: Set<string> | null = null;
  #snapshot: readonly Entry[] | null = null;
  /** The latest changes, oldest first: a thousand workers ask for them all the time. */
  #latest: Change[] = [];
  /** Before this one they are not kept. */
  #forgotten: Revision = 0;

  constructor(store: FleetStore, prefix: string) {
    this.#store = store;
    this.prefix = prefix;
    this.#ways = LAGS_MS.map((lagMs) => new Way(store.clock, lagMs));
  }

  add(change: Change): void {
    if (change.kind === 'put') this.#keys?.add(change.entry.key);
    else this.#keys?.delete(change.key);
    this.#snapshot = null;
    this.#latest.push(change);
    if (this.#latest.length > 2 * KEPT_CHANGES) {
      const [last] = this.#latest.splice(0, KEPT_CHANGES).slice(-1);
      this.#forgotten = last === undefined ? 0 : revisionOf(last);
    }
    for (const way of this.#ways) way.send(change);
  }

  async snapshot(): Promise<Snapshot> {
    const { memory } = this.#store;
    if (this.#snapshot !== null) return { entries: this.#snapshot, revision: this.#store.revision };
    const snapshot = await memory.snapshot(this.prefix);
    if (this.#keys === null) this.#forgotten = snapshot.revision;
    this.#keys = new Set(snapshot.entries.map(({ key }) => key));
    // What has been committed and not been told yet comes as a change as well.
    if (this.#store.revision === snapshot.revision) this.#snapshot = snapshot.entries;
    return snapshot;
  }

  async changes(since: Revision): Promise<ChangedSince> {
    const { memory, revision } = this.#store;
    if (this.#keys === null || since < this.#forgotten) return memory.changes(this.prefix, since);
    return { changed: this.#changedSince(since), total: this.#keys.size, revision };
  }

  /** In no order. */
  #changedSince(since: Revision): Entry[] {
    const latest = new Map<string, Change>();
    for (let i = this.#latest.length - 1; i >= 0; i -= 1) {
      const change = this.#latest[i] as Change;
      if (revisionOf(change) <= since) break;
      const key = keyOf(change);
      if (!latest.has(key)) latest.set(key, change);
    }
    return [...latest.values()].flatMap((change) => (change.kind === 'put' ? change.entry : []));
  }

  way(): Way {
    return this.#ways[Math.floor(this.#store.random.next() * this.#ways.length)] as Way;
  }
}

/** One process's way to the store. A dead one gets no answers. */
export class FleetLink implements KeyValueStore {
  readonly #store: FleetStore;
  readonly #clock: Clock;
  readonly #watches = new Map<Watcher, Way>();
  #isDead = false;

  /** `clock`: of the process. */
  constructor(store: FleetStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  snapshot(prefix: string): Promise<Snapshot> {
    return this.#call(() => this.#store.stream(prefix).snapshot());
  }

  changes(prefix: string, since: Revision): Promise<ChangedSince> {
    return this.#call(() => this.#store.stream(prefix).changes(since));
  }

  commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit> {
    return this.#call(() => this.#store.commit(when, then, otherwise));
  }

  async lease(ttlMs: number): Promise<Lease> {
    const lease = await this.#call(() => this.#store.memory.lease(ttlMs));
    return {
      id: lease.id,
      ttlMs,
      renew: async () => {
        const sentAt = this.#clock.monotonicMs();
        await this.#call(() => lease.renew());
        return { ttlMs, sentAt };
      },
      revoke: () => this.#call(() => lease.revoke()),
    };
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const way = this.#store.stream(prefix).way();
    const watcher = new Watcher();
    const missed = eventOf(way.since(after));
    if (missed !== null) watcher.tell(missed);
    way.watchers.add(watcher);
    this.#watches.set(watcher, way);
    const end = () => this.#end(watcher);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    const done = async (): Promise<IteratorResult<WatchEvent>> => {
      end();
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next: () => watcher.next(), return: done }) };
  }

  /** Its process is gone. */
  kill(): void {
    this.#isDead = true;
    for (const [watcher, way] of this.#watches) way.watchers.delete(watcher);
    this.#watches.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
  }

  #end(watcher: Watcher): void {
    this.#watches.get(watcher)?.watchers.delete(watcher);
    this.#watches.delete(watcher);
    watcher.end();
  }

  async #call<T>(exec: () => Promise<T>): Promise<T> {
    await this.#hop();
    const answer = exec();
    answer.catch(() => undefined);
    await this.#hop();
    return answer;
  }

  #hop(): Promise<void> {
    const { clock, random } = this.#store;
    return new Promise((resolve) => {
      if (!this.#isDead)
        clock.after(HOP_MS * random.next(), () => {
          if (!this.#isDead) resolve();
        });
    });
  }
}
