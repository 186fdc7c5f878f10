/** Jobs of the API on a real etcd: many at once, from several processes' stores. */

import { afterAll, describe, expect, it } from 'vitest';
import { ApiJobs } from '../../src/shared/coordination/api-jobs.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { LedgerView } from '../../src/shared/coordination/ledger-view.ts';
import { decodeJobset } from '../../src/shared/coordination/records.ts';
import type { CheckId, WorkerId } from '../../src/shared/domain/check.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { startEtcd } from '../support/etcd.ts';
import { namedCheck, writtenLedger } from '../support/written-ledger.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

let pools = 0;

/** Processes of one pool, each with a store and a copy of the ledger of its own. */
const aPool = async (size: number) => {
  if (etcd === null) throw new Error('no etcd');
  const { endpoints } = etcd;
  const stack = new AsyncDisposableStack();
  pools += 1;
  const keys = new Keys(`/pool-${pools}/`);
  const join = async () => {
    const common = { keys, clock: systemClock, random: systemRandom };
    const store = stack.use(await openEtcdStore({ endpoints, ...common }));
    const view = stack.use(new LedgerView({ ...common, store, awaySince: () => null }));
    view.start();
    return { store, jobs: new ApiJobs({ ...common, store, view }) };
  };
  const processes = await Promise.all(Array.from({ length: size }, join));
  const [first] = processes;
  if (first === undefined) throw new Error('a pool of none');
  return {
    keys,
    processes,
    store: first.store,
    /** Of all jobsets. */
    standing: async (): Promise<CheckId[]> => {
      const { entries } = await first.store.snapshot(keys.jobsets);
      return entries.flatMap((entry) => decodeJobset(keys.jobsetOf(entry.key), entry).jobs);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

describe.skipIf(etcd === null)('jobs of the API in etcd', { timeout: 20_000 }, () => {
  it('are all there when twenty are added at once, and each of them once', async () => {
    await using pool = await aPool(4);
    const wanted = Array.from({ length: 20 }, (_, n) => namedCheck(`a/${n}`));
    const reports = await Promise.all(
      wanted.flatMap((check, n) => {
        const [one, other] = [n % 4, (n + 1) % 4].map((at) => pool.processes[at]?.jobs);
        return [one?.add([check], null), other?.add([check], null)];
      }),
    );
    expect(reports.flatMap((report) => report?.added ?? [])).toHaveLength(20);
    expect(reports.flatMap((report) => report?.refused ?? [])).toHaveLength(20);
    const ids = wanted.map(({ id }) => id);
    expect((await pool.standing()).sort()).toEqual(ids.sort());
    await Promise.all(wanted.map((check, n) => pool.processes[n % 4]?.jobs.remove(check)));
    expect(await pool.standing()).toEqual([]);
  });

  it('are under the lease of the worker that they are added for', async () => {
    await using pool = await aPool(1);
    const { store, keys, processes } = pool;
    const lease = await store.lease(60_000);
    await writtenLedger(store, keys).worker('w1', {}, lease.id);
    const report = await processes[0]?.jobs.add([namedCheck('a/x')], 'w1' as WorkerId);
    expect(report?.added).toMatchObject([{ check: 'a/x', worker: 'w1' }]);
    expect((await store.snapshot(keys.owners)).entries).toMatchObject([{ lease: lease.id }]);
    await lease.revoke();
    expect((await store.snapshot(keys.owners)).entries).toEqual([]);
    expect(await pool.standing()).toEqual([namedCheck('a/x').id]);
  });
});
