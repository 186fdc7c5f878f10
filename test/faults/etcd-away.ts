/** Every member of etcd is down for minutes. The checks go on, and say that nobody can vouch for them. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool, startPool } from '../support/pool-processes.ts';
import {
  beginOf,
  endOf,
  loggedAt,
  momentOf,
  movesSince,
  POOL_COVERS,
  TRUST_MS,
} from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { awayMs: 300_000, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { awayMs: 12_000, workers: 2, checks: 200, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const NORMAL_MS = 5_000;
const PATIENCE_MS = 60_000;

export const etcdAway: Row = {
  name: 'etcd-away',
  title:
    'While all of etcd is down every check runs on, labelled; 5 s after it is back all is normal',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { awayMs, ...options } = SIZES[size];
    await using pool = await startPool({ ...options, members: 3 });
    if (pool === null) return null;
    const from = beginOf();
    await sleep(from - Date.now());
    const moves = await movesSince(pool);
    const { members } = pool.etcd;
    const awayAt = Date.now();
    await Promise.all(members.map((member) => member.kill()));
    await sleep(awayMs);
    const startedAt = Date.now();
    const starts = members.map((member) => member.start());
    // A majority serves before the last one does.
    await Promise.any(starts);
    const backAt = Date.now();
    await Promise.all(starts);
    await momentOf(() => attachedAt(pool, startedAt) !== null, PATIENCE_MS);
    const normalAt = attachedAt(pool, startedAt);
    const { moved, ordered } = await moves();
    const window = pool.history.window(from, await endOf(pool, from));
    const during = [...pool.history.results(awayAt + TRUST_MS, startedAt)];
    const counts = {
      away_s: Math.round((startedAt - awayAt) / 1000),
      moved,
      moved_by_order: ordered,
      ticks: window.ticks,
      missed: window.missed,
      repeated: window.repeated,
      checks_lost: pool.history.unseen,
      late_max_ms: window.latenessMs.max,
      runs_without_etcd: during.length,
      unlabelled: during.filter(({ detached }) => !detached).length,
      normal_after_ms: normalAt === null ? Number.POSITIVE_INFINITY : normalAt - backAt,
    };
    const none = ['moved', 'missed', 'repeated', 'checks_lost', 'unlabelled'] as const;
    const isNormal = counts.normal_after_ms <= NORMAL_MS && during.length > 0;
    return { counts, holds: isNormal && none.every((name) => counts[name] === 0) };
  },
};

/** When the last of them could prove its claims again; null before. */
function attachedAt(pool: Pool, since: number): number | null {
  const times = pool.workers.map((worker) => loggedAt(worker, 'attached', since));
  return times.reduce((last, at) => (last === null || at === null ? null : Math.max(last, at)));
}
