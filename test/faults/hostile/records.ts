/** Records that nobody can read, records of others, records of tomorrow; then claims that nobody made. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Write } from '../../../src/shared/coordination/kv.ts';
import { encodeCheckpoint, encodeOwnership } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { type Pool, startPool } from '../../support/pool-processes.ts';
import type { Trial } from '../hostile-ledger.ts';
import { beginOf, endOf, momentOf, movesSince } from '../pool-row.ts';
import type { Size } from '../row.ts';

const SIZES = {
  full: { foreign: 100_000, voidClaim: true },
  small: { foreign: 2_000, voidClaim: false },
} as const satisfies Record<Size, object>;
const KINDS = ['jobset', 'own', 'worker', 'hb', 'ck', 'progress', 'def', 'meta', 'admin'] as const;
const VALUES = {
  cut: '{"v":1,"jobs":["a"',
  text: 'not a record',
  nothing: '',
  number: '42',
  list: '[]',
  newer: '{"v":99,"jobs":{"in":"another shape"}}',
  poor: '{"v":1}',
  wrong: '{"v":1,"jobs":7,"zone":{},"avoid":"x","worker":5,"state":[],"progress":"p"}',
  binary: Buffer.from([0, 255, 254, 128, 0, 13]),
  long: Buffer.alloc(1_400_000, 120),
} as const;
const PUTS_AT_ONCE = 100;
/** All that has to be read anew is, by whoever starts now. */
const RUN_MS = 12_000;
/** The first look of an admin that has begun to lead, and the claim after it. */
const SWEPT_MS = 90_000;

export async function recordsDamaged(size: Size): Promise<Trial | null> {
  const { foreign, voidClaim } = SIZES[size];
  await using pool = await startPool({ workers: 2, checks: 200, intervalMs: 10_000 });
  if (pool === null) return null;
  const from = beginOf();
  await sleep(from - Date.now());
  const moves = await movesSince(pool);
  const damaged = [...damagedRecords(pool)];
  for (const write of damaged) await pool.ledger.store.commit([], [write]);
  await putForeign(pool, foreign);
  await sleep(RUN_MS);
  const { moved } = await moves();
  for (const worker of pool.workers) {
    await worker.stop();
    await worker.start();
  }
  const standing = await pool.ledger.store.snapshot(`${pool.ledger.prefix}foreign/`);
  const window = pool.history.window(from, await endOf(pool, from));
  const void_claim_ms = voidClaim ? await endVoidClaim(pool) : 0;
  return {
    counts: { records_damaged: damaged.length, records_ticks: window.ticks, void_claim_ms },
    zero: {
      records_missed: window.missed,
      records_moved: moved,
      records_foreign_gone: foreign - standing.entries.length,
      void_claims_left: void_claim_ms > SWEPT_MS ? 1 : 0,
    },
  };
}

function* damagedRecords({ ledger: { prefix } }: Pool): Iterable<Write> {
  for (const kind of KINDS) {
    for (const [name, value] of Object.entries(VALUES)) {
      const suffix = kind === 'def' ? '/0' : '';
      yield { kind: 'put', key: `${prefix}${kind}/${name}${suffix}`, value: Buffer.from(value) };
    }
  }
}

async function putForeign({ ledger: { prefix, store } }: Pool, count: number): Promise<void> {
  for (let from = 0; from < count; from += PUTS_AT_ONCE) {
    const writes = Array.from(
      { length: Math.min(PUTS_AT_ONCE, count - from) },
      (_, i): Write => ({
        kind: 'put',
        key: `${prefix}foreign/${from + i}`,
        value: Buffer.from('of another program'),
      }),
    );
    await store.commit([], writes);
  }
}

/**
 * Somebody writes a claim of a worker that never was, without a lease, and that all is done for years:
 * until it runs again, in ms.
 */
async function endVoidClaim(pool: Pool): Promise<number> {
  const { ledger } = pool;
  const owned = [...(await ledger.owners())].find(([, owner]) => pool.ownerOf(owner));
  if (owned === undefined) throw new Error('nobody owns anything');
  const id = owned[0] as JobsetId;
  const nobody = '00000000-0000-4000-8000-000000000000' as WorkerId;
  const owner = encodeOwnership({ worker: nobody, nonce: 'nobody', holdMs: 0 });
  const progress = { through: Date.now() + 1e11, open: [] };
  const checkpoint = encodeCheckpoint({ worker: null, progress, states: {} });
  const at = Date.now();
  await ledger.store.commit(
    [],
    [
      { kind: 'put', key: ledger.keys.owner(id), value: owner },
      { kind: 'put', key: ledger.keys.checkpoint(id), value: checkpoint },
    ],
  );
  // An admin sweeps soon after it has begun to lead, and rarely afterwards.
  await pool.restartAdmins();
  const runs = async (): Promise<boolean> => {
    await pool.read();
    return pool.history.window(Date.now() - 13_000, Date.now() - 3_000).missed === 0;
  };
  await sleep(15_000);
  return ((await momentOf(runs, 2 * SWEPT_MS)) ?? Number.POSITIVE_INFINITY) - at;
}
