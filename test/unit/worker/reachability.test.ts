import { beforeEach, describe, expect, it } from 'vitest';
import { digestOf, encodeDefinitions } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { type Claim, Ledger, type Registration } from '../../../src/shared/coordination/ledger.ts';
import { decodeJobset, encodeJobset } from '../../../src/shared/coordination/records.ts';
import type {
  CheckDefinition,
  CheckId,
  JobsetId,
  WorkerId,
} from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import type { Handover, Jobset, WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { Moving } from '../../../src/worker/moving.ts';
import type { Plan } from '../../../src/worker/plan.ts';
import { Reachability } from '../../../src/worker/reachability.ts';
import { aCheck } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ScriptedProbe } from '../../support/scripted-probe.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const keys = new Keys();

const aWorker = (id: string): WorkerRecord => ({
  id: id as WorkerId,
  state: 'up',
  capacity: { places: 256, jobs: null },
  host: 'host',
  version: '0.0.0',
  zone: null,
  listen: null,
  started: 0,
});
const checks = (...hosts: readonly string[]): CheckDefinition[] =>
  hosts.map((host) => aCheck(`${host}/health`));
const handover: Handover = { progress: { through: 1, open: [] }, states: {} };

/** One worker, w1, that claims by hand; whoever else there is only stands in its list of members. */
const aPool = async () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const network = new FaultyStore(store);
  const random = seededRandom(1);
  const ledger = new Ledger({ store: network, keys, clock, random });
  const probe = new ScriptedProbe(clock);
  const dead = new Set<string>();
  probe.reach = (origin) => {
    if (origin.startsWith('unsure')) return 'unsure';
    return dead.has(origin) ? 'unreached' : 'reached';
  };
  const by: Registration = await ledger.register(aWorker('w1'), await store.lease(MINUTE * 1_000));
  const members = { live: [aWorker('w1'), aWorker('w2'), aWorker('w3')] };
  const claims = new Map<JobsetId, Claim>();
  const aside = new Map<JobsetId, ReadonlySet<CheckId>>();
  const putBack: JobsetId[] = [];
  const setAside: JobsetId[] = [];
  const suspicions: string[] = [];
  const state = { doubts: false, quiet: Promise.resolve(), offered: 0 };
  const moving = new Moving({
    clock,
    ledger,
    custody: {
      claimOf: (id) => claims.get(id) ?? null,
      setAside: async (id, jobs) => {
        setAside.push(id);
        aside.set(id, jobs);
        await state.quiet;
        return handover;
      },
      putBack: (id) => {
        aside.delete(id);
        putBack.push(id);
      },
      suspects: () => false,
    },
  });
  const reachability = new Reachability({
    clock,
    log: silentLog,
    ledger,
    worker: by.worker,
    members,
    probes: { http: probe },
    moving,
    doubts: () => state.doubts,
    onSuspicion: (change) => suspicions.push(change),
    onOffered: (jobs) => {
      state.offered += jobs;
    },
  });

  const publish = async (
    name: string,
    definitions: readonly CheckDefinition[],
    avoid: readonly string[] = [],
  ): Promise<JobsetId> => {
    const id = name as JobsetId;
    const chunks = encodeDefinitions(definitions);
    const jobset: Jobset = {
      id,
      source: 'folder',
      jobs: definitions.map((one) => one.id),
      digest: digestOf(definitions),
      chunks: chunks.length,
      zone: null,
      avoid: avoid as readonly WorkerId[],
      waiting: null,
      moveTo: null,
    };
    await store.commit(
      [],
      [
        { kind: 'put', key: keys.jobset(id), value: encodeJobset(jobset) },
        ...chunks.map((value, i) => ({ kind: 'put', key: keys.chunk(id, i), value }) as const),
      ],
    );
    return id;
  };

  const claim = async (id: JobsetId): Promise<void> => {
    const { entries } = await store.snapshot(keys.jobset(id));
    const { entries: owners } = await store.snapshot(keys.owner(id));
    const sight = {
      revision: entries[0]?.modRevision ?? 0,
      ownRevision: owners[0]?.modRevision ?? 0,
      owner: null,
      at: 0,
    };
    const { claimed } = await ledger.claim(id, sight, by);
    if (claimed) claims.set(id, claimed.claim);
    reachability.onHeld(id);
  };

  /** A jobset with a check for each host, published and claimed. */
  const hold = async (name: string, hosts: readonly string[], avoid: readonly string[] = []) => {
    const id = await publish(name, checks(...hosts), avoid);
    await claim(id);
    return id;
  };

  /** Hosts of each jobset in the ledger, with who should not take it. */
  const jobsets = async (): Promise<string[]> => {
    const { entries } = await store.snapshot(keys.jobsets);
    return entries
      .map((entry) => decodeJobset(keys.jobsetOf(entry.key), entry))
      .map(({ jobs, avoid }) => [...jobs.map(hostOf), ...avoid.map((id) => `-${id}`)].join(' '))
      .sort();
  };
  /** A failing result of a check of this host. */
  const fail = (id: JobsetId, host: string, hasTurned = true): void => {
    const plan = { probe, prepared: null } as unknown as Plan;
    reachability.onUnreachable(id, `${host}/health`, plan, hasTurned);
  };

  /** How often the store is asked or told anything from now on. */
  const countCommits = (): (() => number) => {
    let commits = 0;
    network.nextFault = () => {
      commits += 1;
      return null;
    };
    return () => commits;
  };

  return {
    countCommits,
    clock,
    store,
    network,
    probe,
    dead,
    members,
    claims,
    aside,
    putBack,
    setAside,
    suspicions,
    state,
    reachability,
    publish,
    claim,
    hold,
    jobsets,
    fail,
    dialled: () => probe.dialled.map(({ origin }) => origin),
  };
};

