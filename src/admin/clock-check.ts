/**
 * Clocks of workers against this admin's, for a warning and nothing else: no decision of the pool rests
 * on another machine's clock, but ticks are instants, and a worker whose clock is wrong runs its checks
 * at the wrong time.
 */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, KeyValueStore } from '../shared/coordination/kv.ts';
import { decodeBeat } from '../shared/coordination/records.ts';
import type { WorkerId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';

export interface ClockCheck {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Log;
}

/** At least two beats of each worker. */
const LISTEN_MS = 7_000;
const TOLERATED_MS = 1_000;

/** Listens to heartbeats for a few seconds. */
export const warnOfClocks = async (options: ClockCheck, signal: AbortSignal): Promise<void> => {
  for (const [worker, aheadMs] of await clockOffsets(options, signal)) {
    if (Math.abs(aheadMs) <= TOLERATED_MS) continue;
    const message =
      'the clocks of a worker and of this admin differ: does NTP run on both machines?';
    options.log.warn(message, { worker, aheadMs: Math.round(aheadMs) });
  }
};

/**
 * How far each worker's clock is ahead of this one, in ms. A beat that takes its time to come here makes
 * the worker's clock look late and never early: the largest of its offsets is the closest.
 */
const clockOffsets = async (
  { store, keys, clock }: ClockCheck,
  signal: AbortSignal,
): Promise<Map<WorkerId, number>> => {
  const offsets = new Map<WorkerId, number>();
  const { revision } = await store.snapshot(keys.beats);
  const done = new AbortController();
  const timer = clock.after(LISTEN_MS, () => done.abort());
  try {
    const listening = AbortSignal.any([signal, done.signal]);
    for await (const event of store.watch(keys.beats, revision, listening)) {
      if (event.kind === 'gap') break;
      for (const beat of event.changes.flatMap(beatIn)) {
        const worker = beat.key.slice(keys.beats.length) as WorkerId;
        const aheadMs = beat.at - clock.now();
        offsets.set(worker, Math.max(aheadMs, offsets.get(worker) ?? aheadMs));
      }
    }
  } finally {
    timer.cancel();
  }
  return offsets;
};

const beatIn = (change: Change): { readonly key: string; readonly at: number }[] => {
  if (change.kind === 'delete') return [];
  try {
    return [{ key: change.entry.key, at: decodeBeat(change.entry).at }];
  } catch (error) {
    if (error instanceof WatcherError && error.code === 'WCH_RECORD') return [];
    throw error;
  }
};
