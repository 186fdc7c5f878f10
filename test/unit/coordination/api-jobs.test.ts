import { describe, expect, it } from 'vitest';
import { ApiJobs } from '../../../src/shared/coordination/api-jobs.ts';
import { decodeDefinitions, digestOf } from '../../../src/shared/coordination/definitions.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { LedgerView } from '../../../src/shared/coordination/ledger-view.ts';
import {
  decodeJobset,
  decodeOwnership,
  encodePlaces,
  encodeSuspects,
} from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { aSpec } from '../../support/builders.ts';
import { type Fault, FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { namedCheck, writtenLedger } from '../../support/written-ledger.ts';

const PLACED = encodePlaces({ nonce: '' });
const W1 = 'w1' as WorkerId;
const W2 = 'w2' as WorkerId;

const inZone = (key: string, zone: string): CheckDefinition => ({
  ...namedCheck(key),
  spec: aSpec({ zone }),
});

const aPool = () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const ledger = writtenLedger(store);
  const { keys } = ledger;
  let processes = 0;
  /** A process that takes jobs, with its own copy of the ledger and its own way to the store. */
  const join = () => {
    processes += 1;
    const network = new FaultyStore(store);
    const random = seededRandom(processes);
    const common = { store: network, keys, clock, random };
    const view = new LedgerView({ ...common, awaySince: () => null });
    view.start();
    const jobs = new ApiJobs({ ...common, view });
    return {
      network,
      add: (checks: readonly (string | CheckDefinition)[], worker: WorkerId | null = null) => {
        const definitions = checks.map((check) =>
          typeof check === 'string' ? namedCheck(check) : check,
        );
        return clock.until(jobs.add(definitions, worker), 60_000);
      },
      remove: (key: string) => clock.until(jobs.remove(namedCheck(key)), 60_000),
      release: (key: string) => clock.until(jobs.release(namedCheck(key)), 60_000),
      /** Without letting time pass. */
      adding: (key: string) => jobs.add([namedCheck(key)], null),
      removing: (key: string) => jobs.remove(namedCheck(key)),
    };
  };
  /** What stands in the store: by jobset its owner and the keys of its definitions. */
  const standing = async () => {
    const { entries } = await store.snapshot(keys.jobsets);
    return Promise.all(
      entries.map(async (entry) => {
        const id = keys.jobsetOf(entry.key);
        const jobset = decodeJobset(id, entry);
        const { entries: chunks } = await store.snapshot(keys.definitions(id));
        const definitions = decodeDefinitions(chunks);
        const [own] = (await store.snapshot(keys.owner(id))).entries;
        expect(jobset.jobs).toEqual(definitions.map((definition) => definition.id));
        expect(jobset.digest).toBe(digestOf(definitions));
        expect(jobset.chunks).toBe(chunks.length);
        const checks = definitions.map(({ key }) => key);
        return { ...jobset, checks, owner: own ? decodeOwnership(own).worker : null };
      }),
    );
  };
  const allChecks = async () => (await standing()).flatMap(({ checks }) => checks).sort();
  return { clock, store, ledger, keys, join, standing, allChecks };
};

/** `prefix0` and so on. */
const many = (count: number, prefix = 'a/') => Array.from({ length: count }, (_, n) => prefix + n);

