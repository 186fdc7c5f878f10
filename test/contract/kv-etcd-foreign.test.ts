/** The store when another etcd cluster answers at the address of its own. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import {
  failureOf,
  follow,
  hasEtcd,
  open,
  outage,
  PATIENT,
  put,
  start,
} from '../support/etcd-store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const KEY = '/foreign/key';
const refused = outage(true, 'another etcd cluster');

it.skipIf(!hasEtcd)(
  'refuses another cluster, keeps what it has of its own, and goes on when that is back',
  { timeout: 60_000 },
  async () => {
    await using ours = await start();
    await using theirs = await start();
    await using network = await FaultProxy.start(ours.members[0].port);
    await using store = await open([network.endpoint], PATIENT);
    await using direct = await open(ours.endpoints, PATIENT);
    await using stranger = await open(theirs.endpoints, PATIENT);
    // What a watch would tell that took theirs for ours.
    for (let i = 0; i < 50; i += 1) await stranger.commit([], [put(KEY, 'theirs')]);
    const lease = await store.lease(20_000);
    await store.commit([], [{ ...put(KEY, '1'), lease: lease.id }]);
    const { revision } = await store.snapshot(KEY);
    const { told } = follow(store, KEY, { after: revision });
    await store.commit([], [put(`${KEY}/2`, '2')]);
    while (told.length < 1) await sleep(10);

    network.target = theirs.members[0].port;
    network.cut();
    // What was under way when the connection broke.
    await failureOf(store.snapshot(KEY));
    expect(await failureOf(store.snapshot(KEY))).toEqual(refused);
    expect(await failureOf(lease.renew())).toEqual(refused);
    expect(await failureOf(store.lease(5000))).toEqual(refused);
    const underLease = { ...put(KEY, 'none'), lease: lease.id };
    expect(await failureOf(store.commit([], [underLease]))).toEqual(refused);
    expect((await store.health()).members).toEqual([{ endpoint: network.endpoint, answer: null }]);
    await direct.commit([], [put(`${KEY}/3`, '3')]);
    await sleep(2500);
    expect(told).toEqual(['2']);

    network.target = ours.members[0].port;
    network.cut();
    while (told.length < 2) await sleep(10);
    expect(told).toEqual(['2', '3']);
    expect((await lease.renew()).ttlMs).toBe(20_000);
    expect((await store.snapshot(KEY)).entries[0]?.lease).toBe(lease.id);
  },
);

it.skipIf(!hasEtcd)(
  'asks the members of its own when one is of another cluster',
  { timeout: 60_000 },
  async () => {
    await using ours = await start();
    await using theirs = await start();
    await using store = await open([...ours.endpoints, ...theirs.endpoints], PATIENT);
    await ours.members[0].kill();
    expect(await failureOf(store.snapshot(KEY))).toEqual(refused);
    await ours.members[0].start();
    while ((await failureOf(store.snapshot(KEY))) !== 'no failure') await sleep(20);
    for (let i = 0; i < 10; i += 1) await store.commit([], [put(KEY)]);
  },
);
