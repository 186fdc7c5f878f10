/** A worker whose scheduler stands still goes on with its heartbeats, so that its lease lives. */

import path from 'node:path';
import type { Change } from '../../src/shared/coordination/kv.ts';
import { keyOf } from '../../src/shared/coordination/kv.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import type { PoolWorker } from '../support/pool-worker.ts';
import { beginOf, busiestOf, endOf, momentOf, sharesOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { SCALING_COVERS } from './scaling-pool.ts';

const SIZES = {
  full: { wedges: 10, workers: 3, checks: 2_000 },
  small: { wedges: 1, workers: 2, checks: 200 },
} as const satisfies Record<Size, object>;
const INTERVAL_MS = 60_000;
/** Half the interval: later than that a run of these checks is late. */
const LATE_MS = INTERVAL_MS / 2;
const PATIENCE_MS = 90_000;
const COMMAND = [
  ...[process.execPath, '--max-semi-space-size=8'],
  path.join(import.meta.dirname, 'wedging-worker.ts'),
];

interface Wedge {
  readonly jobsets: number;
  /** Until others had all of them; null: never. */
  readonly takenMs: number | null;
  /** Of the wedged worker, before it lost them. */
  readonly beats: number;
}

export const wedgedWorker: Row = {
  name: 'wedged-worker',
  title:
    'The checks of a worker whose loop is wedged while its lease lives run elsewhere within two late thresholds',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { wedges, workers, checks } = SIZES[size];
    await using pool = await startPool({ workers, checks, workerCommand: COMMAND });
    if (pool === null) return null;
    const from = beginOf();
    // By then it is known when each check falls due.
    await pool.until(from + INTERVAL_MS);
    const seen: Wedge[] = [];
    const beats = await pool.ledger.record(pool.ledger.keys.beats);
    while (seen.length < wedges) seen.push(await wedgeOne(pool, beats));
    const window = pool.history.window(from, await endOf(pool, from));
    const taken = seen.flatMap(({ takenMs }) => takenMs ?? []);
    const counts = {
      wedges,
      jobsets: seen.reduce((sum, { jobsets }) => sum + jobsets, 0),
      taken: taken.length,
      taken_max_ms: Math.max(...taken),
      beats_while_wedged_min: Math.min(...seen.map((one) => one.beats)),
      ticks: window.ticks,
      missed: window.missed,
      repeated: window.repeated,
      late_max_ms: window.latenessMs.max,
    };
    const holds =
      counts.taken === wedges &&
      counts.taken_max_ms <= 2 * LATE_MS &&
      counts.late_max_ms <= 2 * LATE_MS &&
      counts.beats_while_wedged_min >= 3 &&
      counts.missed === 0 &&
      counts.repeated === 0;
    return { counts, holds };
  },
};

async function wedgeOne(pool: Pool, changes: readonly Change[]): Promise<Wedge> {
  const owners = await pool.settled();
  const worker = busiestOf(pool, owners);
  const { id } = worker;
  const jobsets = sharesOf(owners).get(id) ?? [];
  const seen = changes.length;
  const at = Date.now();
  process.kill(worker.pid, 'SIGUSR2');
  const taken = await momentOf(async () => {
    const now = await pool.ledger.owners();
    return jobsets.every((jobset) => (now.get(jobset)?.worker ?? id) !== id);
  }, PATIENCE_MS);
  const beats = changes.slice(seen).filter((change) => keyOf(change).endsWith(id)).length;
  await replace(worker);
  await pool.settled();
  return { jobsets: jobsets.length, takenMs: taken === null ? null : taken - at, beats };
}

/** It may have ended by itself by now. */
async function replace(worker: PoolWorker): Promise<void> {
  await worker.kill();
  await worker.start();
}
