/**
 * Checks that ask for next to nothing: 2,000 a minute on four workers, and 1,200 where a worker takes
 * half of them at most, until a second one comes.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { startPool } from '../support/pool-processes.ts';
import { beginOf, endOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { punctualityOf, SCALING_COVERS, saidOf } from './scaling-pool.ts';

const SIZES = {
  full: { spread: 2_000, windowMs: 300_000, limited: 1_200, intervalMs: 60_000 },
  small: { spread: 400, windowMs: 20_000, limited: 240, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const P99_MS = 5_000;
const ON_TIME_MS = 60_000;
const PATIENCE_MS = 60_000;

export const idlePool: Row = {
  name: 'idle-pool',
  title:
    '2,000 checks a minute on four workers are on time; what one worker may not take runs within 60 s of a second',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const spread = await spreadOut(SIZES[size]);
    const limited = await limitedTo(SIZES[size]);
    if (spread === null || limited === null) return null;
    const counts = { ...spread, ...limited };
    const none = ['missed', 'repeated', 'unseen', 'late_after_60_s', 'missed_after_60_s'] as const;
    const holds =
      none.every((name) => counts[name] === 0) &&
      counts.late_p99_ms < P99_MS &&
      counts.waited === counts.limited / 2 &&
      counts.ran_before === counts.limited / 2;
    return { counts, holds };
  },
};

type Given = (typeof SIZES)[Size];

async function spreadOut({ spread: checks, windowMs, intervalMs }: Given) {
  await using pool = await startPool({ workers: 4, checks, intervalMs });
  if (pool === null) return null;
  const from = beginOf();
  await pool.until(from + windowMs);
  const window = pool.history.window(from, await endOf(pool, from));
  return {
    ticks: window.ticks,
    missed: window.missed,
    repeated: window.repeated,
    unseen: pool.history.unseen,
    late_p99_ms: window.latenessMs.p99,
    late_max_ms: window.latenessMs.max,
  };
}

async function limitedTo({ limited, intervalMs }: Given) {
  const shed = ['--scaling-mode', 'shed'];
  await using pool = await startPool({
    ...{ workers: 0, checks: limited, intervalMs },
    workerArgs: [...shed, '--max-jobs', `${limited / 2}`],
  });
  if (pool === null) return null;
  await pool.addWorker();
  await saidOf(pool, ({ waitingJobs }) => waitingJobs === limited / 2, PATIENCE_MS);
  const waited = (await pool.ledger.scaling())?.waitingJobs ?? 0;
  await sleep(intervalMs);
  await pool.read();
  const ranBefore = limited - pool.history.unseen;
  await pool.addWorker();
  const from = Date.now();
  await pool.until(from + ON_TIME_MS + intervalMs);
  const to = await endOf(pool, Date.now() - intervalMs);
  const { lastLate } = punctualityOf(pool, { from, to, intervalMs });
  const after = punctualityOf(pool, { from: from + ON_TIME_MS, to, intervalMs });
  return {
    limited,
    waited,
    ran_before: ranBefore,
    on_time_after_ms: lastLate - from,
    late_after_60_s: after.late,
    missed_after_60_s: after.missed,
  };
}
