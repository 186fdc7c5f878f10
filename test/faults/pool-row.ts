/** What proofs with a whole pool have in common. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Keys } from '../../src/shared/coordination/keys.ts';
import { type Change, keyOf } from '../../src/shared/coordination/kv.ts';
import { decodePlacement } from '../../src/shared/coordination/records.ts';
import type { Owner } from '../support/pool-ledger.ts';
import type { Pool } from '../support/pool-processes.ts';
import type { PoolWorker } from '../support/pool-worker.ts';

/** What a change of makes every one of them stale. */
export const POOL_COVERS = [
  'src/admin',
  'src/app.ts',
  'src/shared/coordination',
  'src/shared/domain/jobset.ts',
  'src/worker',
];

/** As the pool runs by default. */
export const TTL_MS = 6000;
export const HEARTBEAT_MS = 2000;
/** From its last renewal on a worker trusts its claims for so long. */
export const TRUST_MS = 4500;

/** A result is in its file a second after its run, a second one of the same tick as well. */
const DELIVERED_MS = 3_000;
/** A tick that is caught up is run some seconds late. */
const CAUGHT_UP_MS = 12_000;

export type Owners = ReadonlyMap<string, Owner>;

/** The jobsets that each worker holds, by its id. */
export function sharesOf(owners: Owners): ReadonlyMap<string, readonly string[]> {
  const shares = new Map<string, string[]>();
  for (const [jobset, { worker }] of owners) {
    shares.set(worker, [...(shares.get(worker) ?? []), jobset]);
  }
  return shares;
}

/** Whoever holds the most. */
export function busiestOf(pool: Pool, owners: Owners): PoolWorker {
  const shares = [...sharesOf(owners)].toSorted(([, a], [, b]) => b.length - a.length);
  const worker = pool.workers.find(({ id, runs }) => runs && id === shares[0]?.[0]);
  if (worker === undefined) throw new Error('nobody owns anything');
  return worker;
}

/** From now on; what the leading admin ordered, to even out a pool that has only just begun, is told apart. */
export interface Moves {
  readonly moved: number;
  readonly ordered: number;
}

/** Of jobsets whose claim is not the one that it was. */
export async function movesSince(pool: Pool): Promise<() => Promise<Moves>> {
  const { keys } = pool.ledger;
  const changes = await pool.ledger.record(keys.jobsets);
  const before = await pool.settled();
  return async () => {
    const after = await pool.settled();
    const changed = [...before].filter(([id, { token }]) => after.get(id)?.token !== token);
    const orders = orderedIn(changes, keys);
    const moved = changed.filter(([id]) => !orders.has(id)).length;
    return { moved, ordered: changed.length - moved };
  };
}

/** The jobsets that the leading admin has ordered to somebody. */
export const orderedIn = (changes: readonly Change[], keys: Keys): ReadonlySet<string> =>
  new Set(
    changes
      .filter((change) => keyOf(change).startsWith(keys.jobsets) && isOrder(change))
      .map((change) => keys.jobsetOf(keyOf(change))),
  );

/** Records that a test has damaged order nothing. */
const isOrder = (change: Change): boolean => {
  if (change.kind === 'delete') return false;
  try {
    return decodePlacement(change.entry).moveTo !== null;
  } catch {
    return false;
  }
};

/** From the next whole second on everything is accounted for. */
export const beginOf = (): number => Math.ceil(Date.now() / 1000) * 1000 + 1000;

/** Until all that fell due from then to now has been run and delivered: the end of the window. */
export async function endOf(pool: Pool, from: number): Promise<number> {
  const end = Date.now();
  await pool.until(end + DELIVERED_MS);
  while (pool.history.window(from, end).missed > 0 && Date.now() < end + CAUGHT_UP_MS) {
    await pool.until(Date.now() + 500);
  }
  return end;
}

/** Looks ten times a second; null when the time is over. */
export async function momentOf(
  isSo: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<number | null> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(100)) {
    if (await isSo()) return Date.now();
  }
  return null;
}

/** Line of the worker's log at or after that time, or null. */
export function loggedAt(worker: PoolWorker, msg: string, from: number): number | null {
  for (const line of worker.log()) if (line.at >= from && line.msg === msg) return line.at;
  return null;
}
