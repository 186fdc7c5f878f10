import { describe, expect, it } from 'vitest';
import { follow } from '../../../src/shared/coordination/feed.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const HISTORY = { changes: 5, bytes: 1e6 };

/** A copy of the store, kept by what the feed tells. */
const copying = () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock, history: HISTORY });
  const network = new FaultyStore(store);
  const copy = new Map<string, string>();
  const stop = new AbortController();
  let snapshots = 0;
  const wentBack: boolean[] = [];
  const elsewhere = { known: 0 };
  const done = follow(
    {
      store: network,
      prefix: 'a/',
      clock,
      random: seededRandom(1),
      known: () => elsewhere.known,
      onSnapshot: (entries, _, isOlder) => {
        wentBack.push(isOlder);
        snapshots += 1;
        copy.clear();
        for (const { key, value } of entries) copy.set(key, value.toString());
      },
      onChanges: (changes) => {
        for (const change of changes) {
          if (change.kind === 'put') copy.set(change.entry.key, change.entry.value.toString());
          else copy.delete(change.key);
        }
      },
    },
    stop.signal,
  );
  const put = (key: string, value: string) =>
    store.commit([], [{ kind: 'put', key, value: Buffer.from(value) }]);
  const drop = (key: string) => store.commit([], [{ kind: 'delete', key }]);
  return {
    clock,
    store,
    network,
    copy,
    stop,
    done,
    put,
    drop,
    wentBack,
    elsewhere,
    snapshots: () => snapshots,
  };
};

describe('a feed', () => {
  it('has what is there, and then what changes, without another snapshot', async () => {
    const { clock, copy, put, drop, snapshots } = copying();
    await put('a/1', 'one');
    await clock.advance(0);
    await put('a/2', 'two');
    await drop('a/1');
    await put('b/1', 'not ours');
    await clock.advance(0);
    expect([...copy]).toEqual([['a/2', 'two']]);
    expect(snapshots()).toBe(1);
  });

  it('is right again after more has changed than the store remembers', async () => {
    const { clock, network, copy, put, drop, snapshots } = copying();
    await put('a/gone', 'x');
    await clock.advance(0);
    network.cut = true;
    await drop('a/gone');
    for (let n = 0; n < 20; n += 1) await put('a/1', String(n));
    network.heal();
    await clock.advance(5000);
    expect([...copy]).toEqual([['a/1', '19']]);
    expect(snapshots()).toBe(2);
  });

  it('waits for a store that is away', async () => {
    const { clock, network, copy, put } = copying();
    network.cut = true;
    await clock.advance(0);
    await put('a/1', 'one');
    await clock.advance(10_000);
    network.heal();
    await clock.advance(1000);
    expect([...copy]).toEqual([['a/1', 'one']]);
  });

  it('notices by itself that its watch is blind to what was put', async () => {
    const { clock, network, copy, put, snapshots } = copying();
    await clock.advance(0);
    network.blind = true;
    await put('a/1', 'one');
    await clock.advance(60_000);
    expect([...copy]).toEqual([['a/1', 'one']]);
    expect(snapshots()).toBeGreaterThan(1);
  });

  it('notices by itself that its watch is blind to a deletion', async () => {
    const { clock, network, copy, put, drop } = copying();
    await put('a/1', 'one');
    await clock.advance(0);
    network.blind = true;
    await drop('a/1');
    await clock.advance(60_000);
    expect([...copy]).toEqual([]);
  });

  it('notices by itself that its watch has passed one change over and told the next', async () => {
    const { clock, network, copy, put } = copying();
    await put('a/1', 'one');
    await put('a/2', 'one');
    await clock.advance(0);
    network.passesOver = 1;
    await put('a/1', 'two');
    await clock.advance(0);
    await put('a/2', 'two');
    await clock.advance(0);
    expect([...copy.values()]).toEqual(['one', 'two']);
    await clock.advance(60_000);
    expect([...copy.values()]).toEqual(['two', 'two']);
  });

  it('takes no second snapshot while its watch sees all, busy or not', async () => {
    const { clock, put, drop, snapshots } = copying();
    for (let n = 0; n < 600; n += 1) {
      await clock.advance(500);
      if (n % 3 === 0) await put('a/1', String(n));
      if (n % 3 === 2) await drop('a/1');
    }
    expect(snapshots()).toBe(1);
  });

  it('takes of what its watch tells twice only what is newer', async () => {
    const { clock, network, copy, put } = copying();
    await clock.advance(0);
    network.repeats = true;
    await put('a/1', 'one');
    await clock.advance(0);
    await put('a/1', 'two');
    await clock.advance(0);
    expect([...copy]).toEqual([['a/1', 'two']]);
  });

  it.each([
    ['what it has told itself', 0, [false, true]],
    ['what is known from elsewhere', 4, [false, true]],
  ])('tells of a store that is older than %s', async (_, known, expected) => {
    const { clock, network, elsewhere, put, wentBack } = copying();
    await put('a/1', 'one');
    if (known === 0) await put('a/1', 'two');
    await clock.advance(0);
    elsewhere.known = known;
    const restored = new MemoryStore({ clock });
    await restored.commit([], [{ kind: 'put', key: 'a/1', value: Buffer.from('one') }]);
    await network.becomes(restored);
    await clock.advance(1000);
    expect(wentBack).toEqual(expected);
  });

  it('does not take an answer for older that was asked for before', async () => {
    const { clock, network, elsewhere, wentBack } = copying();
    const asked = Promise.withResolvers<void>();
    network.beforeSnapshot = asked.promise;
    await clock.advance(0);
    elsewhere.known = 50;
    asked.resolve();
    await clock.advance(0);
    expect(wentBack).toEqual([false]);
  });

  it('ends with its signal', async () => {
    const { clock, stop, done } = copying();
    await clock.advance(0);
    stop.abort();
    await expect(clock.until(done)).resolves.toBeUndefined();
  });
});
