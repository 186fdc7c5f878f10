/**
 * What every store must do: each sentence of the port's docstrings is a test here. An adapter's test
 * file calls this with a way to open its store, and with the clock on which its leases run.
 */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Change,
  type KeyValueStore,
  LIMITS,
  type Operation,
  type Revision,
  type WatchEvent,
} from '../../src/shared/coordination/kv.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';

/** One store to itself, under keys of its own. */
export interface StoreUnderTest {
  readonly store: KeyValueStore;
  /** In front of every key, so that stores can share a server. */
  readonly prefix: string;
  /** The shortest lease that the store grants. */
  readonly ttlMs: number;
  /** Lets that much time pass for leases. */
  pass(ms: number): Promise<void>;
  /** Makes the store forget what was before its present revision. */
  compact(): Promise<void>;
}

const text = (value: string): Buffer => Buffer.from(value);
const codeOf = (error: unknown): unknown => (error instanceof WatcherError ? error.code : error);
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => null, codeOf);

export const describeStore = (name: string, open: () => Promise<StoreUnderTest>): void => {
  describe(`the store ${name}`, () => {
    let test: StoreUnderTest;
    let store: KeyValueStore;
    const key = (id: string): string => test.prefix + id;
    const put = (id: string, value = id, lease?: string): Operation => ({
      kind: 'put',
      key: key(id),
      value: text(value),
      ...(lease === undefined ? {} : { lease }),
    });
    const drop = (id: string): Operation => ({ kind: 'delete', key: key(id) });
    const get = (id: string) => ({ kind: 'get', key: key(id) }) as const;
    const list = (id = '') => ({ kind: 'list', prefix: key(id) }) as const;
    const write = async (...operations: Operation[]): Promise<Revision> =>
      (await store.commit([], operations)).revision;
    const content = async (id = ''): Promise<[string, string][]> =>
      (await store.snapshot(key(id))).entries.map((entry) => [
        entry.key.slice(test.prefix.length),
        entry.value.toString(),
      ]);

    beforeEach(async () => {
      test = await open();
      store = test.store;
    });
    afterEach(() => store[Symbol.asyncDispose]());

    describe('revisions', () => {
      it('grow by one with each commit that changes a key', async () => {
        const first = await write(put('a'));
        expect(await write(put('b'), put('c'))).toBe(first + 1);
        expect(await write(drop('a'))).toBe(first + 2);
      });

      it('stay when a commit changes nothing', async () => {
        const before = await write(put('a'));
        expect(await write(drop('absent'))).toBe(before);
        expect(await write(get('a'))).toBe(before);
        const refused = await store.commit([{ key: key('a'), modRevision: 1 }], [put('a')]);
        expect(refused.revision).toBe(before);
      });

      it('mark everything that a commit put with the revision of that commit', async () => {
        const revision = await write(put('a'), put('b'));
        const { entries } = await store.snapshot(test.prefix);
        expect(entries.map((entry) => entry.modRevision)).toEqual([revision, revision]);
      });

      it('mark a key with its last write, not its first', async () => {
        await write(put('a'));
        const second = await write(put('a'));
        expect((await store.snapshot(key('a'))).entries[0]?.modRevision).toBe(second);
      });
    });

    describe('a snapshot', () => {
      it('lists the keys under the prefix in key order, and no others', async () => {
        await write(put('b/2'), put('a/1'), put('b/10'), put('b'), put('c/1'), put('b/1'));
        expect((await content('b/')).map(([id]) => id)).toEqual(['b/1', 'b/10', 'b/2']);
      });

      it('tells the revision at which it was read', async () => {
        const revision = await write(put('a'));
        expect((await store.snapshot(test.prefix)).revision).toBe(revision);
      });

      it('is empty where nothing is', async () => {
        expect((await store.snapshot(key('nothing'))).entries).toEqual([]);
      });

      it('gives values back byte by byte', async () => {
        const value = Buffer.from([0, 255, 10, 128, 0]);
        await store.commit([], [{ kind: 'put', key: key('a'), value }]);
        expect((await store.snapshot(key('a'))).entries[0]?.value.equals(value)).toBe(true);
      });
    });

    describe('changes since a revision', () => {
      it('are the entries written after it', async () => {
        const since = await write(put('a'), put('b'));
        await write(put('b', 'new'));
        await write(put('c'));
        const { changed } = await store.changes(test.prefix, since);
        expect(changed.map((entry) => entry.key)).toEqual([key('b'), key('c')]);
      });

      it('come with the number of all keys, so that a deletion shows', async () => {
        const since = await write(put('a'), put('b'), put('c'));
        await write(drop('b'));
        const { changed, total } = await store.changes(test.prefix, since);
        expect({ changed, total }).toEqual({ changed: [], total: 2 });
      });
    });

    describe('a commit', () => {
      it('takes the first branch when every condition holds', async () => {
        const revision = await write(put('a'));
        const when = [
          { key: key('a'), modRevision: revision },
          { key: key('b'), modRevision: 0 },
        ];
        expect((await store.commit(when, [put('c')], [])).succeeded).toBe(true);
        expect((await content('c')).length).toBe(1);
      });

      it.each([
        ['an older revision', 'a', -1],
        ['a later revision', 'a', 1],
      ])('writes nothing when one condition names %s', async (_, id, offset) => {
        const revision = await write(put('a'));
        const when = [
          { key: key('b'), modRevision: 0 },
          { key: key(id), modRevision: revision + offset },
        ];
        const commit = await store.commit(when, [put('c')]);
        expect(commit.succeeded).toBe(false);
        expect(await content('c')).toEqual([]);
      });

      it('takes revision 0 for "absent": it holds without the key, and not with it', async () => {
        const absent = [{ key: key('a'), modRevision: 0 }];
        expect((await store.commit(absent, [put('a')])).succeeded).toBe(true);
        expect((await store.commit(absent, [put('a', 'other')])).succeeded).toBe(false);
        expect(await content('a')).toEqual([['a', 'a']]);
      });

      it('takes a deleted key for absent', async () => {
        await write(put('a'));
        await write(drop('a'));
        const commit = await store.commit([{ key: key('a'), modRevision: 0 }], [put('a')]);
        expect(commit.succeeded).toBe(true);
      });

      it('answers the reads of the branch taken, one list each, in order', async () => {
        await write(put('a/1'), put('a/2'));
        const { reads } = await store.commit([], [list('a/'), get('absent'), get('a/2')]);
        expect(reads.map((entries) => entries.map((entry) => entry.key))).toEqual([
          [key('a/1'), key('a/2')],
          [],
          [key('a/2')],
        ]);
      });

      it('answers the other reads when a condition fails', async () => {
        const revision = await write(put('a'));
        const never = [{ key: key('a'), modRevision: 0 }];
        const { succeeded, reads } = await store.commit(
          never,
          [put('a', 'x'), get('a')],
          [get('a')],
        );
        expect(succeeded).toBe(false);
        expect(reads.map((entries) => entries.map((entry) => entry.modRevision))).toEqual([
          [revision],
        ]);
      });

      it('carries its operations out in order: a read sees the writes before it', async () => {
        await write(put('a', 'old'));
        const { reads } = await store.commit([], [get('a'), put('a', 'new'), get('a')]);
        expect(reads.map(([entry]) => entry?.value.toString())).toEqual(['old', 'new']);
      });

      it('writes several keys in one revision', async () => {
        await write(put('a'), put('b'));
        const revision = await write(drop('a'), put('c'));
        expect((await store.snapshot(key('c'))).entries[0]?.modRevision).toBe(revision);
        expect((await content()).map(([id]) => id)).toEqual(['b', 'c']);
      });

      it.each([
        ['conditions', (n: number) => [Array.from({ length: n }, (_, i) => i), []] as const],
        ['operations', (n: number) => [[], Array.from({ length: n }, (_, i) => i)] as const],
      ])(`takes ${LIMITS.operations} %s and refuses one more`, async (_, make) => {
        const commit = (n: number) => {
          const [when, then] = make(n);
          return store.commit(
            when.map((i) => ({ key: key(`absent-${i}`), modRevision: 0 })),
            then.map((i) => put(`key-${i}`)),
          );
        };
        expect(await failure(commit(LIMITS.operations + 1))).toBe('WCH_STORE_LIMIT');
        expect(await content()).toEqual([]);
        expect((await commit(LIMITS.operations)).succeeded).toBe(true);
      });

      it('refuses more reads of the other branch than operations are allowed', async () => {
        const reads = Array.from({ length: LIMITS.operations + 1 }, () => get('a'));
        expect(await failure(store.commit([], [], reads))).toBe('WCH_STORE_LIMIT');
      });

      it('refuses a request that is too long, and takes one that is just not', async () => {
        const of = (bytes: number): Operation => ({
          kind: 'put',
          key: key('big'),
          value: Buffer.alloc(bytes),
        });
        expect(await failure(store.commit([], [of(LIMITS.requestBytes)]))).toBe('WCH_STORE_LIMIT');
        expect(await content()).toEqual([]);
        expect((await store.commit([], [of(LIMITS.requestBytes - 4096)])).succeeded).toBe(true);
      });

      it.each([
        ['two puts', () => [put('a', '1'), put('a', '2')]],
        ['a put and a deletion', () => [put('a'), drop('a')]],
        ['two deletions', () => [drop('a'), drop('a')]],
      ])('refuses %s of the same key', async (_, operations) => {
        await write(put('a', 'before'));
        expect(await failure(store.commit([], operations()))).toBe('WCH_STORE_LIMIT');
        expect(await content()).toEqual([['a', 'before']]);
      });

      it('lets exactly one of many that saw the same revision succeed', async () => {
        const revision = await write(put('a'));
        const commits = Array.from({ length: 20 }, (_, i) =>
          store.commit([{ key: key('a'), modRevision: revision }], [put('a', String(i))]),
        );
        const winners = (await Promise.all(commits)).flatMap((commit, i) =>
          commit.succeeded ? [i] : [],
        );
        expect(winners.length).toBe(1);
        expect(await content('a')).toEqual([['a', String(winners[0])]]);
      });
    });

    describe('a lease', () => {
      it('keeps its keys while it is renewed', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id));
        for (let i = 0; i < 3; i += 1) {
          await test.pass(lease.ttlMs * 0.6);
          await lease.renew();
        }
        expect((await content()).length).toBe(1);
      });

      it('shows on its keys', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id), put('b'));
        const { entries } = await store.snapshot(test.prefix);
        expect(entries.map((entry) => entry.lease)).toEqual([lease.id, null]);
      });

      it('deletes all its keys in one revision when it runs out', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id), put('b'), put('c', 'c', lease.id));
        const { revision } = await store.snapshot(test.prefix);
        await test.pass(lease.ttlMs + 1000);
        expect(await content()).toEqual([['b', 'b']]);
        expect((await store.snapshot(test.prefix)).revision).toBe(revision + 1);
      });

      it('does not end before its time', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id));
        await test.pass(lease.ttlMs * 0.8);
        expect((await content()).length).toBe(1);
      });

      it('grants at least what was asked', async () => {
        expect((await store.lease(test.ttlMs)).ttlMs).toBeGreaterThanOrEqual(test.ttlMs);
      });

      it('tells with a renewal what it grants and since when that counts', async () => {
        const lease = await store.lease(test.ttlMs);
        const first = await lease.renew();
        await test.pass(200);
        const second = await lease.renew();
        expect(second.ttlMs).toBe(lease.ttlMs);
        expect(second.sentAt - first.sentAt).toBeGreaterThanOrEqual(200);
      });

      it('cannot be renewed once it has run out', async () => {
        const lease = await store.lease(test.ttlMs);
        await test.pass(lease.ttlMs + 1000);
        expect(await failure(lease.renew())).toBe('WCH_LEASE_LOST');
      });

      it('takes its keys with it at once when it is revoked', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id), put('b', 'b', lease.id));
        await lease.revoke();
        expect(await content()).toEqual([]);
        expect(await failure(lease.renew())).toBe('WCH_LEASE_LOST');
      });

      it('may be revoked when it is lost already', async () => {
        const lease = await store.lease(test.ttlMs);
        await lease.revoke();
        expect(await failure(lease.revoke())).toBe(null);
      });

      it('that is gone takes no keys, and nothing else of that commit is written', async () => {
        const lease = await store.lease(test.ttlMs);
        await lease.revoke();
        const commit = store.commit([], [put('a'), put('b', 'b', lease.id)]);
        expect(await failure(commit)).toBe('WCH_LEASE_LOST');
        expect(await content()).toEqual([]);
      });

      it('lets a key go that is put without it', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id));
        await write(put('a', 'free'));
        await lease.revoke();
        expect(await content()).toEqual([['a', 'free']]);
      });

      it('lets a key go that is put under another', async () => {
        const [first, second] = [await store.lease(test.ttlMs), await store.lease(test.ttlMs)];
        await write(put('a', 'a', first.id));
        await write(put('a', 'a', second.id));
        await first.revoke();
        expect((await content()).length).toBe(1);
        await second.revoke();
        expect(await content()).toEqual([]);
      });

      it('does not delete what was deleted and put anew without it', async () => {
        const lease = await store.lease(test.ttlMs);
        await write(put('a', 'a', lease.id));
        await write(drop('a'));
        await write(put('a', 'again'));
        await lease.revoke();
        expect(await content()).toEqual([['a', 'again']]);
      });
    });

    describe('a watch', () => {
      const stop = new AbortController();
      const changesIn = (events: readonly WatchEvent[]): readonly Change[] =>
        events.flatMap((event) => (event.kind === 'changes' ? event.changes : []));
      const tell = (change: Change): string =>
        change.kind === 'put'
          ? `${change.entry.key.slice(test.prefix.length)}=${change.entry.value}@${change.entry.modRevision}`
          : `-${change.key.slice(test.prefix.length)}@${change.modRevision}`;

      /** Reads until there are `count` changes, or a gap. */
      const read = async (after: Revision, count: number, id = ''): Promise<WatchEvent[]> => {
        const events: WatchEvent[] = [];
        for await (const event of store.watch(key(id), after, stop.signal)) {
          events.push(event);
          if (event.kind === 'gap' || changesIn(events).length >= count) break;
        }
        return events;
      };

      it('tells what was written after its revision, in order, and nothing before it', async () => {
        await write(put('a', 'before'));
        const after = await write(put('b'));
        const r1 = await write(put('a', '1'));
        const r2 = await write(drop('b'));
        const r3 = await write(put('a', '2'));
        const changes = changesIn(await read(after, 3));
        expect(changes.map(tell)).toEqual([`a=1@${r1}`, `-b@${r2}`, `a=2@${r3}`]);
      });

      it('waits for what is still to come', async () => {
        const after = await write(put('a'));
        const reading = read(after, 1);
        const revision = await write(put('a', 'new'));
        expect(changesIn(await reading).map(tell)).toEqual([`a=new@${revision}`]);
      });

      it('may start in the future', async () => {
        const now = await write(put('a'));
        const reading = read(now + 1, 1);
        await write(put('a', 'skipped'));
        const revision = await write(put('a', 'told'));
        expect(changesIn(await reading).map(tell)).toEqual([`a=told@${revision}`]);
      });

      it('tells only of keys under its prefix', async () => {
        const after = await write(put('x'));
        await write(put('b/1'), put('a/1'));
        await write(put('a/2'));
        const changes = changesIn(await read(after, 2, 'a/'));
        expect(changes.map((change) => change.kind === 'put' && change.entry.key)).toEqual([
          key('a/1'),
          key('a/2'),
        ]);
      });

      it('never splits a revision', async () => {
        const after = await write(put('x'));
        for (let i = 0; i < 30; i += 1) {
          await write(...Array.from({ length: 100 }, (_, k) => put(`${i}-${k}`)));
        }
        for (const event of await read(after, 3000)) {
          if (event.kind !== 'changes') throw new Error('a gap');
          expect(event.changes.length % 100).toBe(0);
          const last = event.changes.at(-1);
          expect(last?.kind === 'put' && last.entry.modRevision).toBe(event.revision);
        }
      });

      it('tells the end of a lease as deletions in one event', async () => {
        const lease = await store.lease(test.ttlMs);
        const after = await write(put('a', 'a', lease.id), put('b', 'b', lease.id));
        const reading = read(after, 2);
        await test.pass(lease.ttlMs + 1000);
        const events = await reading;
        expect(events.length).toBe(1);
        expect(changesIn(events).map(tell)).toEqual([`-a@${after + 1}`, `-b@${after + 1}`]);
      });

      it('answers a revision that the store has forgotten with a gap, and ends', async () => {
        const after = await write(put('a'));
        await write(put('a', 'forgotten'));
        await test.compact();
        const events: WatchEvent[] = [];
        for await (const event of store.watch(test.prefix, after, stop.signal)) events.push(event);
        expect(events).toEqual([{ kind: 'gap' }]);
      });

      it('goes on from a snapshot after a gap', async () => {
        await write(put('a'));
        await test.compact();
        const { revision } = await store.snapshot(test.prefix);
        const next = await write(put('b'));
        expect(changesIn(await read(revision, 1)).map(tell)).toEqual([`b=b@${next}`]);
      });

      it('ends when its signal aborts, also while it waits', async () => {
        const own = new AbortController();
        const { revision } = await store.snapshot(test.prefix);
        const watching = (async () => {
          for await (const event of store.watch(test.prefix, revision, own.signal)) return event;
          return 'ended';
        })();
        await test.pass(10);
        own.abort();
        expect(await watching).toBe('ended');
      });

      it('ends when the store is disposed of', async () => {
        const { revision } = await store.snapshot(test.prefix);
        const watching = (async () => {
          for await (const event of store.watch(test.prefix, revision, stop.signal)) return event;
          return 'ended';
        })();
        await test.pass(10);
        await store[Symbol.asyncDispose]();
        expect(await watching).toBe('ended');
      });
    });

    it('answers nothing once it is disposed of', async () => {
      await store[Symbol.asyncDispose]();
      expect(await failure(store.snapshot(test.prefix))).toBe('WCH_STORE_UNAVAILABLE');
      expect(await failure(store.commit([], [put('a')]))).toBe('WCH_STORE_UNAVAILABLE');
      expect(await failure(store.lease(test.ttlMs))).toBe('WCH_STORE_UNAVAILABLE');
    });
  });
};
