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
  /**
   * Replaces everything told before. `wentBack`: the store is older than what was known when it was asked,
   * so it was restored or wiped, and revisions mean something else from now on.
   */
  readonly onSnapshot: (entries: readonly Entry[], revision: Revision, wentBack: boolean) => void;
  /** Each change once, in order, all of them after the snapshot. */
  readonly onChanges: (changes: readonly Change[]) => void;
  /** The latest revision that is known from elsewhere; what this feed has told counts anyway. */
  readonly known?: () => Revision;
  /** Changes were missed, and what was told may be of another life of the store: the next snapshot says. */
  readonly onGap?: () => void;
  /** The store does not answer: what was told grows old until the next snapshot. */
  readonly onInterrupted?: (error: unknown) => void;
}

/** A watch may have passed something over without a word: so often, half of it more or less, the store is asked. */
const RECONCILE_MS = 30_000;
/** Within this, a watch that works has told what the store has. */
const RECHECK_MS = 1_000;

const revisionOf = (change: Change): Revision =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;

/** Goes on until the signal aborts, through outages and gaps. */
export const follow = async (feed: Feed, signal: AbortSignal): Promise<void> => {
  let failures = 0;
  let at: Revision = 0;
  while (!signal.aborted) {
    const following = new Following(feed, at);
    const error = await following.run(signal).catch((error: unknown) => error);
    at = following.at;
    feed.onGap?.();
    failures = error === undefined ? 0 : failures + 1;
    if (error === undefined) continue;
    feed.onInterrupted?.(error);
    await pause(feed.clock, backoffMs(failures, feed.random), signal);
  }
};

/** From one snapshot to the moment when another one is needed. */
class Following {
  readonly #feed: Feed;
  /** The revision at which each key stands, as told. */
  readonly #told = new Map<string, Revision>();
  #at: Revision;
  /** Up to here the store itself has confirmed what was told. */
  #confirmedAt: Revision = 0;

  constructor(feed: Feed, at: Revision) {
    this.#feed = feed;
    this.#at = at;
  }

  /** What has been told reaches up to here. */
  get at(): Revision {
    return this.#at;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, prefix, known } = this.#feed;
    // Taken before it is asked: of two answers that cross, the older one is no step back.
    const floor = Math.max(this.#at, known?.() ?? 0);
    const { entries, revision } = await store.snapshot(prefix);
    for (const { key, modRevision } of entries) this.#told.set(key, modRevision);
    this.#at = revision;
    this.#confirmedAt = revision;
    this.#feed.onSnapshot(entries, revision, revision < floor);
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
      if (change.kind === 'put') this.#told.set(change.entry.key, change.entry.modRevision);
      else this.#told.delete(change.key);
    }
    if (fresh.length > 0) this.#feed.onChanges(fresh);
  }

  /** Resolves when the store holds something else than was told, and goes on to. */
  async #untilBlind(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#feed;
    let isDoubted = false;
    while (!signal.aborted) {
      const waitMs = isDoubted ? RECHECK_MS : RECONCILE_MS * (0.5 + random.next());
      await pause(clock, waitMs, signal);
      if (signal.aborted) return;
      const isConfirmed = await this.#confirm();
      if (isDoubted && !isConfirmed) return;
      isDoubted = !isConfirmed;
    }
  }

  /** Whether all that changed since the last time was told, none but that, and every deletion. */
  async #confirm(): Promise<boolean> {
    const { store, prefix } = this.#feed;
    const { changed, total, revision } = await store.changes(prefix, this.#confirmedAt);
    const wasTold = ({ key, modRevision }: Entry) => (this.#told.get(key) ?? 0) >= modRevision;
    if (total !== this.#told.size || !changed.every(wasTold)) return false;
    this.#confirmedAt = revision;
    return true;
  }
}