const hostOf = (id: CheckId): string => id.replace('id-of-', '').replace('/health', '');

const hosts = (n: number, prefix = 'h'): string[] =>
  Array.from({ length: n }, (_, i) => `${prefix}${i}`);

describe('after a claim', () => {
  let pool: Awaited<ReturnType<typeof aPool>>;
  beforeEach(async () => {
    pool = await aPool();
  });

  it('offers the jobs that cannot be reached from here, and keeps the rest', async () => {
    pool.dead.add('x');
    const id = await pool.hold('js', ['a', 'x', 'b']);
    await pool.clock.advance(10 * SECOND);
    expect(await pool.jobsets()).toEqual(['a b', 'x -w1']);
    expect([...(pool.aside.get(id) ?? [])].map(hostOf)).toEqual(['x']);
    expect(pool.putBack).toEqual([]);
    expect(pool.state.offered).toBe(1);
  });

  it('hands a jobset on as a whole where nothing of it is reached', async () => {
    for (const host of ['x', 'y']) pool.dead.add(host);
    await pool.hold('js', ['x', 'y']);
    await pool.clock.advance(10 * SECOND);
    expect(await pool.jobsets()).toEqual(['x y -w1']);
    const { entries } = await pool.store.snapshot(keys.owners);
    expect(entries.map(({ value }) => JSON.parse(value.toString()).worker)).toEqual([null]);
  });

  it('dials each origin once, whatever checks and jobsets share it', async () => {
    await pool.publish('one', [aCheck('a/1'), aCheck('a/2'), aCheck('b/1')]);
    await pool.publish('two', [aCheck('a/3'), aCheck('b/2')]);
    await pool.claim('one' as JobsetId);
    await pool.claim('two' as JobsetId);
    await pool.clock.advance(10 * SECOND);
    expect(pool.dialled().sort()).toEqual(['a', 'b']);
  });

  it('dials twenty at a time', async () => {
    for (const host of hosts(50)) pool.dead.add(host);
    await pool.hold('js', [...hosts(50), ...hosts(60, 'alive')]);
    await pool.clock.advance(1_000);
    expect(pool.dialled()).toHaveLength(20);
    await pool.clock.advance(3_000);
    expect(pool.dialled()).toHaveLength(40);
  });

  it('waits for the runs in flight before it writes anything', async () => {
    pool.dead.add('x');
    const quiet = Promise.withResolvers<void>();
    pool.state.quiet = quiet.promise;
    await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(30 * SECOND);
    expect(pool.aside.size).toBe(1);
    expect(await pool.jobsets()).toEqual(['a x']);
    quiet.resolve();
    await pool.clock.advance(1);
    expect(await pool.jobsets()).toEqual(['a', 'x -w1']);
  });

  it('asks nobody anything while it is alone', async () => {
    pool.members.live = [aWorker('w1')];
    await pool.publish('js', checks('a'));
    const commits = pool.countCommits();
    await pool.claim('js' as JobsetId);
    await pool.clock.advance(MINUTE);
    expect(commits()).toBe(1);
  });

  it('dials nothing while nobody else is there who could take anything', async () => {
    pool.dead.add('x');
    pool.members.live = [aWorker('w1')];
    await pool.hold('js', ['a', 'x']);
    pool.members.live = [aWorker('w1'), { ...aWorker('w2'), state: 'draining' }];
    await pool.hold('js2', ['x']);
    await pool.clock.advance(10 * MINUTE);
    expect(pool.dialled()).toEqual([]);
    expect(await pool.jobsets()).toEqual(['a x', 'x']);
  });

  it.each([
    ['two others have refused it', ['w2', 'w4']],
    ['it has refused it itself', ['w1']],
    ['all others have', ['w2', 'w3']],
  ])('keeps what it cannot reach when %s', async (_, avoid) => {
    pool.dead.add('x');
    await pool.hold('js', ['x'], avoid);
    await pool.clock.advance(10 * MINUTE);
    expect(pool.dialled()).toEqual([]);
    expect(pool.aside.size).toBe(0);
  });

  it('does not dial again what was dialled within a minute', async () => {
    await pool.hold('one', ['a', 'b']);
    await pool.clock.advance(30 * SECOND);
    await pool.hold('two', ['b', 'c']);
    await pool.clock.advance(31 * SECOND);
    expect(pool.dialled().sort()).toEqual(['a', 'b', 'c']);
    await pool.hold('three', ['a']);
    await pool.clock.advance(30 * SECOND);
    expect(pool.dialled()).toHaveLength(4);
  });

  it('offers a jobset once, however often it is noticed meanwhile', async () => {
    pool.dead.add('x');
    pool.state.quiet = new Promise(() => {});
    const id = await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(10 * SECOND);
    pool.reachability.onHeld(id);
    await pool.clock.advance(10 * SECOND);
    expect(pool.setAside).toEqual([id]);
  });

  it('dials and offers nothing more once it is disposed of', async () => {
    pool.dead.add('x');
    await pool.hold('js', ['x', ...hosts(40, 'unsure')]);
    // It is known by now that one is not reached; of others it is not.
    await pool.clock.advance(5 * SECOND);
    pool.reachability[Symbol.dispose]();
    expect(pool.probe.connecting).toBe(0);
    await pool.clock.advance(10 * MINUTE);
    expect(pool.setAside).toEqual([]);
    expect(pool.dialled().length).toBeLessThan(41);
  });
});

