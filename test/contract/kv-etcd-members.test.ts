/** The store on three etcd members, of which some die or lose each other. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { KeyValueStore } from '../../src/shared/coordination/kv.ts';
import { failureOf, follow, hasEtcd, open, outage, put, start } from '../support/etcd-store.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const KEY = '/servers/key';

/** Puts one value after the other, and collects those that were acknowledged and those that were not. */
const writeUntil = async (store: KeyValueStore, signal: AbortSignal) => {
  const [done, failed]: [string[], string[]] = [[], []];
  let longestGapMs = 0;
  for (let [i, lastAt] = [0, performance.now()]; !signal.aborted; i += 1) {
    const isDone = await store.commit([], [put(KEY, `${i}`)]).then(
      () => true,
      (error: unknown) => {
        expect(error).toEqual(outage(true));
        return false;
      },
    );
    (isDone ? done : failed).push(`${i}`);
    if (isDone) {
      longestGapMs = Math.max(longestGapMs, performance.now() - lastAt);
      lastAt = performance.now();
    }
    await sleep(isDone ? 5 : 50);
  }
  return { done, failed, longestGapMs };
};

describe.skipIf(!hasEtcd)('the store in etcd, over three members', { timeout: 60_000 }, () => {
  it('loses no acknowledged write and no change when a member is killed under load', async () => {
    await using etcd = await start({ members: 3 });
    await using store = await open(etcd.endpoints);
    const { revision } = await store.snapshot(KEY);
    const [load, watch] = [new AbortController(), new AbortController()];
    const { told, done: watched } = follow(store, KEY, { after: revision, signal: watch.signal });
    const writing = writeUntil(store, load.signal);
    await sleep(500);
    await etcd.members[0].kill();
    await sleep(4000);
    load.abort();
    const { done, failed, longestGapMs } = await writing;
    expect(longestGapMs).toBeLessThan(5000);
    for (let i = 0; i < 100 && told.at(-1) !== done.at(-1); i += 1) await sleep(50);
    watch.abort();
    await watched;
    // In order, each once; of those whose outcome was unknown, some.
    const isKnown = new Set(done);
    expect(told.filter((value) => isKnown.has(value))).toEqual(done);
    expect(told.filter((value) => !isKnown.has(value) && !failed.includes(value))).toEqual([]);
    expect(told.length).toBe(new Set(told).size);
  });

  it('leaves a member that has lost the others, though it still talks', async () => {
    await using etcd = await start({ members: 3 });
    const [first, second, third] = etcd.members;
    await using detour = await FaultProxy.start(second?.port ?? 0);
    await using store = await open([first.endpoint, detour.endpoint]);
    const { done } = follow(store, KEY, { after: 1 });
    await sleep(200);
    await Promise.all([second?.kill(), third?.kill()]);
    // Only the watch can be what knocks there: no call is made.
    for (let i = 0; i < 100 && detour.accepted === 0; i += 1) await sleep(100);
    expect(detour.accepted).toBeGreaterThan(0);
    await store[Symbol.asyncDispose]();
    await done;
  });

  it('does not take a member that has lost the others for one that answers', async () => {
    await using etcd = await start({ members: 3 });
    const [first, second, third] = etcd.members;
    await using store = await open([first.endpoint]);
    const { revision } = await store.snapshot(KEY);
    const stop = new AbortController();
    const { told, done } = follow(store, KEY, { after: revision, signal: stop.signal });
    await store.commit([], [put(KEY, 'before')]);
    await Promise.all([second?.kill(), third?.kill()]);
    expect(await failureOf(store.commit([], [put(KEY, 'lost')]))).toEqual(outage(true));
    expect(await failureOf(store.snapshot(KEY))).toEqual(outage(true));
    await Promise.all([second?.start(), third?.start()]);
    while ((await failureOf(store.commit([], [put(KEY, 'after')]))) !== 'no failure')
      await sleep(50);
    for (let i = 0; i < 100 && told.at(-1) !== 'after'; i += 1) await sleep(50);
    stop.abort();
    await done;
    expect([told.at(0), told.at(-1)]).toEqual(['before', 'after']);
  });
});