describe('adding jobs', () => {
  it('makes a jobset of the API that nobody holds, for any worker to claim', async () => {
    const { join, standing } = aPool();
    const { added, refused } = await join().add(['a/x', 'a/y']);
    const jobsets = await standing();
    expect(jobsets).toMatchObject([
      { source: 'api', checks: ['a/x', 'a/y'], owner: null, zone: null, avoid: [] },
    ]);
    const { id: jobset } = jobsets[0]!;
    expect(added).toEqual([
      { check: 'a/x', jobset, worker: null },
      { check: 'a/y', jobset, worker: null },
    ]);
    expect(refused).toEqual([]);
  });

  it('fills a jobset of the API that has room, and says whose it is', async () => {
    const { join, standing, ledger } = aPool();
    const { add } = join();
    const { added } = await add(['a/x']);
    await ledger.owns('w1', added[0]!.jobset);
    expect((await add(['a/y'])).added).toEqual([
      { check: 'a/y', jobset: added[0]!.jobset, worker: 'w1' },
    ]);
    expect(await standing()).toMatchObject([{ checks: ['a/x', 'a/y'] }]);
  });

  it('leaves alone jobsets of the folder, full ones, avoided ones and those of another zone', async () => {
    const { join, standing, ledger } = aPool();
    await ledger.jobset('folder', ['f/x']);
    await ledger.jobset('full', many(100, 'b/'), { source: 'api' });
    await ledger.jobset('large', ['l/x'], { source: 'api', chunks: 2 });
    await ledger.jobset('avoided', ['v/x'], { source: 'api', avoid: [W1] });
    await ledger.jobset('eu', ['e/x'], { source: 'api', zone: 'eu' });
    const { added } = await join().add(['a/x', inZone('e/y', 'eu')]);
    const known = new Map(added.map(({ check, jobset }) => [check, jobset]));
    expect(known.get('e/y')).toBe('eu');
    expect(['folder', 'full', 'large', 'avoided', 'eu']).not.toContain(known.get('a/x'));
    expect(added).toHaveLength(2);
    await ledger.drop(ledger.keys.jobset('large' as JobsetId));
    expect((await standing()).map(({ checks }) => checks.length).sort()).toEqual([1, 1, 1, 100, 2]);
  });

  it('spreads more than fit over several jobsets, by zone', async () => {
    const { join, standing } = aPool();
    const wanted = [...many(150), inZone('e/1', 'eu'), 'a/last', inZone('e/2', 'eu')];
    const { added, refused } = await join().add(wanted);
    expect([added.length, refused.length]).toEqual([153, 0]);
    const sizes = (await standing()).map(({ zone, jobs }) => [zone, jobs.length]);
    expect(sizes.sort()).toEqual(
      [
        ['eu', 2],
        [null, 100],
        [null, 51],
      ].sort(),
    );
  });

  it('refuses a check that is there already, and says where', async () => {
    const { join, ledger, allChecks } = aPool();
    await ledger.jobset('js-1', ['f/x']);
    await ledger.owns('w1', 'js-1');
    const { add } = join();
    const { added } = await add(['a/x']);
    const again = await add(['f/x', 'a/x', 'a/y']);
    expect(again.added.map(({ check }) => check)).toEqual(['a/y']);
    expect(again.refused).toEqual([
      { check: 'f/x', why: 'it is there already, by the spec folder, in jobset js-1 of w1' },
      {
        check: 'a/x',
        why: `it is there already, by jobs add, in jobset ${added[0]!.jobset} of no worker yet`,
      },
    ]);
    expect(await allChecks()).toEqual(['a/x', 'a/y', 'f/x']);
  });

  it('refuses a check in a record that only a newer watcher can read', async () => {
    const { join, ledger, clock } = aPool();
    const record = JSON.stringify({ v: 2, tasks: [namedCheck('a/x').id] });
    await ledger.put(ledger.keys.jobset('js-9' as JobsetId), Buffer.from(record));
    await clock.advance(0);
    expect((await join().add(['a/x'])).refused).toMatchObject([{ check: 'a/x' }]);
  });
});