describe('a worker that cannot reach most of its endpoints', () => {
  let pool: Awaited<ReturnType<typeof aPool>>;
  beforeEach(async () => {
    pool = await aPool();
  });

  it('suspects itself, says so once, and tries again until it can', async () => {
    for (const host of hosts(6)) pool.dead.add(host);
    await pool.hold('js', [...hosts(6), 'a', 'b']);
    await pool.clock.advance(10 * MINUTE);
    expect(await pool.jobsets()).toHaveLength(1);
    expect(pool.aside.size).toBe(0);
    expect(pool.suspicions).toEqual(['entered']);
    for (const host of hosts(5)) pool.dead.delete(host);
    await pool.clock.advance(2 * MINUTE);
    expect(pool.suspicions).toEqual(['entered', 'left']);
    expect((await pool.jobsets())[1]).toBe('h5 -w1');
  });

  it('suspects itself when three small jobsets are out of reach at once', async () => {
    for (const host of hosts(3)) pool.dead.add(host);
    for (const host of hosts(3)) await pool.hold(`js-${host}`, [host]);
    await pool.clock.advance(5 * MINUTE);
    expect(await pool.jobsets()).toEqual(['h0', 'h1', 'h2']);
    expect(pool.suspicions).toEqual(['entered']);
  });

  it('dials what it reached before when one small jobset begins to fail', async () => {
    for (const host of hosts(8)) await pool.hold(`js-${host}`, [host]);
    await pool.clock.advance(11 * MINUTE);
    for (const host of hosts(8)) pool.dead.add(host);
    pool.fail('js-h3' as JobsetId, 'h3');
    await pool.clock.advance(20 * MINUTE);
    expect(await pool.jobsets()).toEqual(hosts(8));
    expect(pool.suspicions).toEqual(['entered']);
  });

  it('offers that jobset when the others are still reached', async () => {
    for (const host of hosts(8)) await pool.hold(`js-${host}`, [host]);
    await pool.clock.advance(11 * MINUTE);
    pool.dead.add('h3');
    pool.fail('js-h3' as JobsetId, 'h3');
    await pool.clock.advance(20 * SECOND);
    expect(await pool.jobsets()).toContain('h3 -w1');
    expect(pool.suspicions).toEqual([]);
  });

  it('takes no endpoint for a witness that it is about to judge', async () => {
    await pool.hold('js', ['x', 'y']);
    await pool.hold('other', ['a']);
    await pool.clock.advance(11 * MINUTE);
    for (const host of ['x', 'y']) pool.dead.add(host);
    pool.fail('js' as JobsetId, 'x');
    await pool.clock.advance(20 * SECOND);
    expect(await pool.jobsets()).toEqual(['a', 'x y -w1']);
  });

  it('takes no endpoint for a witness that it has never reached, or not for an hour', async () => {
    for (const host of ['x', 'y', 'z']) pool.dead.add(host);
    await pool.hold('js', ['a', 'b', 'c', 'x', 'y', 'z']);
    await pool.clock.advance(11 * MINUTE);
    pool.dead.add('later');
    await pool.hold('js2', ['later']);
    await pool.clock.advance(20 * SECOND);
    expect(await pool.jobsets()).toContain('later -w1');
    await pool.clock.advance(2 * 60 * MINUTE);
    for (const host of ['a', 'b', 'c', 'last']) pool.dead.add(host);
    await pool.hold('js3', ['last']);
    await pool.clock.advance(20 * SECOND);
    expect(await pool.jobsets()).toContain('last -w1');
    expect(pool.suspicions).toEqual([]);
  });

  it('offers nothing while its runs say that the network here is at fault', async () => {
    pool.dead.add('x');
    pool.state.doubts = true;
    await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(MINUTE);
    expect(await pool.jobsets()).toEqual(['a x']);
    pool.state.doubts = false;
    await pool.clock.advance(2 * MINUTE);
    expect(await pool.jobsets()).toEqual(['a', 'x -w1']);
  });

  it('does not suspect itself over jobs that others could not reach either', async () => {
    for (const host of hosts(6)) pool.dead.add(host);
    await pool.hold('js', hosts(6), ['w2']);
    await pool.clock.advance(20 * SECOND);
    expect(pool.suspicions).toEqual([]);
    expect((await pool.jobsets())[0]).toContain('-w2 -w1');
  });
});

