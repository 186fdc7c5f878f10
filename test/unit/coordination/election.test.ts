import { describe, expect, it } from 'vitest';
import { Election, type Term } from '../../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import { type Fault, FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();

const candidates = () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const random = seededRandom(1);
  const leading = new Set<string>();
  const terms: string[] = [];
  const join = (id: string) => {
    const network = new FaultyStore(store);
    const stop = new AbortController();
    const election = new Election({
      store: network,
      keys,
      clock,
      random,
      timing: LEASE_TIMING,
      id,
    });
    const current: { term: Term | null } = { term: null };
    const lead = async (term: Term, signal: AbortSignal): Promise<void> => {
      current.term = term;
      leading.add(id);
      terms.push(id);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      leading.delete(id);
    };
    const ended = election.run(lead, stop.signal);
    return { network, stop, ended, current };
  };
  return { clock, store, leading, terms, join };
};

describe('the election', () => {
  it('makes exactly one of many the leader, for as long as it lives', async () => {
    const { clock, leading, terms, join } = candidates();
    for (let n = 0; n < 5; n += 1) join(`a${n}`);
    await clock.advance(600_000);
    expect(leading.size).toBe(1);
    expect(terms.length).toBe(1);
  });

  it('lets another lead within the lease and a second when the leader is cut off', async () => {
    const { clock, leading, terms, join } = candidates();
    const first = join('a1');
    await clock.advance(100);
    join('a2');
    await clock.advance(5000);
    first.network.cut = true;
    await clock.advance(LEASE_TIMING.ttlMs + 1000);
    expect(leading.has('a2')).toBe(true);
    first.network.heal();
    await clock.advance(5000);
    expect([...leading]).toEqual(['a2']);
    expect(terms).toEqual(['a1', 'a2']);
  });

  it('lets another lead at once when the leader resigns', async () => {
    const { clock, leading, join } = candidates();
    const first = join('a1');
    await clock.advance(100);
    join('a2');
    await clock.advance(5000);
    first.stop.abort();
    await clock.until(first.ended);
    await clock.advance(0);
    expect([...leading]).toEqual(['a2']);
  });

  it('gives a term that a leader of before cannot write under', async () => {
    const { clock, store, join } = candidates();
    const first = join('a1');
    await clock.advance(100);
    const second = join('a2');
    first.network.cut = true;
    await clock.advance(10_000);
    const [before, now] = [first.current.term, second.current.term];
    if (before === null || now === null) throw new Error('no term');
    expect((await store.commit([before.condition], [])).succeeded).toBe(false);
    expect((await store.commit([now.condition], [])).succeeded).toBe(true);
  });

  it('ends a term whose key somebody has taken away', async () => {
    const { clock, store, terms, join } = candidates();
    join('a1');
    await clock.advance(100);
    await store.commit([], [{ kind: 'delete', key: keys.leader }]);
    await clock.advance(10_000);
    expect(terms).toEqual(['a1', 'a1']);
  });

  it.each<Fault>(['answer', 'repeated'])(
    'is won though the outcome was lost (%s)',
    async (fault) => {
      const { clock, leading, join } = candidates();
      const first = join('a1');
      const faults: (Fault | null)[] = [fault];
      first.network.nextFault = (then) =>
        then.some((write) => write.kind === 'put' && write.key === keys.leader)
          ? (faults.shift() ?? null)
          : null;
      await clock.advance(0);
      expect([...leading]).toEqual(['a1']);
    },
  );

  it('is won though the store, that instant full, refuses what it has written', async () => {
    const { clock, leading, join } = candidates();
    const { network } = join('a1');
    network.nextFault = (then) => {
      if (then.some((write) => write.kind === 'put' && write.key === keys.leader))
        network.beforeAnswer = async () => {
          network.beforeAnswer = null;
          throw new WatcherError('WCH_STORE_FULL', 'the store is full');
        };
      return null;
    };
    await clock.advance(0);
    expect([...leading]).toEqual(['a1']);
  });

  it('passes a defect of the leader on, and resigns', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    const random = seededRandom(1);
    const election = new Election({ store, keys, clock, random, timing: LEASE_TIMING, id: 'a1' });
    const run = election.run(
      () => Promise.reject(new TypeError('a defect')),
      new AbortController().signal,
    );
    await expect(clock.until(run)).rejects.toThrow('a defect');
    expect((await store.snapshot(keys.leader)).entries).toEqual([]);
  });
});
