/** The store on an etcd that knows users: passwords, roles, and tokens that end. */

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { base64, type EtcdMember } from '../support/etcd.ts';
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

const KEY = '/users/key';
const ROOT = { name: 'root', password: 'r' };
const AS_WATCHER = { ...PATIENT, auth: { username: 'watcher', password: 'w' }, readableKey: KEY };
const ROLE = { user: 'watcher', role: 'pool' };
const refused = outage(false, 'refuses this user');

/** From then on only root may do everything, and `watcher` what lies under /users/. */
const addUsers = async (member: EtcdMember): Promise<void> => {
  await member.post('auth/user/add', ROOT);
  await member.post('auth/user/grant', { user: 'root', role: 'root' });
  await member.post('auth/user/add', { name: 'watcher', password: 'w' });
  await member.post('auth/role/add', { name: 'pool' });
  const perm = { permType: 2, key: base64('/users/'), range_end: base64('/users0') };
  await member.post('auth/role/grant', { name: 'pool', perm });
  await member.post('auth/user/grant', ROLE);
  await member.post('auth/enable', {});
};
const asRoot = async (member: EtcdMember, call: string, body: unknown): Promise<void> => {
  const { token } = await member.post('auth/authenticate', ROOT);
  await member.post(call, body, String(token));
};

/** Passwords that are checked with less work. */
const CHEAP = ['--bcrypt-cost', '4'];
/** Tokens that end by themselves: the simple ones are prolonged by each use. */
const endingTokens = (folder: string, ttl: string): string[] => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [pub, priv] = [path.join(folder, 'pub.pem'), path.join(folder, 'priv.pem')];
  writeFileSync(pub, publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(priv, privateKey.export({ type: 'pkcs1', format: 'pem' }));
  const token = `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=${ttl}`;
  return [...CHEAP, '--auth-token', token];
};

describe.skipIf(!hasEtcd)(
  'the store in etcd, where users are told apart',
  { timeout: 60_000 },
  () => {
    it('takes a user and a password, and says what is wrong with others', async () => {
      await using etcd = await start({ flags: CHEAP });
      const { endpoints, members } = etcd;
      expect(await failureOf(open(endpoints, AS_WATCHER))).toEqual(refused);
      await addUsers(members[0]);
      const wrong = { username: 'watcher', password: 'other' };
      expect(await failureOf(open(endpoints, { ...AS_WATCHER, auth: wrong }))).toEqual(refused);
      expect(await failureOf(open(endpoints, { ...PATIENT, readableKey: KEY }))).toEqual(refused);
      await using store = await open(endpoints, AS_WATCHER);
      expect((await store.commit([], [put(KEY)])).succeeded).toBe(true);
    });

    it('names the key that it may not touch, and goes on with others', async () => {
      await using etcd = await start({ flags: CHEAP });
      await addUsers(etcd.members[0]);
      await using store = await open(etcd.endpoints, AS_WATCHER);
      const { told } = follow(store, KEY, { after: 1 });
      const named = outage(false, '/other');
      expect(await failureOf(store.commit([], [put('/other')]))).toEqual(named);
      expect(await failureOf(store.snapshot('/other'))).toEqual(named);
      const elsewhere = store.watch('/other/', 0, new AbortController().signal);
      expect(await failureOf(elsewhere[Symbol.asyncIterator]().next())).toEqual(named);
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      expect(told).toEqual(['1']);
    });

    it('keeps its lease while all is refused, and goes on when that is over', async () => {
      await using etcd = await start({ flags: CHEAP });
      const [member] = etcd.members;
      await addUsers(member);
      await using store = await open(etcd.endpoints, AS_WATCHER);
      const lease = await store.lease(20_000);
      await store.commit([], [{ ...put(KEY, '1'), lease: lease.id }]);
      await asRoot(member, 'auth/user/revoke', { name: ROLE.user, role: ROLE.role });
      expect(await failureOf(store.commit([], [put(KEY, '2')]))).toMatchObject({
        code: 'WCH_STORE_UNAVAILABLE',
      });
      expect(await failureOf(store.snapshot(KEY))).toEqual(outage(false, KEY));
      await lease.renew();
      await asRoot(member, 'auth/user/grant', ROLE);
      while ((await failureOf(store.commit([], []))) !== 'no failure') await sleep(20);
      expect((await store.snapshot(KEY)).entries[0]?.lease).toBe(lease.id);
    });

    it('asks for new tokens when none of before counts', async () => {
      await using etcd = await start({ flags: CHEAP });
      const [member] = etcd.members;
      await addUsers(member);
      await using network = await FaultProxy.start(member.port);
      await using store = await open([network.endpoint], AS_WATCHER);
      const lease = await store.lease(20_000);
      const { told } = follow(store, KEY, { after: 1 });
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      await asRoot(member, 'auth/disable', {});
      await member.post('auth/enable', {});
      network.cut();
      while ((await failureOf(store.commit([], [put(KEY, '2')]))) !== 'no failure') await sleep(50);
      while (told.length < 2) await sleep(10);
      expect(told).toEqual(['1', '2']);
      await lease.renew();
    });

    it('goes on when its token has ended: calls, the lease and the watch', async () => {
      await using folder = await mkdtempDisposable(path.join(tmpdir(), 'etcd-jwt-'));
      await using etcd = await start({ flags: endingTokens(folder.path, '2s') });
      const [member] = etcd.members;
      await addUsers(member);
      await using network = await FaultProxy.start(member.port);
      await using store = await open([network.endpoint], AS_WATCHER);
      const lease = await store.lease(20_000);
      const { told } = follow(store, KEY, { after: 1 });
      await store.commit([], [put(KEY, '1')]);
      while (told.length < 1) await sleep(10);
      await sleep(3000);
      network.cut();
      const endedAt = performance.now();
      await lease.renew().catch(() => lease.renew());
      await store.commit([], [put(KEY, '2')]).catch(() => store.commit([], [put(KEY, '2')]));
      while (!told.includes('2')) await sleep(10);
      expect(performance.now() - endedAt).toBeLessThan(4000);
    });
  },
);
