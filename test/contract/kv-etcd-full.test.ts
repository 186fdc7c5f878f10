/** The store on a real etcd whose quota is used up. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import type { JobsetId } from '../../src/shared/domain/check.ts';
import { SHORTEST_TTL_MS, startEtcd } from '../support/etcd.ts';
import { failureOf, open, PATIENT, put } from '../support/etcd-store.ts';
import { join, KEYS, publish } from './claim-race.ts';
import { describeFullStore, FULL_QUOTA_BYTES } from './full-store.contract.ts';

/** How large it is etcd sees after so many writes, or a tenth of a second, in which much may be written. */
const WRITES_A_BATCH = 5;
const etcd = await startEtcd({
  flags: [
    ...['--quota-backend-bytes', `${FULL_QUOTA_BYTES}`],
    ...['--backend-batch-limit', `${WRITES_A_BATCH}`],
  ],
});
afterAll(() => etcd?.[Symbol.asyncDispose]());

let stores = 0;

describe.skipIf(etcd === null)('with etcd', { timeout: 20_000 }, () => {
  describeFullStore('in etcd', async () => {
    if (etcd === null) throw new Error('no etcd');
    stores += 1;
    const prefix = `/test/${stores}/`;
    const store = await open(etcd.endpoints, PATIENT);
    return {
      store,
      prefix,
      ttlMs: SHORTEST_TTL_MS,
      pass: (ms: number) => sleep(ms),
      compact: () => etcd.compact(),
      makeRoom: async () => {
        for (const { key } of (await store.snapshot(prefix)).entries)
          await store.commit([], [{ kind: 'delete', key }]);
        await etcd.makeRoom();
      },
    };
  });

  it('may have written what it refuses at that moment: a claim is read back', async () => {
    if (etcd === null) throw new Error('no etcd');
    await using store = await open(etcd.endpoints, PATIENT);
    const jobsets = Array.from({ length: 60 }, (_, i) => `jobset-${i}` as JobsetId);
    for (const id of jobsets) await publish(store, id);
    const { ledger, registration } = await join(store, 0);
    const published = await store.snapshot(KEYS.jobsets);
    const filled: Promise<unknown>[] = [];
    const claims = jobsets.map(async (id, i) => {
      const { modRevision = 0 } =
        published.entries.find(({ key }) => key === KEYS.jobset(id)) ?? {};
      filled.push(failureOf(store.commit([], [put(`/filler/${i}`, 'x'.repeat(1e6))])));
      const seen = { revision: modRevision, ownRevision: 0, owner: null, at: 0 };
      const outcome = await ledger.claim(id, seen, registration).catch(() => null);
      return outcome?.claimed ? [id] : [];
    });
    const believed = (await Promise.all(claims)).flat();
    const refusals = (await Promise.all(filled)).filter((error) => error !== 'no failure');
    expect(refusals.length).toBeGreaterThan(0);
    const { entries } = await store.snapshot(KEYS.owners);
    expect(entries.map(({ key }) => KEYS.ownedJobsetOf(key)).sort()).toEqual(believed.sort());
  });
});
