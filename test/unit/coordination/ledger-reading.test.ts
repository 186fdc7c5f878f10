import { describe, expect, it } from 'vitest';
import { checkIdOf } from '../../../src/shared/config/check-id.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { LedgerReading } from '../../../src/shared/coordination/ledger-reading.ts';
import { LedgerView } from '../../../src/shared/coordination/ledger-view.ts';
import { encodeScaling } from '../../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { ScalingRecord, WaitReason } from '../../../src/shared/domain/jobset.ts';
import type { JobsetView } from '../../../src/shared/domain/pool-views.ts';
import { NO_LOAD } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { writtenLedger } from '../../support/written-ledger.ts';

const NOON = Date.UTC(2026, 0, 1, 12);

const aPool = () => {
  const clock = new ManualClock(NOON);
  const store = new MemoryStore({ clock });
  const ledger = writtenLedger(store);
  /** A process of the pool, with its own way to the store. */
  const join = (keyOf: (id: CheckId) => string | null = () => null) => {
    const network = new FaultyStore(store);
    const { keys } = ledger;
    const common = { store: network, keys, clock };
    const view = new LedgerView({ ...common, random: seededRandom(1), awaySince: () => null });
    const reading = new LedgerReading({ ...common, view, idOf: checkIdOf, keyOf });
    view.start();
    return { network, view, reading };
  };
  return { clock, store, ledger, join };
};

const ALL = { after: null, limit: 50 };

const table = (jobsets: readonly JobsetView[]) =>
  jobsets.flatMap(({ id, owner, revision, jobs, keys }) =>
    jobs.map((job, i) => [keys[i] ?? job, owner, id, revision]),
  );

