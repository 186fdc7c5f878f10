/**
 * The leader of etcd is killed, again and again, and comes back; then the leader and a worker at once:
 * a new leader lets every lease begin anew, so that the dead worker's ends later than usual.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { spreadOf } from '../support/pool-history.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { beginOf, busiestOf, endOf, movesSince, POOL_COVERS, sharesOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { kills: 20, both: 5, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { kills: 1, both: 0, workers: 3, checks: 300, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
/** A lease that was about to end: what is wrong with it shows within this. */
const AWAY_MS = 8_000;
const BOTH_MS = 18_000;

export const etcdLeaderKilled: Row = {
  name: 'etcd-leader-killed',
  title: 'A killed leader of etcd moves no jobset and costs no tick; with a worker, 18 s at most',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { kills, both, ...options } = SIZES[size];
    await using pool = await startPool({ ...options, members: 3 });
    if (pool === null) return null;
    const from = beginOf();
    await sleep(from - Date.now());
    const moves = await movesSince(pool);
    for (let kill = 0; kill < kills; kill++) await killLeader(pool);
    const { moved, ordered } = await moves();
    const to = await endOf(pool, from);
    const together = beginOf();
    const takeover: number[] = [];
    for (let kill = 0; kill < both; kill++) takeover.push(...(await killBoth(pool)));
    const end = both === 0 ? together : await endOf(pool, together);
    const alone = pool.history.window(from, to);
    const all = pool.history.window(together, end);
    const counts = {
      leaders_killed: kills,
      moved,
      moved_by_order: ordered,
      ticks: alone.ticks,
      missed: alone.missed,
      repeated: alone.repeated,
      labelled: alone.labelled,
      late_max_ms: alone.latenessMs.max,
      killed_with_worker: both,
      takeover_max_ms: spreadOf(takeover).max,
      missed_with_worker: all.missed,
      checks_lost: pool.history.unseen,
    };
    const none = ['moved', 'missed', 'missed_with_worker', 'checks_lost'] as const;
    const holds = none.every((name) => counts[name] === 0) && counts.takeover_max_ms <= BOTH_MS;
    return { counts, holds };
  },
};

async function killLeader(pool: Pool): Promise<void> {
  const leader = await pool.etcd.leader();
  await leader.kill();
  await sleep(AWAY_MS);
  await leader.start();
  await pool.settled();
}

/** How long each jobset of the worker was without an owner, in ms. */
async function killBoth(pool: Pool): Promise<number[]> {
  const before = await pool.settled();
  const worker = busiestOf(pool, before);
  const lost = sharesOf(before).get(worker.id) ?? [];
  const leader = await pool.etcd.leader();
  const [at] = await Promise.all([worker.kill(), leader.kill()]);
  const after = await pool.settled();
  const took = lost.map((jobset) => {
    const owner = after.get(jobset);
    const heldAt = owner && pool.ownerOf(owner)?.heldAt(jobset, owner.token);
    return (heldAt ?? Number.POSITIVE_INFINITY) - at;
  });
  await leader.start();
  await worker.start();
  return took;
}
