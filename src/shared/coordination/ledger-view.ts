/**
 * This process's copy of the ledger, kept by watching: store → feed → **view** → ledger-reading,
 * api-jobs. Records are kept as they came and decoded when they are asked for: a million jobs are a
 * million ids, and few of them are ever looked at here. Nobody claims or runs anything by it.
 */

import type { CheckId, JobsetId } from '../domain/check.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { TimeSlice } from '../runtime/time-slice.ts';
import { follow } from './feed.ts';
import type { Keys } from './keys.ts';
import type { Change, Entry, KeyValueStore, Revision } from './kv.ts';

export interface LedgerViewOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Since when, monotonic, no call to the store has succeeded; null while they do. A watch that waits
   * for a store says nothing, so that this is the first sign of an outage.
   */
  readonly awaySince: () => number | null;
}

export class LedgerView implements AsyncDisposable {
  readonly #options: LedgerViewOptions;
  readonly #jobsets: Copy;
  readonly #owners: Copy;
  readonly #workers: Copy;
  readonly #leader: Copy;
  readonly #scaling: Copy;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: LedgerViewOptions) {
    const { keys, clock } = options;
    this.#options = options;
    this.#jobsets = new Copy(keys.jobsets, clock);
    this.#owners = new Copy(keys.owners, clock);
    this.#workers = new Copy(keys.workers, clock);
    this.#leader = new Copy(keys.leader, clock);
    this.#scaling = new Copy(keys.scaling, clock);
  }

  start(): void {
    const { signal } = this.#stopping;
    const feeds = this.#copies.map((copy) => {
      const { store, clock, random } = this.#options;
      return follow({ store, clock, random, ...copy.feed }, signal);
    });
    this.#running = Promise.all(feeds);
  }

  /** Monotonic; null while the copy follows the store. */
  get staleSince(): number | null {
    const times = [this.#options.awaySince(), ...this.#copies.map((copy) => copy.brokenSince)];
    return times.reduce((a, b) => (a === null || b === null ? (a ?? b) : Math.min(a, b)), null);
  }

  /** Every change of a jobset up to here is in the copy; -1 before the first snapshot. */
  get at(): Revision {
    return this.#jobsets.at;
  }

  jobset(id: JobsetId): Entry | null {
    return this.#jobsets.get(this.#options.keys.jobset(id));
  }

  /** The record of its ownership. */
  owner(id: JobsetId): Entry | null {
    return this.#owners.get(this.#options.keys.owner(id));
  }

  get jobsets(): Iterable<Entry> {
    return this.#jobsets.entries;
  }

  get workers(): readonly Entry[] {
    return this.#workers.sorted().map((key) => this.#workers.get(key) as Entry);
  }

  get leader(): Entry | null {
    return this.#leader.get(this.#options.keys.leader);
  }

  /** What the leader has last said of the pool's size. */
  get scaling(): Entry | null {
    return this.#scaling.get(this.#options.keys.scaling);
  }

  /** Those in the waiting queue, and perhaps some that are not: a record is not decoded to find out. */
  async waiting(): Promise<readonly Entry[]> {
    const slice = new TimeSlice(this.#options.clock);
    const found: Entry[] = [];
    for (const entry of this.#jobsets.entries) {
      if (slice.isSpent) await slice.rest();
      if (entry.value.includes(WAITING)) found.push(entry);
    }
    return found;
  }

  /** In the order of their ids, so that pages neither lose nor repeat one while others come and go. */
  jobsetsAfter(id: string | null, limit: number): JobsetId[] {
    const { keys } = this.#options;
    const sorted = this.#jobsets.sorted();
    const after = id === null ? '' : keys.jobset(id as JobsetId);
    const from = after === '' ? 0 : firstAfter(sorted, after);
    return sorted.slice(from, from + limit).map((key) => keys.jobsetOf(key));
  }

  /**
   * The jobset of each check that stands in one. The event loop turns meanwhile, and a check may move
   * from a record that is still to be read to one that has been: then all are read again.
   */
  async jobsetsOf(checks: readonly CheckId[]): Promise<ReadonlyMap<CheckId, JobsetId>> {
    const wanted: ReadonlySet<string> = new Set(checks);
    const slice = new TimeSlice(this.#options.clock);
    for (let tries = 1; ; tries += 1) {
      const { at } = this.#jobsets;
      const found = new Map<CheckId, JobsetId>();
      for (const entry of this.#jobsets.entries) {
        if (slice.isSpent && tries < TRIES_WITH_RESTS) await slice.rest();
        for (const id of idsIn(entry, wanted))
          found.set(id, this.#options.keys.jobsetOf(entry.key));
      }
      if (this.#jobsets.at === at) return found;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  get #copies(): readonly Copy[] {
    return [this.#jobsets, this.#owners, this.#workers, this.#leader, this.#scaling];
  }
}

/** Of the record of a jobset that waits. */
const WAITING = '"waiting":{';

/** Where the ledger changes that fast, all is read in one go: some 0.1 s for 10,000 jobsets. */
const TRIES_WITH_RESTS = 3;

/** Also in a record that only a newer watcher can read. */
const idsIn = ({ value }: Entry, wanted: ReadonlySet<string>): CheckId[] =>
  value
    .toString('latin1')
    .split('"')
    .filter((text): text is CheckId => wanted.has(text));

/** What the store has under one prefix. */
class Copy {
  readonly #clock: Clock;
  readonly #prefix: string;
  readonly #entries = new Map<string, Entry>();
  /** Null when keys have come or gone since they were sorted. */
  #sorted: readonly string[] | null = [];
  at: Revision = -1;
  /** Monotonic; null while it is fed. */
  brokenSince: number | null;

  constructor(prefix: string, clock: Clock) {
    this.#prefix = prefix;
    this.#clock = clock;
    this.brokenSince = clock.monotonicMs();
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  get(key: string): Entry | null {
    return this.#entries.get(key) ?? null;
  }

  sorted(): readonly string[] {
    this.#sorted ??= [...this.#entries.keys()].sort();
    return this.#sorted;
  }

  get feed() {
    return {
      prefix: this.#prefix,
      onSnapshot: this.#replace.bind(this),
      onChanges: this.#change.bind(this),
      onInterrupted: () => {
        this.brokenSince ??= this.#clock.monotonicMs();
      },
    };
  }

  /** Also by what is older: a store that was restored from a backup has gone back. */
  #replace(entries: readonly Entry[], revision: Revision): void {
    this.#entries.clear();
    for (const entry of entries) this.#entries.set(entry.key, entry);
    this.#sorted = null;
    this.at = revision;
    this.brokenSince = null;
  }

  #change(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#put(change.entry);
      else this.#delete(change);
    }
  }

  #put(entry: Entry): void {
    if (!this.#entries.has(entry.key)) this.#sorted = null;
    this.#entries.set(entry.key, entry);
    this.at = entry.modRevision;
  }

  #delete({ key, modRevision }: Extract<Change, { kind: 'delete' }>): void {
    if (this.#entries.delete(key)) this.#sorted = null;
    this.at = modRevision;
  }
}

const firstAfter = (sorted: readonly string[], key: string): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
};
