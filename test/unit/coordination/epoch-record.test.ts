import { describe, expect, it } from 'vitest';
import { joinEpoch } from '../../../src/shared/coordination/epoch-record.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { isNewerRecord } from '../../../src/shared/coordination/records.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();

const aPool = () => {
  const store = new MemoryStore({ clock: new ManualClock() });
  const network = new FaultyStore(store);
  const starter = (seed: number) => joinEpoch({ store: network, keys, random: seededRandom(seed) });
  const put = (text: string) =>
    store.commit([], [{ kind: 'put', key: keys.epoch, value: Buffer.from(text) }]);
  return { store, network, starter, put };
};

describe('the epoch of a pool', () => {
  it('is put by the first of many starters, and read by all', async () => {
    const { store, starter } = aPool();
    const epochs = await Promise.all([1, 2, 3, 4, 5].map(starter));
    expect(new Set(epochs.map(({ epoch }) => epoch)).size).toBe(1);
    expect(await starter(6)).toEqual(epochs[0]);
    const { entries } = await store.snapshot(keys.epoch);
    expect(entries.map(({ lease }) => lease)).toEqual([null]);
  });

  it('is not written again, so that a full store can be joined', async () => {
    const { network, starter } = aPool();
    const { epoch } = await starter(1);
    network.nextFault = (then) => {
      if (then.some(({ kind }) => kind === 'put')) throw new Error('a put was sent');
      return null;
    };
    expect(await starter(2)).toEqual({ epoch });
  });

  it('is another one after the store was wiped', async () => {
    const { store, starter } = aPool();
    const { epoch } = await starter(1);
    await store.commit([], [{ kind: 'delete', key: keys.epoch }]);
    expect(await starter(2)).not.toEqual({ epoch });
  });

  it('stands when the answer to its first put was lost: the next attempt reads it', async () => {
    const { network, starter, store } = aPool();
    network.nextFault = (then) => (then.some(({ kind }) => kind === 'put') ? 'answer' : null);
    await expect(starter(1)).rejects.toMatchObject({
      code: 'WCH_STORE_UNAVAILABLE',
      retryable: true,
    });
    const stands = JSON.parse(String((await store.snapshot(keys.epoch)).entries[0]?.value));
    expect(await starter(2)).toEqual({ epoch: stands.epoch });
  });

  it('stands when the client sent its first put twice', async () => {
    const { network, starter } = aPool();
    network.nextFault = (then) => (then.some(({ kind }) => kind === 'put') ? 'repeated' : null);
    const { epoch } = await starter(1);
    expect(await starter(2)).toEqual({ epoch });
  });

  it.each(['{"v":1,"epoch":"e","schema":2}', '{"v":2}'])(
    'of a newer watcher is refused, and nothing is written (%s)',
    async (text) => {
      const { store, starter, put } = aPool();
      const { revision } = await put(text);
      await expect(starter(1)).rejects.toSatisfy(isNewerRecord);
      await expect(starter(1)).rejects.toThrow(`${keys.epoch}`);
      expect((await store.snapshot('')).revision).toBe(revision);
    },
  );

  it('that is damaged is refused, and left as it is', async () => {
    const { starter, put, store } = aPool();
    const { revision } = await put('damaged');
    await expect(starter(1)).rejects.toMatchObject({ code: 'WCH_RECORD' });
    expect((await store.snapshot('')).revision).toBe(revision);
  });
});
