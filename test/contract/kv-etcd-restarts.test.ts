/** The store on one etcd that dies and comes back: with its data, with older ones, with none, or as another. */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { base64 } from '../support/etcd.ts';
import { failureOf, follow, hasEtcd, open, outage, put, start } from '../support/etcd-store.ts';
import { outputOf } from '../support/processes.ts';

const KEY = '/servers/key';

describe.skipIf(!hasEtcd)(
  'the store in etcd, over one member that comes and goes',
  { timeout: 60_000 },
  () => {
    it('goes on after a restart: a watch loses and repeats nothing, a lease lives on', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      await using store = await open(etcd.endpoints);
      const { revision } = await store.snapshot(KEY);
      const stop = new AbortController();
      const { told, done } = follow(store, KEY, { after: revision, signal: stop.signal });
      const lease = await store.lease(20_000);
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      await member.kill();
      expect(await failureOf(store.commit([], [put(KEY, 'never')]))).toEqual(outage(true));
      await member.start();
      // Written before the watch is back.
      await member.post('kv/put', { key: base64(KEY), value: base64('2') });
      while ((await failureOf(store.commit([], [put(KEY, '3')]))) !== 'no failure') await sleep(20);
      while (told.length < 3) await sleep(10);
      await sleep(300);
      stop.abort();
      await done;
      expect(told).toEqual(['1', '2', '3']);
      expect((await lease.renew()).ttlMs).toBe(20_000);
    });

    it('says that etcd went back when it was wiped, ends what was before, and goes on', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      await using store = await open(etcd.endpoints);
      // Without a watch that might notice before its calls do.
      await using other = await open(etcd.endpoints);
      const lease = await store.lease(20_000);
      for (let i = 0; i < 50; i += 1) await store.commit([], [put(`${KEY}${i}`, 'x')]);
      const { revision } = await other.snapshot(KEY);
      const { told, done } = follow(store, KEY, { after: revision });
      await sleep(100);
      await member.kill();
      await member.start('wiped');
      const errors: unknown[] = [];
      for (let error = await failureOf(other.snapshot(KEY)); error !== 'no failure'; ) {
        errors.push(error);
        error = await failureOf(other.snapshot(KEY));
      }
      expect(errors.at(-1)).toEqual(outage(true, `etcd went back from revision ${revision} to 1`));
      await done;
      expect(told).toEqual(['gap']);
      expect(await failureOf(lease.renew())).toMatchObject({ code: 'WCH_LEASE_LOST' });
      expect((await other.commit([], [put(KEY, 'new')])).succeeded).toBe(true);
    });

    it('takes a lease for lost that an older etcd still knows', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      await using store = await open(etcd.endpoints);
      const lease = await store.lease(60_000);
      await member.kill();
      const backup = await member.backup();
      await member.start();
      for (let i = 0; i < 5; )
        if ((await failureOf(store.commit([], [put(KEY, 'x')]))) === 'no failure') i += 1;
      await member.kill();
      await member.start(backup);
      while ((await failureOf(store.commit([], []))) !== 'no failure') await sleep(10);
      const leases = (await member.post('lease/leases', {}))['leases'];
      expect(leases).toEqual([{ ID: lease.id }]);
      expect(await failureOf(lease.renew())).toMatchObject({ code: 'WCH_LEASE_LOST' });
    });

    it('ends a watch that nobody else speaks for when etcd was wiped', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      await using store = await open(etcd.endpoints);
      for (let i = 0; i < 5; i += 1) await store.commit([], [put(KEY, 'x')]);
      const { revision } = await store.snapshot(KEY);
      const { told, done } = follow(store, KEY, { after: revision });
      await sleep(100);
      await member.kill();
      await member.start('wiped');
      await done;
      expect(told).toEqual(['gap']);
    });

    it('lets the process end once it is disposed of', async () => {
      await using etcd = await start();
      const program = path.join(import.meta.dirname, '../../src/shared/coordination/kv-etcd.ts');
      const runtime = path.join(import.meta.dirname, '../../src/shared/runtime');
      const script = `
      const { openEtcdStore } = await import('${program}');
      const { systemClock: clock } = await import('${runtime}/clock.ts');
      const { systemRandom: random } = await import('${runtime}/random.ts');
      const store = await openEtcdStore({ endpoints: ['${etcd.endpoints[0]}', 'http://127.0.0.1:9'], clock, random });
      await (await store.lease(2000)).renew();
      const reading = (async () => { for await (const event of store.watch('/', 0, new AbortController().signal)); })();
      await store.commit([], [{ kind: 'put', key: '/a', value: Buffer.alloc(1) }]);
      await store[Symbol.asyncDispose]();
      await reading;`;
      const startedAt = performance.now();
      await outputOf([process.execPath, '--input-type=module', '-e', script]);
      expect(performance.now() - startedAt).toBeLessThan(4000);
    });

    it('says at once when nobody listens', async () => {
      const startedAt = performance.now();
      expect(await failureOf(open(['http://127.0.0.1:9', 'http://127.0.0.1:10']))).toEqual(
        outage(true),
      );
      expect(performance.now() - startedAt).toBeLessThan(900);
      expect(await failureOf(open([]))).toMatchObject({ code: 'WCH_SETTINGS' });
    });
  },
);
