/** The store on a real etcd behind a network that breaks: each test is a guard that only etcd shows. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeyValueStore, WatchEvent } from '../../src/shared/coordination/kv.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { SHORTEST_TTL_MS, startEtcd } from '../support/etcd.ts';
import { FaultProxy } from '../support/fault-proxy.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
const outage = (retryable: boolean) =>
  expect.objectContaining({ code: 'WCH_STORE_UNAVAILABLE', retryable });
const put = (key: string, value = '') => ({ kind: 'put', key, value: Buffer.from(value) }) as const;

describe.skipIf(etcd === null)(
  'the store in etcd, behind a bad network',
  { timeout: 30_000 },
  () => {
    let good: FaultProxy;
    let bad: FaultProxy;
    let store: KeyValueStore;
    let prefix = '';
    let tests = 0;

    /** Asks `bad` first. */
    const open = (...proxies: FaultProxy[]): Promise<KeyValueStore> =>
      openEtcdStore({
        endpoints: proxies.map(({ endpoint }) => endpoint),
        clock: systemClock,
        random: { ...systemRandom, next: () => 0 },
      });

    /** Puts until it succeeds; the number of failures before. */
    const putUntilDone = async (key: string): Promise<number> => {
      for (let failures = 0; ; failures += 1) {
        const error = await failureOf(store.commit([], [put(key)]));
        if (error === 'no failure') return failures;
        expect(error).toEqual(outage(true));
        await sleep(20);
      }
    };

    const reader = (after: number, signal: AbortSignal) => {
      const events: WatchEvent[] = [];
      const keys = (): string[] =>
        events.flatMap((event) =>
          event.kind === 'gap'
            ? ['gap']
            : event.changes.map((change) => (change.kind === 'put' ? change.entry.key : '-')),
        );
      const done = (async () => {
        for await (const event of store.watch(prefix, after, signal)) events.push(event);
      })();
      return { keys, done };
    };

    beforeEach(async () => {
      if (etcd === null) throw new Error('no etcd');
      tests += 1;
      prefix = `/faults/${tests}/`;
      good = await FaultProxy.start(etcd.members[0].port);
      bad = await FaultProxy.start(etcd.members[0].port);
      store = await open(bad, good);
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await good[Symbol.asyncDispose]();
      await bad[Symbol.asyncDispose]();
    });

    it('does not send a commit again whose answer was lost', async () => {
      const before = (await store.snapshot(prefix)).revision;
      bad.mode = 'mute';
      const absent = { key: `${prefix}a`, modRevision: 0 };
      const commit = failureOf(store.commit([absent], [put(absent.key)]));
      await sleep(300);
      bad.cut();
      expect(await commit).toEqual(outage(true));
      const { entries, revision } = await store.snapshot(prefix);
      expect({ entries: entries.length, revision }).toEqual({ entries: 1, revision: before + 1 });
    });

    it('does not send an unconditional commit again either, when it could', async () => {
      const before = (await store.snapshot(prefix)).revision;
      bad.mode = 'mute';
      const commit = failureOf(store.commit([], [put(`${prefix}a`)]));
      await sleep(300);
      bad.mode = 'pass';
      bad.cut();
      expect(await commit).toEqual(outage(true));
      expect((await store.snapshot(prefix)).revision).toBe(before + 1);
    });

    it('fails within the deadline when nobody answers, and asks the other member next', async () => {
      bad.mode = 'hole';
      const startedAt = performance.now();
      expect(await failureOf(store.commit([], [put(`${prefix}a`)]))).toEqual(outage(true));
      expect(performance.now() - startedAt).toBeLessThan(2500);
      expect((await store.commit([], [put(`${prefix}b`)])).succeeded).toBe(true);
    });

    it('reads from the other member at once when a connection breaks', async () => {
      bad.cut();
      await bad[Symbol.asyncDispose]();
      expect((await store.snapshot(prefix)).entries).toEqual([]);
      bad = await FaultProxy.start(good.accepted);
    });

    it('opens over the second member when the first never answers', async () => {
      bad.mode = 'hole';
      // On a busy machine both may take longer than one attempt allows; whoever opens a store tries again.
      await using other = await open(bad, good).catch(() => open(bad, good));
      expect((await other.snapshot(prefix)).entries).toEqual([]);
    });

    it('comes back to a member whose connections hung while they were made', async () => {
      await using only = await open(bad);
      bad.mode = 'hole';
      bad.cut();
      for (let i = 0; i < 3; i += 1)
        expect(await failureOf(only.commit([], []))).toEqual(outage(true));
      bad.mode = 'pass';
      const startedAt = performance.now();
      while ((await failureOf(only.commit([], []))) !== 'no failure') await sleep(20);
      expect(performance.now() - startedAt).toBeLessThan(3000);
    });

    it('tells each change once, in order, through any number of cuts', async () => {
      const { revision } = await store.snapshot(prefix);
      const keys = Array.from({ length: 2500 }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`);
      for (let at = 0; at < 2400; at += 1) await store.commit([], [put(keys[at] ?? '')]);
      const stop = new AbortController();
      const { keys: told, done } = reader(revision, stop.signal);
      for (let at = 2400; at < 2500; at += 1) {
        await putUntilDone(keys[at] ?? '');
        if (at % 10 === 0) {
          bad.cut();
          good.cut();
        }
      }
      for (let i = 0; i < 200 && told().at(-1) !== keys.at(-1); i += 1) await sleep(50);
      stop.abort();
      await done;
      // A put whose answer was lost was put again: that is two changes, and both are told.
      expect(told().filter((key, i) => key !== told()[i - 1])).toEqual(keys);
    });

    it('notices a watch that hangs, and goes on with the other member', async () => {
      const { revision } = await store.snapshot(prefix);
      const stop = new AbortController();
      const { keys: told, done } = reader(revision, stop.signal);
      await putUntilDone(`${prefix}a`);
      while (told().length < 1) await sleep(20);
      bad.mode = 'hole';
      await putUntilDone(`${prefix}b`);
      const startedAt = performance.now();
      while (told().at(-1) !== `${prefix}b`) await sleep(20);
      expect(performance.now() - startedAt).toBeLessThan(6500);
      stop.abort();
      await done;
      expect(new Set(told())).toEqual(new Set([`${prefix}a`, `${prefix}b`]));
    });

    it('begins a watch at the other member when the first does not confirm it', async () => {
      const { revision } = await store.snapshot(prefix);
      bad.mode = 'hole';
      const stop = new AbortController();
      const { keys: told, done } = reader(revision, stop.signal);
      await putUntilDone(`${prefix}a`);
      for (let i = 0; i < 400 && told().length === 0; i += 1) await sleep(20);
      stop.abort();
      await done;
      expect(told()).toEqual([`${prefix}a`]);
    });

    it('leaves a watch alone that has nothing to tell', async () => {
      const timing = { quietMs: 100, answerMs: 200 };
      await using only = await open(bad);
      await using quiet = await openEtcdStore({
        endpoints: [bad.endpoint],
        clock: systemClock,
        random: systemRandom,
        timing,
      });
      const { revision } = await quiet.snapshot(prefix);
      const watch = quiet.watch(prefix, revision, new AbortController().signal);
      const next = watch[Symbol.asyncIterator]().next();
      await sleep(500);
      const { accepted } = bad;
      await sleep(1500);
      expect(bad.accepted).toBe(accepted);
      await only.commit([], [put(`${prefix}a`)]);
      expect((await next).value?.kind).toBe('changes');
    });

    it('hands over whole revisions, though etcd sends them in pieces', async () => {
      const { revision } = await store.snapshot(prefix);
      const long = 'x'.repeat(12 * 1024);
      for (let i = 0; i < 6; i += 1)
        await store.commit(
          [],
          Array.from({ length: 100 }, (_, k) => put(`${prefix}${k}`, long)),
        );
      let told = 0;
      for await (const event of store.watch(prefix, revision, new AbortController().signal)) {
        if (event.kind === 'gap') throw new Error('a gap');
        expect(event.changes.length % 100).toBe(0);
        told += event.changes.length;
        if (told === 600) break;
      }
    });

    it('tells a watcher that has stopped reading of the gap when etcd has moved on', async () => {
      const { revision } = await store.snapshot(prefix);
      const watch = store.watch(prefix, revision, new AbortController().signal);
      const events = watch[Symbol.asyncIterator]();
      await store.commit([], [put(`${prefix}a`)]);
      expect((await events.next()).value?.kind).toBe('changes');
      // More than etcd keeps for a slow watcher (128 messages), the connection and the store hold.
      const long = 'x'.repeat(64 * 1024);
      for (let i = 0; i < 400; i += 1) await store.commit([], [put(`${prefix}big`, long)]);
      await etcd?.compact();
      const kinds: string[] = [];
      for (let next = await events.next(); !next.done; next = await events.next())
        kinds.push(next.value.kind);
      expect(kinds.at(-1)).toBe('gap');
    });

    it('counts a renewal from before it was sent', async () => {
      const lease = await store.lease(SHORTEST_TTL_MS);
      bad.delayMs = 200;
      const before = performance.now();
      const { sentAt } = await lease.renew();
      const tookMs = performance.now() - before;
      expect(tookMs).toBeGreaterThan(350);
      expect(sentAt - before).toBeLessThan(tookMs / 2);
      await lease.revoke();
    });

    it('notices after an outage that a lease has ended', async () => {
      await using only = await open(bad);
      const lease = await only.lease(SHORTEST_TTL_MS);
      bad.mode = 'hole';
      const failures: unknown[] = [];
      for (const until = Date.now() + SHORTEST_TTL_MS + 1500; Date.now() < until; ) {
        failures.push(await failureOf(lease.renew()));
        await sleep(100);
      }
      expect(failures).toEqual(failures.map(() => outage(true)));
      bad.mode = 'pass';
      let last: unknown = outage(true);
      for (let i = 0; i < 5; i += 1) {
        last = await failureOf(lease.renew());
        if (last instanceof WatcherError && last.code === 'WCH_LEASE_LOST') break;
      }
      expect(last).toMatchObject({ code: 'WCH_LEASE_LOST' });
    });

    it('ends everything when it is disposed of in the middle of a call', async () => {
      await store.snapshot(prefix);
      bad.mode = 'hole';
      bad.cut();
      await sleep(50);
      const call = failureOf(store.snapshot(prefix));
      const renewal = failureOf(store.lease(SHORTEST_TTL_MS));
      await sleep(50);
      const startedAt = performance.now();
      await store[Symbol.asyncDispose]();
      expect([await call, await renewal]).toEqual([outage(false), outage(false)]);
      expect(performance.now() - startedAt).toBeLessThan(700);
    });

    it('leaves no connection open when it is disposed of', async () => {
      const reading = store.watch(prefix, 0, new AbortController().signal)[Symbol.asyncIterator]();
      const next = reading.next();
      await sleep(200);
      expect(bad.connections).toBeGreaterThan(0);
      await store[Symbol.asyncDispose]();
      await next;
      for (let i = 0; i < 100 && bad.connections > 0; i += 1) await sleep(20);
      expect(bad.connections).toBe(0);
    });
  },
);