describe('a page of the ledger', () => {
  it('shows of each jobset whose it is, that the owner lives, and its checks by id and key', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    const jobs = await ledger.jobset('js-1', ['a/x', 'a/y'], {
      zone: 'eu',
      avoid: ['w9' as never],
    });
    const own = await ledger.owns('w1', 'js-1');
    await ledger.beat('w1', NOON - 3);
    await clock.advance(0);
    expect(await reading.page(ALL)).toEqual({
      stale: false,
      staleForMs: 0,
      unreadable: 0,
      next: null,
      jobsets: [
        {
          id: 'js-1',
          owner: 'w1',
          heartbeat: NOON - 3,
          jobs: [checkIdOf('a/x'), checkIdOf('a/y')],
          keys: ['a/x', 'a/y'],
          source: 'folder',
          zone: 'eu',
          avoid: ['w9'],
          waiting: null,
          moveTo: null,
          revision: jobs.revision,
          token: own.revision,
          unreadable: null,
        },
      ],
    });
  });

  it('shows one state of a jobset that changes while the store is asked', async () => {
    const { clock, ledger, join } = aPool();
    const { reading, network } = join();
    const { revision } = await ledger.jobset('js-1', ['a/x']);
    await clock.advance(0);
    network.beforeAnswer = async () => {
      await ledger.jobset('js-1', ['a/y']);
      await ledger.owns('w1', 'js-1');
      await clock.advance(0);
    };
    expect((await reading.page(ALL)).jobsets).toMatchObject([
      { owner: null, jobs: [checkIdOf('a/x')], revision },
    ]);
  });

  it('shows no owner of a jobset that was handed back, nor of one whose owner has died', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    await ledger.jobset('dead', ['a/x']);
    await ledger.jobset('released', ['a/y']);
    await ledger.owns('w1', 'dead');
    await ledger.owns(null, 'released');
    await ledger.drop(ledger.keys.owner('dead' as JobsetId));
    await clock.advance(0);
    const { jobsets } = await reading.page(ALL);
    const free = { owner: null, token: null, heartbeat: null };
    expect(jobsets).toMatchObject([free, free]);
  });

  it('shows a damaged record, and one of a newer watcher, as unreadable, and all others', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    const { keys } = ledger;
    await ledger.jobset('js-1', ['a/x']);
    await ledger.put(keys.jobset('js-2' as JobsetId), Buffer.from('{"v":1,"jobs":'));
    await ledger.put(keys.jobset('js-3' as JobsetId), Buffer.from('{"v":2,"jobs":["new"]}'));
    await ledger.put(keys.jobset('js-4' as JobsetId), Buffer.from('{"v":1,"jobs":7}'));
    await ledger.jobset('js-5', ['e/x']);
    await ledger.put(keys.chunk('js-5' as JobsetId, 0), Buffer.from('damaged'));
    await ledger.owns('w1', 'js-3');
    await ledger.put(keys.owner('js-5' as JobsetId), Buffer.from('{"v":2}'));
    await clock.advance(0);
    const { jobsets, unreadable } = await reading.page(ALL);
    expect(unreadable).toBe(3);
    expect(jobsets).toMatchObject([
      { id: 'js-1', keys: ['a/x'], unreadable: null },
      { id: 'js-2', jobs: [], unreadable: expect.stringContaining('jobset/js-2') },
      { id: 'js-3', jobs: [], owner: 'w1', unreadable: expect.stringContaining('version 2') },
      { id: 'js-4', jobs: [], unreadable: expect.stringContaining('jobset/js-4') },
      { id: 'js-5', jobs: [checkIdOf('e/x')], keys: [null], owner: 'unreadable', unreadable: null },
    ]);
  });

  it('leads to the next one until all jobsets were shown once', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    for (let n = 10; n < 31; n += 1) await ledger.jobset(`js-${n}`, [`a/${n}`]);
    await clock.advance(0);
    const seen: string[] = [];
    let pages = 0;
    for (let after: string | null = null; ; pages += 1) {
      const { jobsets, next } = await reading.page({ after, limit: 7 });
      seen.push(...jobsets.flatMap(({ keys }) => keys as string[]));
      if (next === null) break;
      after = next;
    }
    expect(pages).toBe(2);
    expect(seen).toEqual(Array.from({ length: 21 }, (_, n) => `a/${n + 10}`));
  });

  it('finds the jobset of one check by its key', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    await ledger.jobset('js-1', ['a/x']);
    await ledger.jobset('js-2', ['b/x']);
    await clock.advance(0);
    expect((await reading.find('b/x'))?.jobsets).toMatchObject([{ id: 'js-2', keys: ['b/x'] }]);
    expect(await reading.find('c/x')).toBeNull();
    expect(await reading.jobset('js-3')).toBeNull();
  });
});

