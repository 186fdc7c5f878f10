/**
 * One check ends every worker that runs it: at once, by never letting go of the event loop, or by taking all
 * memory. Workers that have ended are started again, as under a supervisor.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkIdOf } from '../../src/shared/config/check-id.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { keyOf } from '../support/pool-target.ts';
import type { PoolWorker } from '../support/pool-worker.ts';
import { beginOf, endOf, POOL_COVERS } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { deeds: ['abort', 'spin', 'leak'], checks: 600 },
  small: { deeds: ['abort'], checks: 200 },
} as const satisfies Record<Size, object>;
const WORKERS = 5;
const INTERVAL_MS = 60_000;
/** Until its first tick, three takeovers, and the time of a watchdog. */
const QUARANTINED_MS = 150_000;
/** What it did to its last worker may take this long to end it. */
const AFTERWARDS_MS = 40_000;
const MOST_DEATHS = 3;
const LOOK_MS = 100;
/** Less than its timeout. */
const ANSWER_MS = 9_000;
const PRELOAD = path.join(import.meta.dirname, 'poison.ts');

export const poisonJob: Row = {
  name: 'poison-job',
  title:
    'A check whose runs end their worker is quarantined after three of them at most; no other check misses a tick',
  covers: [...POOL_COVERS, 'src/shared/rules/suspicion.ts', 'src/shared/runtime/watchdog.ts'],
  prove: async (size): Promise<Proof | null> => {
    const { deeds, checks } = SIZES[size];
    const counts: Record<string, number> = {};
    let holds = true;
    for (const deed of deeds) {
      const seen = await provoke(deed, checks);
      if (seen === null) return null;
      for (const [name, count] of Object.entries(seen)) counts[`${deed}_${name}`] = count;
      const { deaths, quarantined, others_missed: missed, alarms } = seen;
      holds &&= deaths >= 1 && deaths <= MOST_DEATHS && quarantined === 1;
      holds &&= missed === 0 && alarms === 1;
    }
    return { counts, holds };
  },
};

async function provoke(deed: string, checks: number) {
  const poison = checks - 1;
  const options = [`--import=${PRELOAD}`, '--max-old-space-size=192'];
  await using pool = await startPool({
    ...{ workers: WORKERS, checks, intervalMs: INTERVAL_MS },
    workerEnv: {
      POISON_DEED: deed,
      POISON_PATH: keyOf(poison).slice(keyOf(poison).indexOf('/')),
      NODE_OPTIONS: options.join(' '),
    },
  });
  if (pool === null) return null;
  // A run that takes memory has it only as long as it lasts.
  pool.target.delayOf = (check) => (check === poison ? ANSWER_MS : 0);
  const from = beginOf();
  await using supervisor = new Supervisor(pool);
  const quarantinedAt = await momentOfQuarantine(pool, from + QUARANTINED_MS);
  await sleep(AFTERWARDS_MS);
  const to = await endOf(pool, from);
  const { jobs } = await quarantineOf(pool);
  const window = pool.history.window(from, to);
  const alarms = pool.admins.flatMap((admin) => [...admin.stderr().matchAll(/in quarantine/g)]);
  return {
    deaths: supervisor.deaths,
    quarantined: jobs.length === 1 && jobs[0] === checkIdOf(keyOf(poison)) ? 1 : 0,
    quarantined_after_s: Math.round((quarantinedAt - from) / 1000),
    alarms: alarms.length,
    ticks: window.ticks,
    // Of the one in quarantine, none was ever finished.
    others_missed: window.missed - Math.ceil((to - from) / INTERVAL_MS),
    others_late_max_ms: window.latenessMs.max,
  };
}

/** Starts what has ended again, and counts. */
class Supervisor implements AsyncDisposable {
  deaths = 0;
  readonly #over = new AbortController();
  readonly #watching: Promise<unknown>;

  constructor(pool: Pool) {
    this.#watching = Promise.all(pool.workers.map((worker) => this.#watch(worker)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#watching;
  }

  async #watch(worker: PoolWorker): Promise<void> {
    for (; !this.#over.signal.aborted; await sleep(LOOK_MS)) {
      if (isAlive(worker.pid)) continue;
      this.deaths += 1;
      await worker.kill();
      await worker.start();
    }
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function quarantineOf(pool: Pool): Promise<{ readonly jobs: readonly string[] }> {
  const records = await pool.ledger.records();
  const waiting = records.filter((record) => record.waiting?.reason === 'quarantined');
  return { jobs: waiting.flatMap(({ jobs }) => jobs) };
}

/** When it was seen first; the deadline when it was not. */
async function momentOfQuarantine(pool: Pool, deadline: number): Promise<number> {
  for (; Date.now() < deadline; await sleep(LOOK_MS)) {
    if ((await quarantineOf(pool)).jobs.length > 0) break;
  }
  return Date.now();
}
