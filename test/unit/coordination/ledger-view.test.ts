import { describe, expect, it } from 'vitest';
import { checkIdOf } from '../../../src/shared/config/check-id.ts';
import type { KeyValueStore, Revision, WatchEvent } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { LedgerView } from '../../../src/shared/coordination/ledger-view.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { writtenLedger } from '../../support/written-ledger.ts';

/** One that is restored from a backup: its watches end with a gap, as etcd's do. */
class RestoredStore extends FaultyStore {
  #current: KeyValueStore;
  readonly #restored = new AbortController();

  constructor(store: KeyValueStore) {
    super(store);
    this.#current = store;
  }

  restore(backup: KeyValueStore): void {
    this.#current = backup;
    this.#restored.abort();
  }

  override async snapshot(prefix: string) {
    await super.snapshot(prefix);
    return this.#current.snapshot(prefix);
  }

  override async *watch(
    prefix: string,
    after: Revision,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent> {
    if (this.#restored.signal.aborted) return yield* this.#current.watch(prefix, after, signal);
    yield* super.watch(prefix, after, AbortSignal.any([signal, this.#restored.signal]));
    if (!signal.aborted) yield { kind: 'gap' };
  }
}

const watching = () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const network = new RestoredStore(store);
  const ledger = writtenLedger(store);
  let awaySince: number | null = null;
  const view = new LedgerView({
    store: network,
    keys: ledger.keys,
    clock,
    random: seededRandom(1),
    awaySince: () => awaySince,
  });
  view.start();
  const away = (since: number | null) => {
    awaySince = since;
  };
  const jobsetOf = async (key: string) => {
    const id = checkIdOf(key);
    return (await view.jobsetsOf([id])).get(id) ?? null;
  };
  const restore = (backup: KeyValueStore) => network.restore(backup);
  return { clock, network, ledger, view, away, restore, jobsetOf };
};

describe('a copy of the ledger', () => {
  it('is stale until it has seen all of it, and not from then on', async () => {
    const { clock, network, view } = watching();
    expect(view.staleSince).toBe(0);
    network.cut = true;
    await clock.advance(700);
    expect(view.staleSince).toBe(0);
    network.heal();
    await clock.advance(2_000);
    expect(view.staleSince).toBeNull();
  });

  it('has jobsets, owners, workers and the leader as they come, change and go', async () => {
    const { clock, ledger, view } = watching();
    const { keys } = ledger;
    await ledger.jobset('js-1', ['a/x']);
    await clock.advance(0);
    const { revision } = await ledger.jobset('js-1', ['a/x', 'b/y']);
    await ledger.owns('w1', 'js-1');
    await ledger.worker('w1');
    await ledger.leads('admin-1');
    await clock.advance(0);
    const id = keys.jobsetOf(keys.jobset('js-1' as never));
    expect(view.at).toBe(revision);
    expect(view.jobset(id)?.modRevision).toBe(revision);
    expect(view.owner(id)?.value.toString()).toContain('"worker":"w1"');
    expect(view.workers.map(({ key }) => keys.workerOf(key))).toEqual(['w1']);
    expect(view.leader?.value.toString()).toContain('admin-1');

    await ledger.drop(keys.jobset(id));
    await ledger.drop(keys.owner(id));
    await ledger.drop(keys.worker('w1' as never));
    const { revision: last } = await ledger.drop(keys.leader);
    await clock.advance(0);
    expect([...view.jobsets]).toEqual([]);
    expect([view.owner(id), view.leader]).toEqual([null, null]);
    expect(view.workers).toEqual([]);
    expect(view.at).toBeLessThan(last);
  });

  it('becomes stale when the feed breaks, and says since when', async () => {
    const { clock, network, view } = watching();
    await clock.advance(60_000);
    expect(view.staleSince).toBeNull();
    network.cut = true;
    await clock.advance(60_000);
    const since = view.staleSince;
    expect(since).toBeGreaterThan(60_000);
    await clock.advance(30_000);
    expect(view.staleSince).toBe(since);
    network.heal();
    await clock.advance(2_000);
    expect(view.staleSince).toBeNull();
  });

  it('is stale since the store was heard last, whatever the watch says', async () => {
    const { clock, view, away } = watching();
    await clock.advance(10_000);
    away(7_000);
    expect(view.staleSince).toBe(7_000);
    away(null);
    expect(view.staleSince).toBeNull();
  });

  it('follows a store that has gone back to what it was', async () => {
    const { clock, ledger, view, restore, jobsetOf } = watching();
    for (let n = 0; n < 20; n += 1) await ledger.jobset('js-2', [`b/${n}`]);
    await clock.advance(0);
    expect(await jobsetOf('b/19')).toBe('js-2');
    const before = view.at;

    const backup = new MemoryStore({ clock });
    await writtenLedger(backup).jobset('js-1', ['a/old']);
    restore(backup);
    await clock.advance(0);
    expect(view.at).toBeLessThan(before);
    expect(await jobsetOf('b/19')).toBeNull();
    expect(await jobsetOf('a/old')).toBe('js-1');
    await writtenLedger(backup).jobset('js-1', ['a/new']);
    await clock.advance(0);
    expect(await jobsetOf('a/new')).toBe('js-1');
  });

  it('finds the jobsets of checks, also in a record of a newer watcher', async () => {
    const { clock, ledger, view } = watching();
    const ids = ['b/x', 'a/y', 'c/x', 'd/x'].map(checkIdOf);
    await ledger.jobset('js-1', ['a/x', 'a/y']);
    await ledger.jobset('js-2', ['b/x']);
    const record = JSON.stringify({ v: 2, tasks: { [ids[3]!]: 1 } });
    await ledger.put(ledger.keys.jobset('js-3' as never), Buffer.from(record));
    await clock.advance(0);
    expect([...(await view.jobsetsOf(ids))].sort()).toEqual(
      [
        [ids[0], 'js-2'],
        [ids[1], 'js-1'],
        [ids[3], 'js-3'],
      ].sort(),
    );
    expect(await view.jobsetsOf([ids[0]!.slice(0, 8) as never])).toEqual(new Map());
  });

  it('finds a check that moves while it is looked for', async () => {
    const { clock, ledger, view } = watching();
    for (let n = 10; n < 40; n += 1) await ledger.jobset(`js-${n}`, [`a/${n}`]);
    await clock.advance(0);
    const id = checkIdOf('a/39');
    let turns = 0;
    // Each look at the clock costs 6 ms, so that the search rests between the records.
    const monotonicMs = clock.monotonicMs.bind(clock);
    clock.monotonicMs = () => {
      turns += 1;
      return monotonicMs() + turns * 6;
    };
    const found = view.jobsetsOf([id]);
    await ledger.merge('js-39', 'js-10', ['a/10', 'a/39']);
    expect((await clock.until(found)).get(id)).toBe('js-10');
  });

  it('leads through the jobsets in order, also when the last one shown has gone', async () => {
    const { clock, ledger, view } = watching();
    for (const id of ['d', 'b', 'a', 'c']) await ledger.jobset(id, [`${id}/`]);
    await clock.advance(0);
    expect(view.jobsetsAfter(null, 2)).toEqual(['a', 'b']);
    await ledger.jobset('bb', ['bb/']);
    await clock.advance(0);
    expect(view.jobsetsAfter('b', 2)).toEqual(['bb', 'c']);
    await ledger.drop(ledger.keys.jobset('bb' as never));
    await ledger.drop(ledger.keys.jobset('b' as never));
    await clock.advance(0);
    expect(view.jobsetsAfter('b', 2)).toEqual(['c', 'd']);
    expect(view.jobsetsAfter('c', 2)).toEqual(['d']);
    expect(view.jobsetsAfter('d', 2)).toEqual([]);
  });

  it('ends with what it watches', async () => {
    const { clock, view } = watching();
    await clock.advance(0);
    await expect(clock.until(view[Symbol.asyncDispose]())).resolves.toBeUndefined();
  });
});
