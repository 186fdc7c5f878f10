/**
 * A worker stands still for three leases, as a machine does that is suspended, and wakes up in the belief
 * that everything is still its own. Once in a pool that runs on without proof, once in one that stops.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, keyOf } from '../../src/shared/coordination/kv.ts';
import { decodeCheckpoint } from '../../src/shared/coordination/records.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import type { PoolWorker } from '../support/pool-worker.ts';
import {
  beginOf,
  busiestOf,
  endOf,
  loggedAt,
  momentOf,
  movesSince,
  orderedIn,
  POOL_COVERS,
  TTL_MS,
} from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { pauses: 20, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { pauses: 1, workers: 2, checks: 200, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const PAUSE_MS = 3 * TTL_MS;
/** Whatever it does out of place, it does within this after it woke up; then it is given work again. */
const AFTER_MS = 4_000;
const PATIENCE_MS = 30_000;

interface Counts {
  pauses: number;
  /** Writes of the woken worker about what others own, and claims that changed after it woke up. */
  writes: number;
  moved: number;
  /** Unlabelled results of runs that ended after it woke up. */
  unlabelled: number;
  runs_after: number;
  labelled_after: number;
}

export const pausedWorker: Row = {
  name: 'paused-worker',
  title: 'A worker that stood still for three leases changes nothing and posts nothing as its own',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const [run, stop] = await Promise.all([trial(size, 'run'), trial(size, 'stop')]);
    if (run === null || stop === null) return null;
    const counts = {
      ...run,
      stop_pauses: stop.pauses,
      stop_writes: stop.writes,
      stop_moved: stop.moved,
      stop_unlabelled: stop.unlabelled,
      stop_runs_after: stop.runs_after,
      stop_missed: stop.missed,
    };
    const none = [
      ...(['writes', 'moved', 'unlabelled', 'missed'] as const),
      ...(['stop_writes', 'stop_moved', 'stop_unlabelled', 'stop_runs_after'] as const),
      'stop_missed',
    ] as const;
    return { counts, holds: none.every((name) => counts[name] === 0) };
  },
};

async function trial(size: Size, onLoss: 'run' | 'stop') {
  const { pauses, ...options } = SIZES[size];
  const workerArgs = ['--on-coordination-loss', onLoss];
  await using pool = await startPool({ ...options, members: 3, workerArgs });
  if (pool === null) return null;
  const from = beginOf();
  await sleep(from - Date.now());
  const counts: Counts = {
    ...{ pauses, writes: 0, moved: 0, unlabelled: 0 },
    ...{ runs_after: 0, labelled_after: 0 },
  };
  const changes = await pool.ledger.record('/watcher/');
  const woken: { readonly id: string; readonly at: number }[] = [];
  for (let pause = 0; pause < pauses; pause++) {
    woken.push(await pauseOne(pool, changes, counts));
  }
  const to = await endOf(pool, from);
  for (const { tick, end, worker, detached } of pool.history.results(from - PAUSE_MS, to)) {
    // What it owns by then it has claimed since.
    const isLate = woken.some(({ id, at }) => id === worker && end > at && tick < at);
    if (isLate && detached) counts.labelled_after += 1;
    if (isLate && !detached) counts.unlabelled += 1;
  }
  const { missed, ticks } = pool.history.window(from, size === 'full' ? to : from);
  return { ...counts, ticks, missed };
}

async function pauseOne(pool: Pool, changes: readonly Change[], counts: Counts) {
  const worker = busiestOf(pool, await pool.settled());
  const changesBeforePause = changes.length;
  worker.pause();
  await sleep(PAUSE_MS);
  const moves = await movesSince(pool);
  const { arrivals } = pool.target;
  const [changesBefore, arrivalsBefore] = [changes.length, arrivals.length];
  const at = Date.now();
  worker.resume();
  if ((await momentOf(() => loggedAt(worker, 'attached', at) !== null, PATIENCE_MS)) === null)
    throw new Error(`worker ${worker.number} has not come back`);
  await sleep(AFTER_MS);
  counts.moved += (await moves()).moved;
  counts.runs_after += arrivals
    .slice(arrivalsBefore)
    .filter(({ by }) => by === worker.number).length;
  const { keys } = pool.ledger;
  const ordered = [...orderedIn(changes.slice(changesBeforePause), keys)];
  counts.writes += changes
    .slice(changesBefore)
    .filter((change) => !ordered.some((jobset) => keyOf(change).includes(jobset)))
    .filter((change) => isOutOfPlace(change, pool, worker)).length;
  return { id: worker.id, at };
}

/** Its own registration and progress it may write; every jobset is somebody else's. */
function isOutOfPlace(change: Change, { ledger: { keys } }: Pool, worker: PoolWorker): boolean {
  const key = keyOf(change);
  if ([keys.owners, keys.jobsets, keys.allDefinitions].some((prefix) => key.startsWith(prefix)))
    return true;
  if (!key.startsWith(keys.checkpoints)) return false;
  return change.kind === 'delete' || decodeCheckpoint(change.entry).worker === worker.id;
}