describe('a check that fails', () => {
  let pool: Awaited<ReturnType<typeof aPool>>;
  let id: JobsetId;
  beforeEach(async () => {
    pool = await aPool();
    id = await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(10 * SECOND);
    pool.probe.dialled.length = 0;
    pool.dead.add('x');
  });

  it('is no news when its endpoint was reached within ten minutes: it is down', async () => {
    await pool.clock.advance(9 * MINUTE);
    pool.fail(id, 'x');
    await pool.clock.advance(10 * SECOND);
    expect(pool.dialled()).toEqual([]);
  });

  it('is offered when its endpoint cannot be reached from here any more', async () => {
    await pool.clock.advance(11 * MINUTE);
    pool.fail(id, 'x');
    await pool.clock.advance(10 * SECOND);
    expect(await pool.jobsets()).toEqual(['a', 'x -w1']);
  });

  it('is looked at when somebody has joined a worker that was alone', async () => {
    const lonely = await aPool();
    const { live } = lonely.members;
    lonely.members.live = [aWorker('w1')];
    lonely.dead.add('x');
    const held = await lonely.hold('js', ['a', 'x']);
    for (let minute = 0; minute < 3; minute += 1) {
      lonely.fail(held, 'x', minute === 0);
      await lonely.clock.advance(MINUTE);
    }
    lonely.members.live = live;
    lonely.fail(held, 'x', false);
    await lonely.clock.advance(10 * SECOND);
    expect(await lonely.jobsets()).toEqual(['a', 'x -w1']);
  });

  it('is looked at again as long as faults of our own have kept us from seeing anything', async () => {
    const shaky = await aPool();
    shaky.members.live = [aWorker('w1')];
    const held = await shaky.hold('js', ['a', 'x']);
    shaky.members.live = [aWorker('w1'), aWorker('w2')];
    shaky.probe.reach = () => 'unsure';
    shaky.fail(held, 'x');
    await shaky.clock.advance(MINUTE);
    shaky.probe.reach = (origin) => (origin === 'x' ? 'unreached' : 'reached');
    shaky.fail(held, 'x', false);
    await shaky.clock.advance(MINUTE);
    expect(await shaky.jobsets()).toEqual(['a', 'x -w1']);
  });

  it('is looked at when the claim can be proven again', async () => {
    const shaky = await aPool();
    const held = await shaky.hold('js', ['a', 'x'], ['w2', 'w4']);
    await shaky.clock.advance(MINUTE);
    const claim = shaky.claims.get(held) as Claim;
    shaky.claims.delete(held);
    shaky.fail(held, 'x');
    await shaky.clock.advance(MINUTE);
    shaky.claims.set(held, claim);
    const commits = shaky.countCommits();
    shaky.fail(held, 'x', false);
    await shaky.clock.advance(MINUTE);
    expect(commits()).toBe(1);
  });

  it('is not looked at again while it goes on failing and nobody new is there', async () => {
    const down = await aPool();
    down.dead.add('x');
    const held = await down.hold('js', ['x'], ['w2', 'w4']);
    for (let minute = 0; minute < 60; minute += 1) {
      down.fail(held, 'x', minute === 0);
      await down.clock.advance(MINUTE);
    }
    // As the leader's sweep does after a while.
    await down.publish('js', checks('x'));
    const { entries } = await down.store.snapshot(keys.jobset(held));
    const claim = down.claims.get(held) as Claim;
    down.claims.set(held, { ...claim, revision: entries[0]?.modRevision ?? 0 });
    down.fail(held, 'x', false);
    await down.clock.advance(MINUTE);
    expect(await down.jobsets()).toEqual(['x']);
    down.members.live = [...down.members.live, aWorker('w5')];
    down.fail(held, 'x', false);
    await down.clock.advance(MINUTE);
    expect(await down.jobsets()).toEqual(['x -w1']);
  });
});