describe('the table of who runs what', () => {
  it('is the same at every process of the pool within a second of a change', async () => {
    const { clock, ledger, join } = aPool();
    const processes = [join(), join(), join()];
    await ledger.jobset('js-1', ['a/x', 'a/y']);
    await ledger.jobset('js-2', ['b/x']);
    await ledger.owns('w1', 'js-1');
    await clock.advance(1_000);
    const before = await processes[0]!.reading.page(ALL);
    const { revision } = await ledger.jobset('js-2', ['b/x', 'b/y']);
    await ledger.owns('w2', 'js-2');
    await clock.advance(1_000);
    const tables = await Promise.all(
      processes.map(async ({ reading }) => table((await reading.page(ALL)).jobsets)),
    );
    expect(tables[0]).not.toEqual(table(before.jobsets));
    expect(tables[0]).toContainEqual(['b/y', 'w2', 'js-2', revision]);
    expect(tables[1]).toEqual(tables[0]);
    expect(tables[2]).toEqual(tables[0]);
  });

  it('is still shown while the store is away, and called stale from then on', async () => {
    const { clock, ledger, join } = aPool();
    const { reading, network } = join((id) => (id === checkIdOf('a/x') ? 'a/x' : null));
    await ledger.jobset('js-1', ['a/x', 'a/y']);
    await ledger.owns('w1', 'js-1');
    await ledger.beat('w1', NOON);
    await clock.advance(5_000);
    const fed = await reading.page(ALL);
    network.cut = true;
    const first = await reading.page(ALL);
    expect(first).toMatchObject({ stale: true, staleForMs: 0 });
    // What is known here stands for what only the store knows.
    expect(first.jobsets).toEqual([{ ...fed.jobsets[0], heartbeat: null, keys: ['a/x', null] }]);
    await clock.advance(60_000);
    const later = await reading.page(ALL);
    expect(later).toMatchObject({ stale: true, jobsets: first.jobsets });
    expect(later.staleForMs).toBeGreaterThan(15_000);
    network.heal();
    await clock.advance(2_000);
    expect(await reading.page(ALL)).toEqual(fed);
  });

  it('costs one call a second at most while the store is away', async () => {
    const { clock, ledger, join } = aPool();
    const { reading, network } = join();
    await ledger.jobset('js-1', ['a/x']);
    await clock.advance(0);
    network.cut = true;
    let calls = 0;
    const commit = network.commit.bind(network);
    network.commit = (...args) => {
      calls += 1;
      return commit(...args);
    };
    for (let n = 0; n < 10; n += 1) await reading.page(ALL);
    expect(calls).toBe(1);
    await clock.advance(1_000);
    await reading.page(ALL);
    expect(calls).toBe(2);
  });
});

describe('the size of the pool', () => {
  const LEVEL: ScalingRecord = {
    at: NOON - 1_000,
    workers: 2,
    desiredWorkers: 3,
    capacityUtilization: 104.5,
    waitingJobs: 3,
    oldestWaitingMs: 20_000,
    latenessP99Ms: 17,
    futile: null,
    episode: { id: 'e1', raisedAt: NOON - 9_000, jobs: 3 },
  };
  const aQueue = async ({ clock, ledger }: ReturnType<typeof aPool>) => {
    const by = 'w1' as WorkerId;
    const waits = (reason: WaitReason, agoMs: number) => ({
      waiting: { reason, since: NOON - agoMs, by, load: 1 },
    });
    await ledger.jobset('js-0', ['run/x']);
    await ledger.jobset('js-1', ['crash/x'], waits('quarantined', 90_000));
    await ledger.jobset('js-2', ['late/x'], waits('late', 5_000));
    await ledger.jobset('js-3', ['full/x', 'full/y'], waits('full', 20_000));
    await ledger.put(ledger.keys.scaling, encodeScaling(LEVEL));
    await clock.advance(0);
  };

  it('is what the leader said last, with what waits now, the longest first, quarantine last', async () => {
    const pool = aPool();
    const { reading } = pool.join();
    await aQueue(pool);
    expect(await reading.scaling()).toEqual({
      stale: false,
      staleForMs: 0,
      level: LEVEL,
      waitingJobs: 3,
      quarantinedJobs: 1,
      jobs: [
        ['full/x', 'js-3', 'full', 20_000],
        ['full/y', 'js-3', 'full', 20_000],
        ['late/x', 'js-2', 'late', 5_000],
        ['crash/x', 'js-1', 'quarantined', 90_000],
      ].map(([check, jobset, reason, agoMs]) => ({
        check,
        id: checkIdOf(String(check)),
        jobset,
        reason,
        since: NOON - Number(agoMs),
        by: 'w1',
        ageMs: agoMs,
      })),
    });
  });

  it('is told from the copy, as stale, while the store is away', async () => {
    const pool = aPool();
    const { reading, network } = pool.join((id) => (id === checkIdOf('late/x') ? 'late/x' : null));
    await aQueue(pool);
    network.cut = true;
    const { stale, level, waitingJobs, jobs } = await reading.scaling();
    expect({ stale, level, waitingJobs }).toEqual({ stale: true, level: LEVEL, waitingJobs: 3 });
    expect(jobs.map(({ check }) => check)).toEqual([null, null, 'late/x', null]);
  });

  it('is not known before a leader has told it, nor when a newer one has', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    await clock.advance(0);
    expect(await reading.scaling()).toMatchObject({ level: null, waitingJobs: 0, jobs: [] });
    await ledger.put(ledger.keys.scaling, Buffer.from('{"v":9}'));
    await clock.advance(0);
    expect(await reading.scaling()).toMatchObject({ level: null });
  });

  it('forgets what has found a place', async () => {
    const pool = aPool();
    const { reading } = pool.join();
    await aQueue(pool);
    await pool.ledger.jobset('js-3', ['full/x', 'full/y'], { moveTo: 'w2' as WorkerId });
    await pool.clock.advance(0);
    expect((await reading.scaling()).waitingJobs).toBe(1);
  });
});

