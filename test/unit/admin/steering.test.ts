import { beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { Steering } from '../../../src/admin/steering.ts';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import {
  decodeJobset,
  decodeOwnership,
  encodeBeat,
  encodeJobset,
  encodeOwnership,
  encodeWorker,
} from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Capacity, Jobset, WorkerLoad } from '../../../src/shared/domain/jobset.ts';
import { aCheck, NO_LOAD } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { recordingLog } from './auditing.ts';
import { aWaiting } from './fleets.ts';

const keys = new Keys();
const TERM = { condition: { key: keys.leader, modRevision: 0 } };
const [A, B] = ['a', 'b'] as WorkerId[] as [WorkerId, WorkerId];
const [X, Y] = ['x', 'y'] as JobsetId[] as [JobsetId, JobsetId];
const HOLD_MS = 6_000;

describe('steering', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let network: FaultyStore;
  let log: ReturnType<typeof recordingLog>;
  let told: ('update' | 'over')[];
  let pictures: Fleet[];
  let lost: number;

  const put = (key: string, value: Buffer) => store.commit([], [{ kind: 'put', key, value }]);
  const register = (id: WorkerId, capacity: Partial<Capacity> = {}) =>
    put(
      keys.worker(id),
      encodeWorker({
        ...{ id, state: 'up', capacity: { places: 256, jobs: null, ...capacity } },
        ...{ host: 'h', zone: null, version: '0.0.0', listen: null, started: 0 },
      }),
    );
  const beat = (id: WorkerId, seq: number, load: Partial<WorkerLoad> = {}, checks = 1) =>
    put(keys.beat(id), encodeBeat({ seq, at: 0, owned: 1, checks, load: { ...NO_LOAD, ...load } }));
  const own = (id: JobsetId, worker: WorkerId | null) =>
    put(keys.owner(id), encodeOwnership({ worker, nonce: '', holdMs: 0 }));
  const jobsetOf = async (id: JobsetId): Promise<Jobset> => {
    const { reads } = await store.commit([], [{ kind: 'get', key: keys.jobset(id) }]);
    const entry = reads[0]?.[0];
    if (entry === undefined) throw new Error(`no ${id}`);
    return decodeJobset(id, entry);
  };
  const change = async (id: JobsetId, changed: Partial<Jobset>) =>
    put(keys.jobset(id), encodeJobset({ ...(await jobsetOf(id)), ...changed }));
  const publish = async (id: JobsetId, jobs: number, changed: Partial<Jobset> = {}) => {
    const definitions = Array.from({ length: jobs }, (_, n) => aCheck(`${id}${n}`));
    const digest = digestOf(definitions);
    const jobset = { old: null, id, source: 'folder', zone: null, digest, definitions } as const;
    await new Publishing({ store, keys }).replace(jobset, TERM);
    await change(id, changed);
  };
  const lead = (): AbortController => {
    const over = new AbortController();
    const listener = {
      update: (fleet: Fleet) => {
        told.push('update');
        pictures.push(fleet);
      },
      over: () => {
        told.push('over');
      },
    };
    const steering = new Steering({
      ...{ store: network, keys, clock, random: seededRandom(1), log, holdMs: HOLD_MS, listener },
      onLost: () => {
        lost += 1;
      },
    });
    void steering.run(TERM, over.signal);
    return over;
  };

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    network = new FaultyStore(store);
    log = recordingLog();
    told = [];
    pictures = [];
    lost = 0;
  });

  it('places what waits in less than a second from the moment at which there is room', async () => {
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    const over = lead();
    await clock.advance(10_000);
    expect(await jobsetOf(X)).toMatchObject({ waiting: { reason: 'full' }, moveTo: null });
    await register(A);
    await clock.advance(999);
    expect(await jobsetOf(X)).toMatchObject({ waiting: null, moveTo: 'a' });
    over.abort();
  });

  it('places what joins the queue in less than a second', async () => {
    await register(A);
    const over = lead();
    await clock.advance(10_100);
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    await clock.advance(999);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'a' });
    over.abort();
  });

  it('splits what only fits in part, and gives the rest to whoever comes', async () => {
    await register(A, { jobs: 2 });
    await publish(X, 5, { waiting: aWaiting() });
    await own(X, null);
    const over = lead();
    await clock.advance(1_000);
    expect(await jobsetOf(X)).toMatchObject({ waiting: { reason: 'full' } });
    expect((await jobsetOf(X)).jobs).toHaveLength(3);
    await register(B);
    await clock.advance(1_000);
    expect(await jobsetOf(X)).toMatchObject({ waiting: null, moveTo: 'b' });
    over.abort();
  });

  it('moves jobsets to a worker that came with nothing', async () => {
    await register(A);
    await register(B);
    await publish(X, 3);
    await publish(Y, 3);
    await own(X, A);
    await own(Y, A);
    const over = lead();
    await clock.advance(1_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'b' });
    expect(await jobsetOf(Y)).toMatchObject({ moveTo: null });
    await clock.advance(29_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'b' });
    await clock.advance(2_000);
    expect(await jobsetOf(X), 'nobody has obeyed').toMatchObject({ moveTo: null });
    await clock.advance(10_000);
    expect(await jobsetOf(X), 'once in ten minutes').toMatchObject({ moveTo: null });
    expect(await jobsetOf(Y)).toMatchObject({ moveTo: 'b' });
    await clock.advance(60_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: null });
    expect(await jobsetOf(Y)).toMatchObject({ moveTo: null });
    over.abort();
  });

  it('takes out a worker that beats and runs nothing', async () => {
    await register(A);
    await register(B);
    await publish(X, 3);
    await own(X, A);
    const over = lead();
    for (let seq = 1; seq <= 3; seq += 1) {
      await clock.advance(2_000);
      expect((await store.snapshot(keys.worker(A))).entries).toHaveLength(1);
      await beat(A, seq, { overdueMs: 15_000 + seq });
    }
    await clock.advance(1_000);
    expect((await store.snapshot(keys.worker(A))).entries).toEqual([]);
    const [owner] = (await store.snapshot(keys.owners)).entries;
    expect(owner && decodeOwnership(owner)).toMatchObject({ worker: null, holdMs: HOLD_MS });
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    expect(lost).toBe(1);
    await register(A);
    await beat(A, 4);
    await own(X, B);
    await beat(B, 1, { places: 100 }, 3);
    await publish(Y, 1, { waiting: aWaiting() });
    await own(Y, null);
    await clock.advance(1_000);
    expect(await jobsetOf(Y), 'it comes back, and is given nothing').toMatchObject({ moveTo: 'b' });
    over.abort();
  });

  it('tells once of each job in quarantine', async () => {
    await register(A);
    await publish(X, 1, { waiting: aWaiting({ reason: 'quarantined' }) });
    const over = lead();
    await clock.advance(60_000);
    expect(log.lines).toMatchObject([{ level: 'error', fields: { jobset: 'x' } }]);
    await publish(Y, 1, { waiting: aWaiting({ reason: 'quarantined' }) });
    await clock.advance(60_000);
    expect(log.lines).toMatchObject([{ fields: { jobset: 'x' } }, { fields: { jobset: 'y' } }]);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: null });
    over.abort();
  });

  it('tells its listener of every change, and at least once a second, until the term is over', async () => {
    const over = lead();
    await clock.advance(60_000);
    expect(told.length).toBeGreaterThanOrEqual(50);
    const before = told.length;
    await register(A);
    await clock.advance(300);
    expect(told.length).toBeGreaterThan(before);
    expect(pictures.at(-1)?.workers.size).toBe(1);
    over.abort();
    await clock.advance(0);
    expect(told.at(-1)).toBe('over');
    const after = told.length;
    await clock.advance(10_000);
    expect(told.length).toBe(after);
  });

  it('judges nothing before it has seen everything', async () => {
    await register(A);
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    network.cut = true;
    const over = lead();
    await clock.advance(10_000);
    expect(told).toEqual([]);
    network.heal();
    await clock.advance(3_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'a' });
    over.abort();
  });

  it('goes on when the store has been away', async () => {
    await register(A);
    const over = lead();
    await clock.advance(1_000);
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    let refused = 0;
    network.nextFault = () => {
      refused += 1;
      return refused > 4 ? null : 'request';
    };
    await clock.advance(10_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'a' });
    expect(log.lines).toContainEqual(
      expect.objectContaining({ message: 'the pool is not steered' }),
    );
    over.abort();
  });

  it('does not ask again and again about what its watch does not show', async () => {
    await register(A);
    const over = lead();
    await clock.advance(1_000);
    network.blind = true;
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    // Its picture shows the jobset when the store is asked whether the watch tells everything.
    await clock.advance(50_000);
    expect(await jobsetOf(X)).toMatchObject({ moveTo: 'a' });
    let commits = 0;
    network.nextFault = () => {
      commits += 1;
      return null;
    };
    await clock.advance(5_000);
    expect(commits).toBe(0);
    over.abort();
  });

  it('does nothing about what has changed since it was judged', async () => {
    await register(A);
    const all = Array.from({ length: 20 }, (_, n) => `j${n < 10 ? 0 : ''}${n}` as JobsetId);
    for (const id of all) {
      await publish(id, 1, { waiting: aWaiting() });
      await own(id, null);
    }
    const last = all.at(-1) ?? X;
    const answers = Promise.withResolvers<void>();
    network.beforeAnswer = () => answers.promise;
    const over = lead();
    await clock.advance(0);
    // Its watch tells of this before its turn comes.
    await change(last, { waiting: null });
    await own(last, B);
    await clock.advance(0);
    network.beforeAnswer = null;
    answers.resolve();
    await clock.advance(1_000);
    expect(await jobsetOf(all[0] ?? X)).toMatchObject({ moveTo: 'a' });
    expect(await jobsetOf(last)).toMatchObject({ waiting: null, moveTo: null });
    over.abort();
  });

  it('writes nothing when another admin leads', async () => {
    await register(A);
    await publish(X, 3, { waiting: aWaiting() });
    await own(X, null);
    await put(keys.leader, Buffer.from('another'));
    const over = lead();
    const { revision } = await store.snapshot('');
    await clock.advance(10_000);
    expect((await store.snapshot('')).revision).toBe(revision);
    over.abort();
  });
});