describe('a check that turns over and over', () => {
  it('makes its worker look once in ten minutes', async () => {
    const pool = await aPool();
    const id = await pool.hold('js', ['x'], ['w2', 'w4']);
    await pool.clock.advance(MINUTE);
    const commits = pool.countCommits();
    for (let minute = 0; minute < 30; minute += 1) {
      pool.fail(id, 'x');
      await pool.clock.advance(MINUTE);
    }
    expect(commits()).toBe(3);
  });
});

describe('an offer that something comes in between', () => {
  let pool: Awaited<ReturnType<typeof aPool>>;
  beforeEach(async () => {
    pool = await aPool();
    pool.dead.add('x');
  });

  it('puts the jobs back when the publisher was quicker, and is made again a minute later', async () => {
    const quiet = Promise.withResolvers<void>();
    pool.state.quiet = quiet.promise;
    const id = await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(10 * SECOND);
    await pool.publish('js', checks('a', 'x', 'b'));
    quiet.resolve();
    await pool.clock.advance(SECOND);
    expect(pool.putBack).toEqual([id]);
    expect(await pool.jobsets()).toEqual(['a x b']);
    const { entries } = await pool.store.snapshot(keys.jobset(id));
    const claim = pool.claims.get(id) as Claim;
    pool.claims.set(id, { ...claim, revision: entries[0]?.modRevision ?? 0 });
    await pool.clock.advance(2 * MINUTE);
    expect(await pool.jobsets()).toEqual(['a b', 'x -w1']);
  });

  it('writes nothing when the claim is lost while runs end', async () => {
    const quiet = Promise.withResolvers<void>();
    pool.state.quiet = quiet.promise;
    const id = await pool.hold('js', ['a', 'x']);
    await pool.clock.advance(10 * SECOND);
    pool.claims.delete(id);
    quiet.resolve();
    await pool.clock.advance(SECOND);
    expect(pool.putBack).toEqual([id]);
    expect(await pool.jobsets()).toEqual(['a x']);
  });

  const isMove = (kind: 'answer' | 'request') => {
    let isFirst = true;
    pool.network.nextFault = (then) => {
      if (!isFirst || !then.some((operation) => operation.kind === 'put')) return null;
      isFirst = false;
      pool.network.cut = true;
      return kind;
    };
  };

  it('leaves them aside when the answer is lost, until it knows that it was made', async () => {
    const id = await pool.hold('js', ['a', 'x']);
    isMove('answer');
    await pool.clock.advance(10 * SECOND);
    expect(pool.putBack).toEqual([]);
    pool.network.heal();
    await pool.clock.advance(2 * SECOND);
    expect(pool.putBack).toEqual([]);
    expect(pool.aside.has(id)).toBe(true);
    expect(pool.state.offered).toBe(1);
  });

  it('puts them back when it knows that it was not made', async () => {
    const id = await pool.hold('js', ['a', 'x']);
    isMove('request');
    await pool.clock.advance(10 * SECOND);
    expect(pool.putBack).toEqual([]);
    pool.network.heal();
    await pool.clock.advance(2 * SECOND);
    expect(pool.putBack).toEqual([id]);
  });

  it('leaves them aside when the store, that instant full, refuses what it has written', async () => {
    const { network } = pool;
    await pool.hold('js', ['a', 'x']);
    network.nextFault = (then) => {
      if (then.some(({ kind }) => kind === 'put'))
        network.beforeAnswer = async () => {
          network.beforeAnswer = null;
          throw new WatcherError('WCH_STORE_FULL', 'the store is full');
        };
      return null;
    };
    await pool.clock.advance(10 * SECOND);
    expect(pool.putBack).toEqual([]);
    expect(pool.state.offered).toBe(1);
  });

  it('is looked for once a minute, however often it is noticed', async () => {
    const id = await pool.hold('js', ['a', 'x']);
    const claim = pool.claims.get(id) as Claim;
    pool.claims.set(id, { ...claim, revision: claim.revision - 1 });
    for (let n = 0; n < 10; n += 1) {
      pool.reachability.onHeld(id);
      await pool.clock.advance(5 * SECOND);
    }
    let looks = 0;
    pool.network.nextFault = () => {
      looks += 1;
      return null;
    };
    await pool.clock.advance(10 * MINUTE);
    expect(looks).toBeGreaterThan(5);
    expect(looks).toBeLessThan(12);
  });

  it('puts them back when nobody knows and the claim cannot be proven any more', async () => {
    const id = await pool.hold('js', ['a', 'x']);
    isMove('answer');
    await pool.clock.advance(10 * SECOND);
    pool.claims.delete(id);
    await pool.clock.advance(2 * SECOND);
    expect(pool.putBack).toEqual([id]);
  });
});
