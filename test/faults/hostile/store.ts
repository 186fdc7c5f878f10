/** etcd comes back as it was some time ago, and then with nothing at all. */

import { setTimeout as sleep } from 'node:timers/promises';
import { startPool } from '../../support/pool-processes.ts';
import type { Trial } from '../hostile-ledger.ts';
import { beginOf, endOf } from '../pool-row.ts';
import type { Size } from '../row.ts';

const SIZES = {
  full: { runMs: 60_000 },
  small: { runMs: 8_000 },
} as const satisfies Record<Size, object>;

export async function storeWentBack(size: Size): Promise<Trial | null> {
  const { runMs } = SIZES[size];
  await using pool = await startPool({ workers: 2, checks: 200, intervalMs: 10_000 });
  if (pool === null) return null;
  const from = beginOf();
  await sleep(from - Date.now());
  const [member] = pool.etcd.members;
  await member.kill();
  const backup = await member.backup();
  await member.start();
  await sleep(runMs);
  await member.kill();
  await member.start(backup);
  await sleep(runMs);
  await pool.settled();
  await member.kill();
  await member.start('wiped');
  await sleep(runMs);
  await pool.settled();
  const window = pool.history.window(from, await endOf(pool, from));
  return {
    counts: {
      store_ticks: window.ticks,
      store_labelled: window.labelled,
      store_repeated: window.repeated,
      store_late_max_ms: window.latenessMs.max,
    },
    zero: { store_missed: window.missed },
  };
}
