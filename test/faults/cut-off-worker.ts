/**
 * One worker loses its way to etcd, while all others keep theirs: without a word, with every connection
 * reset, and with connections that are accepted and never answered. It cannot tell that from an outage.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { checkIdOf } from '../../src/shared/config/check-id.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { spreadOf } from '../support/pool-history.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { keyOf } from '../support/pool-target.ts';
import type { PoolWorker } from '../support/pool-worker.ts';
import {
  beginOf,
  endOf,
  HEARTBEAT_MS,
  loggedAt,
  momentOf,
  POOL_COVERS,
  sharesOf,
} from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { rounds: 5, awayMs: 30_000, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { rounds: 1, awayMs: 8_000, workers: 2, checks: 200, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const COVERED_MS = 10_000;
const PATIENCE_MS = 30_000;
/** The last result of a run that was under way when the jobset was given up. */
const IN_FLIGHT_MS = 1_000;

const CUTS = {
  silent: (proxy: FaultProxy) => {
    proxy.mode = 'hole';
  },
  reset: (proxy: FaultProxy) => {
    proxy.mode = 'reset';
    proxy.cut();
  },
  hang: (proxy: FaultProxy) => {
    proxy.mode = 'hole';
    proxy.cut();
  },
} as const;

interface Cut {
  /** For each of its jobsets, until another worker had it. */
  readonly coveredMs: readonly number[];
  readonly rejoinedMs: number;
  /** From its first heartbeat after the cut until it had given up the last of what others own. */
  readonly gaveUpMs: number;
  readonly runsAfter: number;
}

export const cutOffWorker: Row = {
  name: 'cut-off-worker',
  title:
    'What a cut-off worker owns others cover within 10 s; back, it gives up within a heartbeat',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { rounds, awayMs, ...options } = SIZES[size];
    await using pool = await startPool({ ...options, members: 3, proxied: 0 });
    if (pool === null) return null;
    const from = beginOf();
    await sleep(from - Date.now());
    const cuts: Cut[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const cut of Object.values(CUTS)) cuts.push(await cutOff(pool, cut, awayMs));
    }
    const window = pool.history.window(from, await endOf(pool, from));
    const covered = spreadOf(cuts.flatMap(({ coveredMs }) => coveredMs));
    const counts = {
      cuts: cuts.length,
      jobsets: cuts.reduce((sum, { coveredMs }) => sum + coveredMs.length, 0),
      covered_p50_ms: covered.p50,
      covered_max_ms: covered.max,
      rejoined_max_ms: Math.max(...cuts.map(({ rejoinedMs }) => rejoinedMs)),
      gave_up_max_ms: Math.max(...cuts.map(({ gaveUpMs }) => gaveUpMs)),
      runs_after_giving_up: cuts.reduce((sum, { runsAfter }) => sum + runsAfter, 0),
      ticks: window.ticks,
      missed: window.missed,
      repeated: window.repeated,
      repeated_unlabelled: window.doubled,
      labelled: window.labelled,
      checks_lost: pool.history.unseen,
    };
    const isQuick = covered.max <= COVERED_MS && counts.gave_up_max_ms <= HEARTBEAT_MS;
    const none = ['missed', 'checks_lost', 'runs_after_giving_up'] as const;
    return { counts, holds: isQuick && none.every((name) => counts[name] === 0) };
  },
};

async function cutOff(pool: Pool, cut: (proxy: FaultProxy) => void, awayMs: number): Promise<Cut> {
  const [worker] = pool.workers;
  if (worker === undefined) throw new Error('no worker');
  const lost = await giveAllTo(pool, worker);
  for (const proxy of pool.proxies) cut(proxy);
  const at = Date.now();
  await sleep(awayMs);
  await pool.settled();
  const coveredMs = lost.map((jobset) => coveredAt(pool, worker, jobset, at) - at);
  for (const proxy of pool.proxies) proxy.mode = 'pass';
  const back = Date.now();
  const attached = () => loggedAt(worker, 'attached', back);
  if ((await momentOf(() => attached() !== null, PATIENCE_MS)) === null)
    throw new Error(`worker ${worker.number} has not come back`);
  const rejoinedAt = attached() ?? back;
  await sleep(HEARTBEAT_MS + IN_FLIGHT_MS);
  const late = rejoinedAt + HEARTBEAT_MS + IN_FLIGHT_MS;
  await sleep(HEARTBEAT_MS);
  return {
    coveredMs,
    rejoinedMs: rejoinedAt - back,
    gaveUpMs: Math.max(0, ...lost.map((jobset) => gaveUpAt(worker, jobset, at) - rejoinedAt)),
    runsAfter: await runsSince(pool, worker, rejoinedAt, late),
  };
}

/** Its runs after `late`, but of what it has been given since it came back. */
async function runsSince(pool: Pool, worker: PoolWorker, back: number, late: number) {
  const given = new Set<unknown>();
  for (const line of worker.log())
    if (line.at >= back && line.msg === 'holds') given.add(line.jobset);
  const records = await pool.ledger.records();
  const jobs = new Set(records.filter(({ id }) => given.has(id)).flatMap(({ jobs }) => jobs));
  return pool.target.arrivals.filter(
    ({ by, at, check }) => by === worker.number && at > late && !jobs.has(checkIdOf(keyOf(check))),
  ).length;
}

/** By a restart of all others: its jobsets. */
async function giveAllTo(pool: Pool, worker: PoolWorker): Promise<readonly string[]> {
  const others = pool.workers.filter((other) => other !== worker);
  for (const other of others) await other.stop();
  await pool.settled();
  for (const other of others) await other.start();
  return sharesOf(await pool.settled()).get(worker.id) ?? [];
}

/** By the first of the others that had it: the leader may have moved it on since. */
function coveredAt(pool: Pool, cutOff: PoolWorker, jobset: string, from: number): number {
  let first = Number.POSITIVE_INFINITY;
  for (const worker of pool.workers)
    for (const line of worker === cutOff ? [] : worker.log())
      if (line.at >= from && line.msg === 'holds' && line.jobset === jobset)
        first = Math.min(first, line.at);
  return first;
}

function gaveUpAt(worker: PoolWorker, jobset: string, from: number): number {
  for (const line of worker.log())
    if (line.at >= from && line.msg === 'gave up' && line.jobset === jobset) return line.at;
  return Number.POSITIVE_INFINITY;
}