describe('the members of the pool', () => {
  it('are its workers, with what each last said of itself, and the leading admin', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    await ledger.worker('w2', { state: 'draining', zone: 'eu', listen: '10.0.0.2:9464' });
    await ledger.worker('w1', { started: NOON - 60_000 });
    await ledger.beat('w1', NOON - 1, 1, { places: 64 });
    await ledger.leads('admin-1');
    await clock.advance(0);
    const { leader, workers, stale } = await reading.members();
    expect({ leader, stale }).toEqual({ leader: 'admin-1', stale: false });
    expect(workers).toEqual([
      {
        id: 'w1',
        state: 'up',
        capacity: { places: 256, jobs: null },
        zone: null,
        host: 'host of w1',
        version: '1.2.3',
        listen: null,
        started: NOON - 60_000,
        load: { ...NO_LOAD, places: 64 },
        utilisation: 0.25,
        owned: 2,
        checks: 3,
        heartbeat: NOON - 1,
        unchangedForMs: null,
        unreadable: null,
      },
      expect.objectContaining({
        id: 'w2',
        state: 'draining',
        zone: 'eu',
        listen: '10.0.0.2:9464',
        heartbeat: null,
        load: null,
        utilisation: null,
        owned: null,
      }),
    ]);
  });

  it('are no more when their leases have ended', async () => {
    const { clock, store, ledger, join } = aPool();
    const { reading } = join();
    const lease = await store.lease(6_000);
    await ledger.worker('w1', {}, lease.id);
    await clock.advance(1_000);
    expect((await reading.members()).workers).toHaveLength(1);
    await clock.advance(6_000);
    expect((await reading.members()).workers).toEqual([]);
  });

  it('tell how long a heartbeat has stood still, by this clock and not by theirs', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    await ledger.worker('w1');
    await ledger.beat('w1', NOON + 3_600_000);
    await clock.advance(0);
    const unchanged = async () => (await reading.members()).workers[0]?.unchangedForMs;
    expect(await unchanged()).toBeNull();
    await clock.advance(4_000);
    expect(await unchanged()).toBe(4_000);
    await clock.advance(500);
    expect(await unchanged()).toBe(4_500);
    await ledger.beat('w1', NOON + 3_600_000, 2);
    expect(await unchanged()).toBeNull();
  });

  it('are shown with what cannot be read of them', async () => {
    const { clock, ledger, join } = aPool();
    const { reading } = join();
    const { keys } = ledger;
    await ledger.worker('w1');
    await ledger.put(keys.worker('w2' as never), Buffer.from('{"v":3}'));
    await ledger.put(keys.beat('w1' as never), Buffer.from('no JSON'));
    await ledger.put(keys.leader, Buffer.from('{"v":1}'));
    await clock.advance(0);
    const { leader, workers } = await reading.members();
    expect(leader).toBeNull();
    expect(workers).toMatchObject([
      {
        id: 'w1',
        state: 'up',
        capacity: { places: 256, jobs: null },
        heartbeat: null,
        unreadable: null,
      },
      { id: 'w2', state: null, unreadable: expect.stringContaining('version 3') },
    ]);
  });
});
