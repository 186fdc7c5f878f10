/** The connections of the store in etcd: how soon they are back, and what may disturb them. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { failureOf, follow, hasEtcd, open, outage, put, start } from '../support/etcd-store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const KEY = '/connections/key';

describe.skipIf(!hasEtcd)(
  'the connections of the store in etcd',
  { timeout: 60_000, concurrent: true },
  () => {
    it('are back within a second and a half of etcd, however long it was away', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      await using store = await open(etcd.endpoints);
      const { revision } = await store.snapshot(KEY);
      const { told } = follow(store, KEY, { after: revision });
      await member.kill();
      for (const until = Date.now() + 8000; Date.now() < until; await sleep(50))
        expect(await failureOf(store.commit([], []))).toEqual(outage(true));
      await member.start();
      const backAt = performance.now();
      while ((await failureOf(store.commit([], [put(KEY)]))) !== 'no failure') await sleep(20);
      expect(performance.now() - backAt).toBeLessThan(1500);
      while (told.length === 0) await sleep(20);
      expect(performance.now() - backAt).toBeLessThan(3000);
    });

    it('of watches stay when a call fails', async () => {
      await using etcd = await start();
      await using network = await FaultProxy.start(etcd.members[0].port);
      await using store = await open([network.endpoint]);
      const { revision } = await store.snapshot(KEY);
      const { told } = follow(store, KEY, { after: revision });
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      const { accepted } = network;
      // Too slow for a call, not for a watch.
      network.delayMs = 600;
      expect(await failureOf(store.commit([], [put(KEY, '2')]))).toEqual(outage(true));
      while (told.length < 2) await sleep(10);
      // A stream whose client was closed under it breaks at the next ping, every six seconds.
      await sleep(9000);
      expect(network.accepted).toBe(accepted);
    });

    it('are not closed by etcd for our pings, though nothing happens for half a minute', async () => {
      await using etcd = await start();
      await using network = await FaultProxy.start(etcd.members[0].port);
      // Pings are then the only traffic.
      await using store = await open([network.endpoint], { timing: { quietMs: 60_000 } });
      const { revision } = await store.snapshot(KEY);
      const { told } = follow(store, KEY, { after: revision });
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      const before = [network.accepted, network.connections];
      await sleep(32_000);
      expect([network.accepted, network.connections]).toEqual(before);
    });

    it('do not take a sign of life for a place: it may come before changes', async () => {
      await using etcd = await start();
      const timing = { quietMs: 1, answerMs: 5000 };
      await using store = await open(etcd.endpoints, { timing });
      const { revision } = await store.snapshot(KEY);
      const values = Array.from({ length: 50 }, (_, i) => `${i}`);
      for (const value of values) await store.commit([], [put(KEY, value)]);
      for (let i = 0; i < 5; i += 1) {
        const stop = new AbortController();
        const { told, done } = follow(store, KEY, { after: revision, signal: stop.signal });
        for (let tries = 0; told.length < 50 && tries < 100; tries += 1) await sleep(20);
        stop.abort();
        await done;
        expect(told).toEqual(values);
      }
    });
  },
);
