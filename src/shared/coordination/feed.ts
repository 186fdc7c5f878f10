/**
 * Follows a part of the store: a snapshot, then every change, then a snapshot again where changes were
 * missed. What it tells is a hint that saves polling, never the truth: only a commit's conditions are.
 */

import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { backoffMs, isUnavailable } from './backoff.ts';
import { pause } from './heartbeat.ts';
import type { Change, Entry, KeyValueStore, Revision } from './kv.ts';

export interface Feed {
  readonly store: KeyValueStore;
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Replaces everything told before. */
  readonly onSnapshot: (entries: readonly Entry[], revision: Revision) => void;
  readonly onChanges: (changes: readonly Change[]) => void;
}

/** Goes on until the signal aborts, through outages and gaps. */
export const follow = async (feed: Feed, signal: AbortSignal): Promise<void> => {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const { entries, revision } = await feed.store.snapshot(feed.prefix);
      feed.onSnapshot(entries, revision);
      failures = 0;
      for await (const event of feed.store.watch(feed.prefix, revision, signal)) {
        if (event.kind === 'gap') break;
        feed.onChanges(event.changes);
      }
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      failures += 1;
      await pause(feed.clock, backoffMs(failures, feed.random), signal);
    }
  }
};
