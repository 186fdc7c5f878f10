/** What every store must do when its room is used up, and afterwards. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Lease } from '../../src/shared/coordination/kv.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import type { StoreUnderTest } from './kv.contract.ts';

/** Its quota is FULL_QUOTA_BYTES. */
export interface FullStoreUnderTest extends StoreUnderTest {
  /** What an operator does about it. */
  makeRoom(): Promise<void>;
}

export const FULL_QUOTA_BYTES = 16 * 1024 * 1024;
const FULL = 'WCH_STORE_FULL';

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => (error instanceof WatcherError ? error.code : error),
  );

export const describeFullStore = (name: string, open: () => Promise<FullStoreUnderTest>): void => {
  describe(`the store ${name}, when it is full`, () => {
    let test: FullStoreUnderTest;
    let lease: Lease;
    let ending: Lease;
    const key = (id: string): string => test.prefix + id;
    const put = (id: string, bytes = 1, under?: Lease) =>
      ({
        kind: 'put',
        key: key(id),
        value: Buffer.alloc(bytes, 'x'),
        ...(under === undefined ? {} : { lease: under.id }),
      }) as const;
    const get = (id: string) => ({ kind: 'get', key: key(id) }) as const;
    const drop = (id: string) => ({ kind: 'delete', key: key(id) }) as const;
    const commit = (...operations: Parameters<typeof test.store.commit>[1]) =>
      failure(test.store.commit([], operations));
    const ids = async (): Promise<string[]> =>
      (await test.store.snapshot(test.prefix)).entries.map((entry) =>
        entry.key.slice(test.prefix.length),
      );

    beforeEach(async () => {
      test = await open();
      lease = await test.store.lease(test.ttlMs * 10);
      ending = await test.store.lease(test.ttlMs * 2);
      await test.store.commit([], [put('kept'), put('leased', 1, lease), put('ending', 1, ending)]);
      for (let i = 0; i < 40; i += 1) {
        const error = await commit(put(`big-${i}`, 1024 * 1024));
        if (error === null) continue;
        expect(error).toBe(FULL);
        return;
      }
      throw new Error('it does not fill up');
    });
    afterEach(async () => {
      await Promise.all([lease.revoke(), ending.revoke()]);
      await test.makeRoom();
      await test.store[Symbol.asyncDispose]();
    });

    it('refuses puts, small ones too, and changes nothing of that commit', async () => {
      const { revision } = await test.store.snapshot(test.prefix);
      expect(await commit(put('small'))).toBe(FULL);
      expect(await commit(drop('kept'), put('small'))).toBe(FULL);
      const never = [{ key: key('kept'), modRevision: 1 }];
      expect(await failure(test.store.commit(never, [put('small')]))).toBe(FULL);
      expect((await test.store.snapshot(test.prefix)).revision).toBe(revision);
      expect(await ids()).toContain('kept');
    });

    it('grants no lease', async () => {
      expect(await failure(test.store.lease(test.ttlMs))).toBe(FULL);
    });

    it('goes on with reads, watches and deletions', async () => {
      const { revision } = await test.store.snapshot(test.prefix);
      expect((await test.store.commit([], [get('kept')])).reads[0]?.length).toBe(1);
      expect((await test.store.changes(test.prefix, revision)).changed).toEqual([]);
      expect(await commit(drop('kept'))).toBe(null);
      for await (const event of test.store.watch(
        test.prefix,
        revision,
        new AbortController().signal,
      )) {
        expect(event).toMatchObject({ changes: [{ kind: 'delete', key: key('kept') }] });
        break;
      }
    });

    it('goes on with leases: they are renewed, revoked, and end with their keys', async () => {
      expect((await lease.renew()).ttlMs).toBe(lease.ttlMs);
      await test.pass(ending.ttlMs + 1000);
      expect((await ids()).filter((id) => !id.startsWith('big'))).toEqual(['kept', 'leased']);
      await lease.revoke();
      expect(await ids()).not.toContain('leased');
      expect(await failure(lease.renew())).toBe('WCH_LEASE_LOST');
    });

    it('is not brought back by deletions alone, but by whoever makes room', async () => {
      for (const id of await ids()) expect(await commit(drop(id))).toBe(null);
      expect(await commit(put('small'))).toBe(FULL);
      await test.makeRoom();
      expect(await commit(put('small'))).toBe(null);
      expect(await failure(test.store.lease(test.ttlMs).then((other) => other.revoke()))).toBe(
        null,
      );
    });
  });
};
