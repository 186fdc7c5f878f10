/**
 * Follows a part of the store: a snapshot, then every change, then a snapshot again where changes were
 * missed. What it tells is a hint that saves polling, never the truth: only a commit's conditions are.
 */

import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { backoffMs } from './backoff.ts';
import { pause } from './heartbeat.ts';
import type { Change, Entry, KeyValueStore, Revision, WatchEvent } from './kv.ts';

export interface Feed {
  readonly store: KeyValueStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Replaces everything told before. */
  readonly onSnapshot: (entries: readonly Entry[], revision: Revision) => void;
  /** Each change once, in order, all of them after the snapshot. */
  readonly onChanges: (changes: readonly Change[]) => void;
  /** The store does not answer: what was told grows old until the next snapshot. */
  readonly onInterrupted?: (error: unknown) => void;
}

/** A watch may be blind without knowing: so often, half of it more or less, the store is asked. */
const RECONCILE_MS = 30_000;
/** Within this, a watch that works has told what the store has. */
const RECHECK_MS = 1_000;

const keyOf = (change: Change): string => (change.kind === 'put' ? change.entry.key : change.key);
const revisionOf = (change: Change): Revision =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;

/** Goes on until the signal aborts, through outages and gaps. */
export const follow = async (feed: Feed, signal: AbortSignal): Promise<void> => {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await new Following(feed).run(signal);
      failures = 0;
    } catch (error) {
      feed.onInterrupted?.(error);
      failures += 1;
      await pause(feed.clock, backoffMs(failures, feed.random), signal);
    }
  }
};

/** From one snapshot to the moment when another one is needed. */
class Following {
  readonly #feed: Feed;
  readonly #keys = new Set<string>();
  /** What has been told reaches up to here. */
  #at: Revision = 0;

  constructor(feed: Feed) {
    this.#feed = feed;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, prefix } = this.#feed;
    const { entries, revision } = await store.snapshot(prefix);
    for (const { key } of entries) this.#keys.add(key);
    this.#at = revision;
    this.#feed.onSnapshot(entries, revision);
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const watching = this.#watch(revision, ended);
    try {
      await Promise.race([watching, this.#untilBlind(ended)]);
    } finally {
      over.abort();
    }
  }

  async #watch(after: Revision, signal: AbortSignal): Promise<void> {
    const { store, prefix } = this.#feed;
    for await (const event of store.watch(prefix, after, signal)) {
      if (event.kind === 'gap' || signal.aborted) return;
      this.#tell(event);
    }
  }

  #tell({ changes, revision }: Extract<WatchEvent, { kind: 'changes' }>): void {
    const fresh = changes.filter((change) => revisionOf(change) > this.#at);
    this.#at = Math.max(this.#at, revision);
    for (const change of fresh) {
      if (change.kind === 'put') this.#keys.add(keyOf(change));
      else this.#keys.delete(keyOf(change));
    }
    if (fresh.length > 0) this.#feed.onChanges(fresh);
  }

  /** Resolves when the store holds what the watch has not told, and does not tell soon after. */
  async #untilBlind(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#feed;
    let doubtedAt: Revision | null = null;
    while (!signal.aborted) {
      const waitMs = doubtedAt === null ? RECONCILE_MS * (0.5 + random.next()) : RECHECK_MS;
      await pause(clock, waitMs, signal);
      if (signal.aborted) return;
      if (doubtedAt !== null && this.#at < doubtedAt) return;
      doubtedAt = await this.#doubt();
    }
  }

  /** The revision that the watch should reach soon; null when it tells all there is. */
  async #doubt(): Promise<Revision | null> {
    const { store, prefix } = this.#feed;
    const since = this.#at;
    const { changed, total } = await store.changes(prefix, since);
    const newest = changed.reduce((latest, entry) => Math.max(latest, entry.modRevision), 0);
    if (newest > this.#at) return newest;
    // Nothing new and yet another number of keys: a deletion was not told.
    return this.#at === since && total !== this.#keys.size ? since + 1 : null;
  }
}
