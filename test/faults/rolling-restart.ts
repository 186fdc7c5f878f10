/**
 * All workers are restarted, one after the other, as an upgrade does it, while runs are under way, some
 * of them for longer than a drain lasts.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { startPool } from '../support/pool-processes.ts';
import { beginOf, endOf, POOL_COVERS } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { rounds: 20, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { rounds: 1, workers: 2, checks: 200, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const EXIT_MS = 10_000;
const USUAL_MS = 300;
/** Longer than a drain, and shorter than a timeout. */
const LONG_MS = 7_000;
/** One check of so many takes long; none where checks are due sooner than that. */
const LONG_EVERY = 50;

export const rollingRestart: Row = {
  name: 'rolling-restart',
  title: 'A rolling restart of all workers under load misses no tick and doubles none',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { rounds, ...options } = SIZES[size];
    await using pool = await startPool({ ...options, members: 3 });
    if (pool === null) return null;
    const { target, workers, history } = pool;
    target.delayOf = (check) => (size === 'full' && check % LONG_EVERY === 0 ? LONG_MS : USUAL_MS);
    const from = beginOf();
    await sleep(from - Date.now());
    const exits: { readonly code: number | null; readonly tookMs: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const worker of workers) {
        exits.push(await worker.stop());
        await worker.start();
      }
    }
    const window = history.window(from, await endOf(pool, from));
    const counts = {
      restarts: exits.length,
      ticks: window.ticks,
      missed: window.missed,
      repeated: window.repeated,
      labelled: window.labelled,
      checks_lost: history.unseen,
      late_p99_ms: window.latenessMs.p99,
      late_max_ms: window.latenessMs.max,
      exit_max_ms: Math.max(...exits.map(({ tookMs }) => tookMs)),
      bad_exits: exits.filter(({ code }) => code !== 0).length,
    };
    const none = ['missed', 'repeated', 'labelled', 'checks_lost', 'bad_exits'] as const;
    const holds = counts.exit_max_ms <= EXIT_MS && none.every((name) => counts[name] === 0);
    return { counts, holds };
  },
};
