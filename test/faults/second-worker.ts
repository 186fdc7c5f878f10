/** A worker has 200 checks for itself; a second one joins, and after it has left another one. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { beginOf, endOf, momentOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { SCALING_COVERS } from './scaling-pool.ts';

const SIZES = { full: { joins: 5 }, small: { joins: 1 } } as const satisfies Record<Size, object>;
const CHECKS = 200;
const LEAST = 80;
const MOST = 120;
const SHARED_MS = 60_000;
const PATIENCE_MS = 120_000;

export const secondWorker: Row = {
  name: 'second-worker',
  title: 'A second worker has its share of 200 checks within 60 s, and every tick ran exactly once',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { joins } = SIZES[size];
    await using pool = await startPool({ workers: 1, checks: CHECKS, intervalMs: 10_000 });
    if (pool === null) return null;
    const from = beginOf();
    await sleep(from - Date.now());
    const took: (number | null)[] = [];
    for (let join = 1; join <= joins; join++) {
      took.push(await joinOne(pool));
      if (join < joins) await leaveOne(pool);
    }
    const window = pool.history.window(from, await endOf(pool, from));
    for (const worker of pool.workers) if (worker.runs) await worker.stop();
    await pool.read();
    const shared = took.filter((ms) => ms !== null);
    const counts = {
      joins,
      shared: shared.length,
      shared_after_max_ms: Math.max(...shared),
      ticks: window.ticks,
      missed: window.missed,
      repeated: window.repeated,
      late_max_ms: window.latenessMs.max,
      asked: pool.target.arrivals.length,
      told: [...pool.history.results(0, Number.MAX_SAFE_INTEGER)].length,
    };
    const holds =
      counts.shared === joins &&
      counts.shared_after_max_ms <= SHARED_MS &&
      counts.missed === 0 &&
      counts.repeated === 0 &&
      counts.asked === counts.told;
    return { counts, holds };
  },
};

/** From its registration until both have a fair share that they keep; null: never. */
async function joinOne(pool: Pool): Promise<number | null> {
  await pool.addWorker();
  const at = Date.now();
  const isShared = async () => {
    const shares = [...(await pool.ledger.shares()).values()];
    return shares.length === 2 && shares.every((jobs) => jobs >= LEAST && jobs <= MOST);
  };
  const shared = await momentOf(isShared, PATIENCE_MS);
  await pool.settled();
  return shared === null || !(await isShared()) ? null : shared - at;
}

/** The newest one, as an operator would have it. */
async function leaveOne(pool: Pool): Promise<void> {
  await pool.workers.findLast(({ runs }) => runs)?.stop();
  await pool.settled();
}
