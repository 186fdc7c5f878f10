/** The store on etcd servers that die, come back, come back empty, are full, or refuse. */

import { writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { KeyValueStore, WatchEvent } from '../../src/shared/coordination/kv.ts';
import { type EtcdStoreOptions, openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { makeCertificate } from '../support/certificates.ts';
import { programOf } from '../support/debian-packages.ts';
import {
  base64,
  type Etcd,
  type EtcdOptions,
  SHORTEST_TTL_MS,
  startEtcd,
} from '../support/etcd.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { outputOf } from '../support/processes.ts';

const hasEtcd = (await programOf('etcd')) !== null;
const KEY = '/servers/key';
const put = (value: string, key = KEY) =>
  ({ kind: 'put', key, value: Buffer.from(value) }) as const;
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
const outage = (retryable: boolean, message = '') =>
  expect.objectContaining({
    code: 'WCH_STORE_UNAVAILABLE',
    retryable,
    message: expect.stringContaining(message),
  });

const start = async (options?: EtcdOptions): Promise<Etcd> => {
  const etcd = await startEtcd(options);
  if (etcd === null) throw new Error('no etcd');
  return etcd;
};
const open = (
  endpoints: readonly string[],
  options: Partial<EtcdStoreOptions> = {},
): Promise<KeyValueStore> =>
  openEtcdStore({ endpoints, clock: systemClock, random: systemRandom, ...options });

/** Puts one value after the other, and collects those that were acknowledged and those that were not. */
const writeUntil = async (store: KeyValueStore, signal: AbortSignal) => {
  const [done, failed]: [string[], string[]] = [[], []];
  let longestGapMs = 0;
  for (let [i, lastAt] = [0, performance.now()]; !signal.aborted; i += 1) {
    const isDone = await store.commit([], [put(`${i}`)]).then(
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

const follow = (store: KeyValueStore, after: number, signal: AbortSignal) => {
  const told: string[] = [];
  const tell = (event: WatchEvent) => {
    if (event.kind === 'gap') told.push('gap');
    else
      for (const change of event.changes)
        told.push(change.kind === 'put' ? String(change.entry.value) : 'deleted');
  };
  const done = (async () => {
    for await (const event of store.watch(KEY, after, signal)) tell(event);
  })();
  return { told, done };
};

describe.skipIf(!hasEtcd)('the store in etcd, over three members', { timeout: 60_000 }, () => {
  it('loses no acknowledged write and no change when a member is killed under load', async () => {
    await using etcd = await start({ members: 3 });
    await using store = await open(etcd.endpoints, { random: { ...systemRandom, next: () => 0 } });
    const { revision } = await store.snapshot(KEY);
    const [load, watch] = [new AbortController(), new AbortController()];
    const { told, done: watched } = follow(store, revision, watch.signal);
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
    await using store = await open([first.endpoint, detour.endpoint], {
      random: { ...systemRandom, next: () => 0 },
    });
    const { done } = follow(store, 1, new AbortController().signal);
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
    const { told, done } = follow(store, revision, stop.signal);
    await store.commit([], [put('before')]);
    await Promise.all([second?.kill(), third?.kill()]);
    expect(await failureOf(store.commit([], [put('lost')]))).toEqual(outage(true));
    expect(await failureOf(store.snapshot(KEY))).toEqual(outage(true));
    await Promise.all([second?.start(), third?.start()]);
    while ((await failureOf(store.commit([], [put('after')]))) !== 'no failure') await sleep(50);
    for (let i = 0; i < 100 && told.at(-1) !== 'after'; i += 1) await sleep(50);
    stop.abort();
    await done;
    expect([told.at(0), told.at(-1)]).toEqual(['before', 'after']);
  });
});

describe.skipIf(!hasEtcd)('the store in etcd, over one member', { timeout: 60_000 }, () => {
  it('goes on after a restart: a watch loses and repeats nothing, a lease lives on', async () => {
    await using etcd = await start();
    const [member] = etcd.members;
    await using store = await open(etcd.endpoints);
    const { revision } = await store.snapshot(KEY);
    const stop = new AbortController();
    const { told, done } = follow(store, revision, stop.signal);
    const lease = await store.lease(20_000);
    await store.commit([], [put('1')]);
    while (told.length < 1) await sleep(10);
    await member.kill();
    expect(await failureOf(store.commit([], [put('never')]))).toEqual(outage(true));
    await member.start();
    // Written before the watch is back.
    await member.post('kv/put', { key: base64(KEY), value: base64('2') });
    while ((await failureOf(store.commit([], [put('3')]))) !== 'no failure') await sleep(20);
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
    const lease = await store.lease(20_000);
    for (let i = 0; i < 50; i += 1) await store.commit([], [put('x', `${KEY}${i}`)]);
    const { revision } = await store.snapshot(KEY);
    const { told, done } = follow(store, revision, new AbortController().signal);
    await sleep(100);
    await member.kill();
    await member.start('wiped');
    const errors: unknown[] = [];
    for (let error = await failureOf(store.snapshot(KEY)); error !== 'no failure'; ) {
      errors.push(error);
      error = await failureOf(store.snapshot(KEY));
    }
    expect(errors.at(-1)).toEqual(outage(true, `etcd went back from revision ${revision} to 1`));
    await done;
    expect(told).toEqual(['gap']);
    expect(await failureOf(lease.renew())).toMatchObject({ code: 'WCH_LEASE_LOST' });
    expect((await store.commit([], [put('new')])).succeeded).toBe(true);
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
      if ((await failureOf(store.commit([], [put('x')]))) === 'no failure') i += 1;
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
    for (let i = 0; i < 5; i += 1) await store.commit([], [put('x')]);
    const { revision } = await store.snapshot(KEY);
    const { told, done } = follow(store, revision, new AbortController().signal);
    await sleep(100);
    await member.kill();
    await member.start('wiped');
    await done;
    expect(told).toEqual(['gap']);
  });

  it('lists more keys than one answer holds, all at one revision', async () => {
    await using etcd = await start();
    await using store = await open(etcd.endpoints);
    const keys = Array.from({ length: 2500 }, (_, i) => `${KEY}/${String(i).padStart(4, '0')}`);
    for (let at = 0; at < keys.length; at += 100)
      await store.commit(
        [],
        keys.slice(at, at + 100).map((key) => put('old', key)),
      );
    // Each commit writes the first key and one near the end: a listing that mixes revisions shows.
    const write = (i: number) =>
      store.commit([], [put('new', keys[i] ?? ''), put('new', keys[0] ?? '')]);
    await write(2499);
    const stop = new AbortController();
    const writing = (async () => {
      for (let i = 2498; !stop.signal.aborted && i > 0; i -= 1) await write(i);
    })();
    for (let i = 0; i < 5; i += 1) {
      const { entries, revision } = await store.snapshot(`${KEY}/`);
      expect(entries.map(({ key }) => key)).toEqual(keys);
      expect(entries[0]?.modRevision).toBe(revision);
      expect(Math.max(...entries.map(({ modRevision }) => modRevision))).toBe(revision);
    }
    stop.abort();
    await writing;
    const { changed, total } = await store.changes(`${KEY}/`, 0);
    expect([changed.length, total]).toEqual([2500, 2500]);
  });

  it('lists values that are longer together than one answer may be', async () => {
    await using etcd = await start();
    await using store = await open(etcd.endpoints);
    const long = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 70; i += 1) await store.commit([], [put(long, `${KEY}/${i}`)]);
    const { entries } = await store.snapshot(`${KEY}/`);
    expect(entries.length).toBe(70);
  });

  it('says that the quota is used up, and still reads, renews and revokes', async () => {
    await using etcd = await start({ flags: ['--quota-backend-bytes', '4194304'] });
    await using store = await open(etcd.endpoints);
    const lease = await store.lease(20_000);
    const long = 'x'.repeat(512 * 1024);
    let error: unknown = 'no failure';
    for (let i = 0; i < 20 && error === 'no failure'; i += 1)
      error = await failureOf(store.commit([], [put(long, `${KEY}/${i}`)]));
    expect(error).toEqual(outage(false, 'quota'));
    expect((await store.snapshot(`${KEY}/`)).entries.length).toBeGreaterThan(0);
    expect((await store.commit([], [{ kind: 'get', key: KEY }])).succeeded).toBe(true);
    await lease.renew();
    await lease.revoke();
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
});

describe.skipIf(!hasEtcd)(
  'the store in etcd, where not everybody is let in',
  { timeout: 60_000 },
  () => {
    it('takes a user and a password, and says what is wrong with others', async () => {
      await using etcd = await start();
      const [member] = etcd.members;
      expect(
        await failureOf(open(etcd.endpoints, { auth: { username: 'u', password: 'p' } })),
      ).toEqual(outage(false, 'refuses this user'));
      await member.post('auth/user/add', { name: 'root', password: 'r' });
      await member.post('auth/user/grant', { user: 'root', role: 'root' });
      await member.post('auth/user/add', { name: 'watcher', password: 'w' });
      await member.post('auth/role/add', { name: 'pool' });
      const perm = { permType: 2, key: base64('/servers/'), range_end: base64('/servers0') };
      await member.post('auth/role/grant', { name: 'pool', perm });
      await member.post('auth/user/grant', { user: 'watcher', role: 'pool' });
      await member.post('auth/enable', {});

      const auth = { username: 'watcher', password: 'w' };
      const readableKey = KEY;
      const wrong = { ...auth, password: 'other' };
      expect(await failureOf(open(etcd.endpoints, { auth: wrong, readableKey }))).toEqual(
        outage(false, 'refuses this user'),
      );
      expect(await failureOf(open(etcd.endpoints, { readableKey }))).toEqual(
        outage(false, 'refuses this user'),
      );
      await using network = await FaultProxy.start(member.port);
      await using store = await open([network.endpoint], { auth, readableKey });
      expect(await failureOf(store.commit([], [put('1', '/other')]))).toEqual(
        outage(false, 'refuses this user'),
      );
      const elsewhere = store.watch('/other/', 0, new AbortController().signal);
      expect(await failureOf(elsewhere[Symbol.asyncIterator]().next())).toEqual(
        outage(false, 'refuses this user'),
      );

      const { revision } = await store.snapshot(KEY);
      const stop = new AbortController();
      const { told, done } = follow(store, revision, stop.signal);
      await store.commit([], [put('1')]);
      await (await store.lease(SHORTEST_TTL_MS)).renew();
      // From here on no token of before counts; calls and watches must ask for new ones.
      const { token } = await member.post('auth/authenticate', { name: 'root', password: 'r' });
      await member.post('auth/disable', {}, String(token));
      await member.post('auth/enable', {});
      network.cut();
      while ((await failureOf(store.commit([], [put('2')]))) !== 'no failure') await sleep(50);
      for (let i = 0; i < 100 && told.length < 2; i += 1) await sleep(50);
      stop.abort();
      await done;
      expect(told).toEqual(['1', '2']);
      await (await store.lease(SHORTEST_TTL_MS)).renew();
    });

    it('talks TLS with certificates on both sides, and says what is wrong with others', async () => {
      await using folder = await mkdtempDisposable(path.join(tmpdir(), 'etcd-tls-'));
      const file = (name: string, content: string): string => {
        const place = path.join(folder.path, name);
        writeFileSync(place, content);
        return place;
      };
      const authority = makeCertificate({ isAuthority: true, name: 'etcd CA' });
      const issued = makeCertificate({ issuer: authority, name: 'watcher' });
      const caFile = file('ca.pem', authority.cert);
      const certFile = file('cert.pem', issued.cert);
      const keyFile = file('key.pem', issued.key);
      await using etcd = await start({ tls: { cert: certFile, key: keyFile, clientCa: caFile } });
      const endpoints = etcd.endpoints.map((endpoint) =>
        endpoint.replace('127.0.0.1', 'localhost'),
      );

      const tls = { caFile, certFile, keyFile };
      await using store = await open(endpoints, { tls });
      expect((await store.commit([], [put('1')])).succeeded).toBe(true);
      const otherCa = file('other.pem', makeCertificate({ isAuthority: true }).cert);
      expect(await failureOf(open(endpoints, { tls: { ...tls, caFile: otherCa } }))).toEqual(
        outage(false, 'TLS failed'),
      );
      expect(await failureOf(open(endpoints, { tls: { caFile } }))).toEqual(
        outage(false, 'TLS failed'),
      );
      const missing = path.join(folder.path, 'missing.pem');
      expect(await failureOf(open(endpoints, { tls: { caFile: missing } }))).toMatchObject({
        code: 'WCH_SETTINGS',
        message: expect.stringContaining(missing),
      });
    });

    it('says at once when nobody listens', async () => {
      const startedAt = performance.now();
      expect(await failureOf(open(['http://127.0.0.1:9', 'http://127.0.0.1:10']))).toEqual(
        outage(true),
      );
      expect(performance.now() - startedAt).toBeLessThan(500);
      expect(await failureOf(open([]))).toMatchObject({ code: 'WCH_SETTINGS' });
    });
  },
);
