/** The store on a real etcd: the contract, and the faults that only a server and a network have. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe } from 'vitest';
import type { KeyValueStore, Lease } from '../../src/shared/coordination/kv.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { SHORTEST_TTL_MS, startEtcd } from '../support/etcd.ts';
import { describeStore } from './kv.contract.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

const openStore = (endpoints: readonly string[]): Promise<KeyValueStore> =>
  openEtcdStore({ endpoints, clock: systemClock, random: systemRandom });

let stores = 0;

/** Leaves no lease behind: its end would be a revision in the middle of the next test. */
const revokingItsLeases = (store: KeyValueStore): KeyValueStore => {
  const leases: Lease[] = [];
  return {
    snapshot: (...args) => store.snapshot(...args),
    changes: (...args) => store.changes(...args),
    commit: (...args) => store.commit(...args),
    watch: (...args) => store.watch(...args),
    lease: async (ttlMs) => {
      const lease = await store.lease(ttlMs);
      leases.push(lease);
      return lease;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(leases.map((lease) => lease.revoke()));
      await store[Symbol.asyncDispose]();
    },
  };
};

describe.skipIf(etcd === null)('with etcd', { timeout: 20_000 }, () => {
  describeStore('in etcd', async () => {
    if (etcd === null) throw new Error('no etcd');
    stores += 1;
    return {
      store: revokingItsLeases(await openStore(etcd.endpoints)),
      prefix: `/test/${stores}/`,
      ttlMs: SHORTEST_TTL_MS,
      pass: (ms: number) => sleep(ms),
      compact: () => etcd.compact(),
    };
  });
});
