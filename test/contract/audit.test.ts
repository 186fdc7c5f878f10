/** What an audit does to a damaged ledger, it does on etcd as in memory. */

import { afterAll, describe, expect, it } from 'vitest';
import { Audit } from '../../src/admin/audit.ts';
import { joinEpoch } from '../../src/shared/coordination/epoch-record.ts';
import type { KeyValueStore } from '../../src/shared/coordination/kv.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import type { JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { startEtcd } from '../support/etcd.ts';
import { aLedger, named, TERM } from '../unit/admin/auditing.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

const connect = async () => {
  if (etcd === null) throw new Error('no etcd');
  return openEtcdStore({ endpoints: etcd.endpoints, clock: systemClock, random: systemRandom });
};

const aDamagedLedger = async () => {
  const ledger = aLedger();
  const { publish, put, get, keys } = ledger;
  await publish('j1', named('a', 'b', 'c'));
  await publish('j2', named('b', 'c', 'd'));
  await publish('j3', []);
  await put(keys.checkpoint('j3' as JobsetId), { v: 1, worker: null, progress: null, states: {} });
  await put(keys.owner('j1' as JobsetId), { v: 1, worker: 'w', nonce: 'n', holdMs: 0 });
  await put(keys.progress('w' as WorkerId), { v: 1, through: 0, open: [], left: {} });
  const chunk = await get(keys.chunk('j1' as JobsetId, 0));
  for (let n = 0; n < 250; n += 1) await put(keys.chunk('gone' as JobsetId, n), chunk?.value ?? '');
  return ledger;
};

const contentOf = async (store: KeyValueStore): Promise<string[]> => {
  const { entries } = await store.snapshot('/watcher/');
  return entries.map(({ key, value }) => `${key} ${value.toString('base64')}`);
};

describe.skipIf(etcd === null)('on etcd', { timeout: 60_000 }, () => {
  it('an audit leaves what it leaves in memory', async () => {
    const { store: memory, keys, clock } = await aDamagedLedger();
    await using store = await connect();
    for (const { key, value } of (await memory.snapshot('')).entries)
      await store.commit([], [{ kind: 'put', key, value }]);
    const options = { keys, clock, log: silentLog };
    const inMemory = await new Audit({ ...options, store: memory }).sweep(TERM);
    const onEtcd = await new Audit({ ...options, store }).sweep(TERM);
    expect(onEtcd).toEqual(inMemory);
    expect(await contentOf(store)).toEqual(await contentOf(memory));
    expect(onEtcd.repaired).toEqual({
      claim_void: 1,
      job_doubled: 1,
      jobset_empty: 1,
      progress_unused: 1,
      definitions_without_jobset: 3,
    });
  });

  it('all who start at once join the same epoch', async () => {
    const { keys } = aLedger();
    await using store = await connect();
    const joins = Array.from({ length: 10 }, () =>
      joinEpoch({ store, keys, random: systemRandom }),
    );
    const epochs = (await Promise.all(joins)).map(({ epoch }) => epoch);
    expect(new Set(epochs).size).toBe(1);
  });
});