describe('adding jobs for a worker', () => {
  it('gives it a new jobset under its lease, so that it is free again when the worker dies', async () => {
    const { clock, store, join, standing, ledger } = aPool();
    const lease = await store.lease(6_000);
    await ledger.worker('w1', {}, lease.id);
    const { added } = await join().add(['a/x'], W1);
    expect(added).toMatchObject([{ check: 'a/x', worker: 'w1' }]);
    expect(await standing()).toMatchObject([{ owner: 'w1', checks: ['a/x'] }]);
    await clock.advance(6_000);
    expect(await standing()).toMatchObject([{ owner: null, checks: ['a/x'] }]);
  });

  it('fills a jobset that it owns, and none of another worker', async () => {
    const { store, join, standing, ledger } = aPool();
    const lease = await store.lease(60_000);
    await ledger.worker('w1', {}, lease.id);
    await ledger.jobset('of-w2', ['b/x'], { source: 'api' });
    await ledger.owns('w2', 'of-w2');
    await ledger.jobset('vacant', ['b/y'], { source: 'api' });
    await ledger.jobset('of-w1', ['b/z'], { source: 'api' });
    await ledger.owns('w1', 'of-w1');
    await join().add(['a/x'], W1);
    const jobsets = await standing();
    expect(jobsets.find(({ id }) => id === 'of-w1')?.checks).toEqual(['b/z', 'a/x']);
    expect(jobsets).toHaveLength(3);
  });

  it('refuses a worker that there is not, and one that is about to leave', async () => {
    const { join, ledger, allChecks } = aPool();
    await ledger.worker('w2', { state: 'draining' });
    const { add } = join();
    await expect(add(['a/x'], W1)).rejects.toMatchObject({
      code: 'WCH_USAGE',
      message: expect.stringMatching(/no worker is called w1.*watcher workers/),
    });
    await expect(add(['a/x'], W2)).rejects.toMatchObject({ code: 'WCH_USAGE' });
    expect(await allChecks()).toEqual([]);
  });

  it('refuses checks of a zone in which it is not', async () => {
    const { store, join, ledger, allChecks } = aPool();
    const lease = await store.lease(60_000);
    await ledger.worker('w1', { zone: 'us' }, lease.id);
    const { refused } = await join().add([inZone('a/eu', 'eu'), inZone('a/us', 'us')], W1);
    expect(refused).toEqual([
      { check: 'a/eu', why: 'it runs in zone eu only, where worker w1 is not' },
    ]);
    expect(await allChecks()).toEqual(['a/us']);
  });

  it.each(['dies', 'announces its drain'])(
    'gives no jobset to a worker that %s at this moment',
    async (what) => {
      const { store, join, ledger, allChecks } = aPool();
      const lease = await store.lease(60_000);
      await ledger.worker('w1', {}, lease.id);
      const { add, network } = join();
      const commit = network.commit.bind(network);
      network.commit = async (when, then, otherwise) => {
        const isWrite = then.some(({ kind }) => kind === 'put');
        if (isWrite && what === 'dies') await lease.revoke();
        else if (isWrite) await ledger.worker('w1', { state: 'draining' }, lease.id);
        return commit(when, then, otherwise);
      };
      await expect(add(['a/x'], W1)).rejects.toMatchObject({ code: 'WCH_USAGE' });
      expect(await allChecks()).toEqual([]);
    },
  );

  it('does not fill a jobset that it hands back meanwhile', async () => {
    const { store, join, ledger, standing } = aPool();
    const lease = await store.lease(60_000);
    await ledger.worker('w1', {}, lease.id);
    await ledger.jobset('js-1', ['b/z'], { source: 'api' });
    await ledger.owns('w1', 'js-1');
    const { add, network } = join();
    const commit = network.commit.bind(network);
    network.commit = async (when, then, otherwise) => {
      if (then.some(({ kind }) => kind === 'put')) {
        network.commit = commit;
        await ledger.owns('w2', 'js-1');
      }
      return commit(when, then, otherwise);
    };
    await add(['a/x'], W1);
    expect(await standing()).toContainEqual(
      expect.objectContaining({ owner: 'w1', checks: ['a/x'] }),
    );
  });
});

