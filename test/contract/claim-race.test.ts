/** The ledger's claims on a real etcd, each claimant with connections of its own. */

import { describe, expect, it } from 'vitest';
import { hasEtcd, open, PATIENT, start } from '../support/etcd-store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { claimRace } from './claim-race.ts';

const CLAIMANTS = 20;

describe.skipIf(!hasEtcd)('twenty that claim one jobset', { timeout: 60_000 }, () => {
  it('leave it to one of them each time, and everybody knows', async () => {
    await using etcd = await start();
    await using all = new AsyncDisposableStack();
    const opening = Array.from({ length: CLAIMANTS }, () => open(etcd.endpoints, PATIENT));
    const stores = (await Promise.all(opening)).map((store) => all.use(store));
    const outcome = await claimRace({ stores, rounds: 20 });
    expect(outcome).toEqual({ decided: 20, undecided: 0, unknown: 0, violations: [] });
  });

  it('agree even when answers are lost on their way', async () => {
    await using etcd = await start();
    await using network = await FaultProxy.start(etcd.members[0].port);
    await using all = new AsyncDisposableStack();
    const opening = Array.from({ length: CLAIMANTS }, () => open([network.endpoint], PATIENT));
    const stores = (await Promise.all(opening)).map((store) => all.use(store));
    // Each claim arrives; no answer does until the connections are cut.
    const disturb = () => {
      network.mode = 'mute';
      setTimeout(() => {
        network.mode = 'pass';
        network.cut();
      }, 30);
    };
    const { decided, unknown, violations } = await claimRace({ stores, rounds: 10, disturb });
    expect(violations).toEqual([]);
    // By reading back alone.
    expect(decided).toBeGreaterThan(0);
    expect(unknown).toBeGreaterThan(10);
  });
});
