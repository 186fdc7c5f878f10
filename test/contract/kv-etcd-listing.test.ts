/** Listings of the store in etcd that are long, or hold what watcher never wrote. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { follow, hasEtcd, open, PATIENT, put, start } from '../support/etcd-store.ts';

const KEY = '/servers/key';

describe.skipIf(!hasEtcd)('a listing of the store in etcd', { timeout: 60_000 }, () => {
  it('lists more keys than one answer holds, all at one revision', async () => {
    await using etcd = await start();
    await using store = await open(etcd.endpoints, PATIENT);
    const keys = Array.from({ length: 2500 }, (_, i) => `${KEY}/${String(i).padStart(4, '0')}`);
    for (let at = 0; at < keys.length; at += 100)
      await store.commit(
        [],
        keys.slice(at, at + 100).map((key) => put(key, 'old')),
      );
    // Each commit writes the first key and one near the end: a listing that mixes revisions shows.
    const write = (i: number) =>
      store.commit([], [put(keys[i] ?? '', 'new'), put(keys[0] ?? '', 'new')]);
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
    await using store = await open(etcd.endpoints, PATIENT);
    const long = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 70; i += 1) await store.commit([], [put(`${KEY}/${i}`, long)]);
    const { entries } = await store.snapshot(`${KEY}/`);
    expect(entries.length).toBe(70);
  });

  it('reads a hundred thousand keys, all at one revision', async () => {
    await using etcd = await start();
    await using store = await open(etcd.endpoints, PATIENT);
    const keys = Array.from({ length: 100_000 }, (_, i) => `${KEY}/${String(i).padStart(6, '0')}`);
    for (let at = 0; at < keys.length; at += 800)
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => keys.slice(at + i * 100, at + i * 100 + 100)).map(
          (part) =>
            store.commit(
              [],
              part.map((key) => put(key)),
            ),
        ),
      );
    const { entries } = await store.snapshot(`${KEY}/`);
    expect(entries.map(({ key }) => key)).toEqual(keys);
  });

  it('takes what watcher never wrote: binary keys and values, and the longest there are', async () => {
    await using etcd = await start();
    const [member] = etcd.members;
    await using store = await open(etcd.endpoints, PATIENT);
    const { revision } = await store.snapshot(KEY);
    const encoded = (...bytes: readonly (string | Buffer)[]) =>
      Buffer.concat(bytes.map((part) => Buffer.from(part))).toString('base64');
    // No text: a listing that takes it for one goes on from the wrong place.
    const binary = Buffer.from([0xff, 0xfe, 0x00]);
    const long = Buffer.alloc(1.5 * 1024 * 1024 - 1024, 0x80);
    await member.post('kv/put', { key: encoded(`${KEY}/long`), value: encoded(long) });
    for (const last of [1, 2])
      await member.post('kv/put', {
        key: encoded(`${KEY}/`, binary, Buffer.from([last])),
        value: encoded(binary),
      });
    // With the long one 999: the first of the binary keys ends a page.
    const texts = Array.from({ length: 998 }, (_, i) => put(`${KEY}/${i}`));
    for (let at = 0; at < texts.length; at += 100)
      await store.commit([], texts.slice(at, at + 100));
    const { entries } = await store.snapshot(`${KEY}/`);
    const lengths = entries.map(({ value }) => value.length);
    expect(lengths.filter((length) => length > 0)).toEqual([long.length, 3, 3]);
    expect(entries.length).toBe(1001);
    const { told } = follow(store, KEY, { after: revision });
    while (told.length < 1001) await sleep(20);
  });
});