describe('jobs that are added at the same time', () => {
  it('are all there, whoever wins which race', async () => {
    const { clock, join, allChecks } = aPool();
    const processes = Array.from({ length: 20 }, join);
    await clock.advance(0);
    const reports = await clock.until(
      Promise.all(processes.map(({ adding }, n) => adding(`a/${n}`))),
      60_000,
    );
    expect(reports.flatMap(({ added }) => added)).toHaveLength(20);
    expect(await allChecks()).toEqual(many(20).sort());
  });

  it('are there once when it is the same check, and all but one hear of it', async () => {
    const { clock, join, allChecks } = aPool();
    const processes = Array.from({ length: 20 }, join);
    await clock.advance(0);
    const reports = await clock.until(
      Promise.all(processes.map(({ adding }) => adding('a/x'))),
      60_000,
    );
    expect(reports.flatMap(({ added }) => added)).toHaveLength(1);
    expect(reports.flatMap(({ refused }) => refused)).toHaveLength(19);
    expect(await allChecks()).toEqual(['a/x']);
  });

  it('are there once also when one process does not see what the other has done', async () => {
    const { clock, join, allChecks } = aPool();
    const [seeing, blind] = [join(), join()];
    await seeing.add(['b/x']);
    await clock.advance(0);
    blind.network.blind = true;
    await seeing.add(['a/x']);
    const late = blind.adding('a/x');
    await clock.advance(500);
    blind.network.heal();
    expect((await clock.until(late, 60_000)).refused).toHaveLength(1);
    expect(await allChecks()).toEqual(['a/x', 'b/x']);
  });

  it('are there once when the folder is published with the same check at this moment', async () => {
    const { join, ledger, keys, allChecks } = aPool();
    const { add, network } = join();
    await add(['b/x']);
    const commit = network.commit.bind(network);
    network.commit = async (when, then, otherwise) => {
      if (then.some(({ kind }) => kind === 'put')) {
        network.commit = commit;
        await ledger.jobset(
          'folder',
          ['a/x'],
          {},
          { kind: 'put', key: keys.places, value: PLACED },
        );
      }
      return commit(when, then, otherwise);
    };
    const { refused } = await add(['a/x']);
    expect(refused).toMatchObject([{ why: expect.stringContaining('by the spec folder') }]);
    expect(await allChecks()).toEqual(['a/x', 'b/x']);
  });

  it.each<Fault>(['answer', 'repeated'])(
    'are there once, and said to be, when the store has them and its yes is lost (%s)',
    async (fault) => {
      const { join, allChecks } = aPool();
      const { add, network } = join();
      network.nextFault = (then) => {
        if (!then.some(({ kind }) => kind === 'put')) return null;
        network.nextFault = null;
        return fault;
      };
      expect((await add(['a/x'])).added).toHaveLength(1);
      expect(await allChecks()).toEqual(['a/x']);
    },
  );

  it('are not there when the request was lost, and that is said', async () => {
    const { join, allChecks } = aPool();
    const { add, network } = join();
    network.nextFault = (then) => (then.some(({ kind }) => kind === 'put') ? 'request' : null);
    await expect(add(['a/x'])).rejects.toMatchObject({ code: 'WCH_STORE_UNAVAILABLE' });
    expect(await allChecks()).toEqual([]);
  });

  it('are told apart when the store goes away half-way', async () => {
    const { join, allChecks } = aPool();
    const { add, network } = join();
    let puts = 0;
    network.nextFault = (then) => {
      if (then.some(({ kind }) => kind === 'put')) puts += 1;
      return puts > 1 ? 'request' : null;
    };
    const { added, refused } = await add(many(150));
    expect([added.length, refused.length]).toEqual([100, 50]);
    expect(refused[0]?.why).toMatch(/request was lost/);
    expect((await allChecks()).length).toBe(100);
  });

  it('are not taken by a process that cannot see the ledger as it is', async () => {
    const { clock, join, allChecks } = aPool();
    const [seeing, blind] = [join(), join()];
    await clock.advance(0);
    blind.network.blind = true;
    await seeing.add(['a/x']);
    await expect(blind.add(['a/y'])).rejects.toMatchObject({
      code: 'WCH_STORE_UNAVAILABLE',
      message: expect.stringContaining('ask another'),
    });
    expect(await allChecks()).toEqual(['a/x']);
  });
});

