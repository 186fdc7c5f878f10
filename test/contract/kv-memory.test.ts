import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { describeFullStore, FULL_QUOTA_BYTES } from './full-store.contract.ts';
import { describeStore } from './kv.contract.ts';

const HISTORY = { changes: 5000, bytes: 1024 * 1024 };

const openMemory = async (quotaBytes = Number.POSITIVE_INFINITY) => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock, history: HISTORY, quotaBytes });
  const fill = { kind: 'put', key: 'filler', value: Buffer.alloc(1024 * 1024) } as const;
  return {
    store,
    prefix: '/test/',
    ttlMs: 2000,
    pass: (ms: number) => clock.advance(ms),
    compact: async () => {
      for (let i = 0; i < 2; i += 1) await store.commit([], [fill]);
    },
  };
};

describeStore('in memory', openMemory);

describeFullStore('in memory', async () => {
  const test = await openMemory(FULL_QUOTA_BYTES);
  return { ...test, makeRoom: async () => test.store.makeRoom(2 * FULL_QUOTA_BYTES) };
});

describe('the history of the store in memory', () => {
  const put = (value: Buffer) => ({ kind: 'put', key: 'beat', value }) as const;

  it.each([
    ['count', { changes: 100, bytes: 1e9 }, 1],
    ['bytes', { changes: 1e9, bytes: 1000 }, 10],
  ])('is bounded by %s, and the newest is always there', async (_, history, size) => {
    const store = new MemoryStore({ clock: new ManualClock(), history });
    for (let i = 0; i < 5000; i += 1) await store.commit([], [put(Buffer.alloc(size))]);
    const { revision } = await store.snapshot('');
    const first = async (after: number) => {
      for await (const event of store.watch('', after, new AbortController().signal))
        return event.kind;
      return 'ended';
    };
    expect(await first(revision - 100)).toBe('changes');
    expect(await first(revision - 101)).toBe('gap');
  });

  it('gives a watcher that fell behind a gap, though it was told the beginning', async () => {
    const store = new MemoryStore({
      clock: new ManualClock(),
      history: { changes: 10, bytes: 1e9 },
    });
    const watch = store.watch('', 1, new AbortController().signal)[Symbol.asyncIterator]();
    await store.commit([], [put(Buffer.alloc(1))]);
    expect((await watch.next()).value?.kind).toBe('changes');
    for (let i = 0; i < 20; i += 1) await store.commit([], [put(Buffer.alloc(1))]);
    expect((await watch.next()).value?.kind).toBe('gap');
    expect((await watch.next()).done).toBe(true);
  });
});
