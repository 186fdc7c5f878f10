/** 200 checks ask one host that takes connections and never answers; others are well. */

import { setTimeout as sleep } from 'node:timers/promises';
import { decodeScaling } from '../../src/shared/coordination/records.ts';
import type { ScalingRecord } from '../../src/shared/domain/jobset.ts';
import { historyOf } from '../support/jobset-history.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { endOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { manyHosts, SCALING_COVERS, saidOf } from './scaling-pool.ts';

const SIZES = {
  full: { slow: 200, well: 200, afterMs: 300_000 },
  small: { slow: 200, well: 50, afterMs: 20_000 },
} as const satisfies Record<Size, object>;
const INTERVAL_MS = 10_000;
const TARPIT = 'tarpit.test';
/** All slow checks together ask for many times the places that one host may have. */
const PLACES = 32;
const TIMEOUT = '  timeout: 4s';
const NEVER_MS = 600_000;
const PATIENCE_MS = 120_000;

export const tarpitHost: Row = {
  name: 'tarpit-host',
  title: 'One tarpit host with 200 checks: no more workers are called for, and the host is named',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { slow, well, afterMs } = SIZES[size];
    await using pool = await startPool({
      ...{ workers: 1, checks: slow + well, intervalMs: INTERVAL_MS },
      hostOf: (check) => (check < slow ? TARPIT : manyHosts(check)),
      detailsOf: () => TIMEOUT,
      workerArgs: ['--concurrency', `${PLACES}`],
    });
    if (pool === null) return null;
    const from = Date.now();
    const changes = await pool.ledger.record(pool.ledger.keys.scaling);
    pool.target.delayOf = (check) => (check < slow ? NEVER_MS : 0);
    await saidOf(pool, ({ futile }) => futile !== null, PATIENCE_MS);
    await sleep(afterMs);
    const to = await endOf(pool, Date.now() - INTERVAL_MS);
    const said = changes.flatMap((change) =>
      change.kind === 'put' ? [decodeScaling(change.entry)] : [],
    );
    return proofOf(pool, { said, slow, from, to });
  },
};

interface Seen {
  readonly said: readonly ScalingRecord[];
  readonly slow: number;
  readonly from: number;
  readonly to: number;
}

async function proofOf(pool: Pool, { said, slow, from, to }: Seen): Promise<Proof> {
  const { ledger, history } = pool;
  const { waited } = historyOf(await ledger.changes(ledger.keys.jobsets), ledger.keys);
  const well = [...history.results(from, to)].filter(({ check }) => check >= slow);
  const counts = {
    said: said.length,
    desired_workers_max: Math.max(...said.map(({ desiredWorkers }) => desiredWorkers)),
    raised: said.filter(({ episode }) => episode !== null).length,
    named: said.filter(({ futile }) => futile?.hosts[0] === TARPIT).length,
    named_wrongly: said.filter(({ futile }) => futile?.hosts.some((host) => host !== TARPIT))
      .length,
    waited: waited.size,
    well_runs: well.length,
    well_not_ok: well.filter(({ status }) => status !== 'ok').length,
    well_late_max_ms: Math.round(Math.max(...well.map(({ latenessMs }) => latenessMs))),
    timed_out: [...history.results(from, to)].filter(({ status }) => status === 'critical').length,
  };
  const none = ['raised', 'named_wrongly', 'waited', 'well_not_ok'] as const;
  const holds =
    none.every((name) => counts[name] === 0) &&
    counts.desired_workers_max === 1 &&
    counts.named > 0 &&
    counts.timed_out > 0 &&
    counts.well_late_max_ms < INTERVAL_MS / 2;
  return { counts, holds };
}