describe('removing a job', () => {
  it('takes it out of its jobset, and leaves the others as they are', async () => {
    const { join, standing } = aPool();
    const { add, remove } = join();
    await add(['a/x', 'a/y', 'a/z']);
    expect(await remove('a/y')).toBeNull();
    expect(await standing()).toMatchObject([{ checks: ['a/x', 'a/z'] }]);
  });

  it('takes the jobset with its last job, and all that was about it', async () => {
    const { join, store, ledger, keys } = aPool();
    const { add, remove } = join();
    const { added } = await add(['a/x']);
    const { jobset } = added[0]!;
    await ledger.owns('w1', jobset);
    await ledger.put(keys.checkpoint(jobset), Buffer.from('{}'));
    expect(await remove('a/x')).toBeNull();
    const { entries } = await store.snapshot('');
    expect(entries.map(({ key }) => key)).toEqual([keys.places]);
  });

  it('refuses a check of the folder, and one that there is not', async () => {
    const { clock, join, ledger, allChecks } = aPool();
    await ledger.jobset('js-1', ['f/x']);
    const { remove } = join();
    await clock.advance(0);
    expect(await remove('f/x')).toMatch(/^f\/x stands in the spec folder/);
    expect(await remove('a/x')).toBe('no check is named a/x');
    expect(await allChecks()).toEqual(['f/x']);
  });

  it('finds at once what another process has just added', async () => {
    const { clock, join, allChecks } = aPool();
    const [first, second] = [join(), join()];
    await first.add(['b/x']);
    await clock.advance(0);
    second.network.blind = true;
    await first.add(['a/x']);
    const removed = second.removing('a/x');
    await clock.advance(200);
    second.network.heal();
    expect(await clock.until(removed, 60_000)).toBeNull();
    expect(await allChecks()).toEqual(['b/x']);
  });

  it('loses none of those that are added or removed at the same time', async () => {
    const { clock, join, allChecks } = aPool();
    const processes = Array.from({ length: 20 }, join);
    await processes[0]!.add(many(10, 'old/'));
    await clock.advance(0);
    const work = processes.map(({ adding, removing }, n) =>
      n < 10 ? removing(`old/${n}`) : adding(`new/${n}`),
    );
    await clock.until(Promise.all(work), 60_000);
    expect(await allChecks()).toEqual(Array.from({ length: 10 }, (_, n) => `new/${n + 10}`).sort());
  });

  it('is done once, whoever of two does it', async () => {
    const { clock, join, allChecks } = aPool();
    const [first, second] = [join(), join()];
    await first.add(['a/x', 'a/y']);
    await clock.advance(0);
    const both = Promise.all([first.removing('a/x'), second.removing('a/x')]);
    expect(await clock.until(both, 60_000)).toEqual([null, null]);
    expect(await allChecks()).toEqual(['a/y']);
  });
});

describe('releasing a job', () => {
  const waiting = (reason: 'quarantined' | 'late') =>
    ({ reason, since: 1, by: W1, load: 0 }) as const;

  it('lets any worker claim what was quarantined, and holds nothing against it', async () => {
    const { join, ledger, store, keys, standing } = aPool();
    const process = join();
    await ledger.jobset('j', ['a/x'], { waiting: waiting('quarantined') });
    const { id } = namedCheck('a/x');
    const jobs = { [id]: { deaths: 3, at: 1, isTried: false } };
    const put = { kind: 'put', key: keys.suspects('j' as JobsetId) } as const;
    await store.commit([], [{ ...put, value: encodeSuspects({ by: W1, jobs }) }]);
    expect(await process.release('a/x')).toBeNull();
    expect(await standing()).toMatchObject([{ id: 'j', checks: ['a/x'], waiting: null }]);
    expect((await store.snapshot(keys.allSuspects)).entries).toEqual([]);
  });

  it('lets any worker claim what waits for one with room', async () => {
    const { join, ledger, standing } = aPool();
    const process = join();
    await ledger.jobset('j', ['a/x', 'a/y'], { waiting: waiting('late') });
    expect(await process.release('a/y')).toBeNull();
    expect(await standing()).toMatchObject([{ checks: ['a/x', 'a/y'], waiting: null }]);
  });

  it('says that a job waits for nothing, or is not there', async () => {
    const { join, ledger } = aPool();
    const process = join();
    await ledger.jobset('j', ['a/x']);
    expect(await process.release('a/x')).toBe('a/x waits for nothing and is not quarantined');
    expect(await process.release('a/z')).toBe('no check is named a/z');
  });

  it('looks again when the jobset is changed meanwhile', async () => {
    const { join, ledger, standing } = aPool();
    const process = join();
    await ledger.jobset('j', ['a/x'], { waiting: waiting('quarantined') });
    process.network.nextFault = () => {
      process.network.nextFault = null;
      return 'repeated';
    };
    expect(await process.release('a/x')).toBeNull();
    expect(await standing()).toMatchObject([{ waiting: null }]);
  });
});
