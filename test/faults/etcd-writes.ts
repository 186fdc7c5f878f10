/**
 * What a pool costs etcd: the same workers and jobsets, with ten times the checks in one of two pools.
 * Counted by etcd itself: proposals that its members agree on, which is what its disks write.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { Metrics } from '../support/watcher-process.ts';
import { HEARTBEAT_MS, POOL_COVERS } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { workers: 4, jobsets: 200, few: 2_000, many: 20_000, measureMs: 120_000 },
  small: { workers: 2, jobsets: 20, few: 200, many: 2_000, measureMs: 16_000 },
} as const satisfies Record<Size, object>;
/** After the last claim: first progress, first checkpoints. */
const SETTLE_MS = 6_000;
const NEAR = 0.2;

interface Rates {
  /** A second. */
  readonly writes: number;
  readonly keys: number;
  readonly runs: number;
}

export const etcdWrites: Row = {
  name: 'etcd-writes',
  title: 'Ten times the checks cost etcd no more writes: one a heartbeat of each worker',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { workers, jobsets, few, many } = SIZES[size];
    const [less, more] = await Promise.all([ratesWith(size, few), ratesWith(size, many)]);
    if (less === null || more === null) return null;
    const counts = {
      workers,
      jobsets,
      few,
      many,
      few_runs_a_second: less.runs,
      many_runs_a_second: more.runs,
      predicted_writes_a_second: (workers * 1000) / HEARTBEAT_MS,
      few_writes_a_second: less.writes,
      many_writes_a_second: more.writes,
      few_keys_a_second: less.keys,
      many_keys_a_second: more.keys,
    };
    const rates = [less.writes, more.writes, counts.predicted_writes_a_second];
    const areNear = Math.max(...rates) <= Math.min(...rates) * (1 + NEAR);
    return { counts, holds: areNear && more.runs > 5 * less.runs };
  },
};

async function ratesWith(size: Size, checks: number): Promise<Rates | null> {
  const { workers, jobsets, measureMs } = SIZES[size];
  await using pool = await startPool({ workers, jobsets, checks });
  if (pool === null) return null;
  await sleep(SETTLE_MS);
  const [before, startedAt] = [await countsOf(pool), Date.now()];
  await sleep(measureMs);
  const after = await countsOf(pool);
  const seconds = (Date.now() - startedAt) / 1000;
  const rate = (name: keyof typeof after) =>
    Math.round((100 * (after[name] - before[name])) / seconds) / 100;
  return { writes: rate('writes'), keys: rate('keys'), runs: rate('runs') };
}

async function countsOf({ etcd, target }: Pool) {
  const { body } = await request(`${etcd.members[0].endpoint}/metrics`);
  const metrics = new Metrics(await body.text());
  return {
    writes: metrics.total('etcd_server_proposals_committed_total'),
    keys: metrics.total('etcd_mvcc_put_total') + metrics.total('etcd_mvcc_delete_total'),
    runs: target.arrivals.length,
  };
}
