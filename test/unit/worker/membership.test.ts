import { beforeEach, describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Ledger } from '../../../src/shared/coordination/ledger.ts';
import { decodeProgress, decodeWorker } from '../../../src/shared/coordination/records.ts';
import type { WorkerId } from '../../../src/shared/domain/check.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { Membership } from '../../../src/worker/membership.ts';
import { NO_LOAD } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();
const ME = 'w1' as WorkerId;

const aMember = () => {
  const clock = new ManualClock();
  const random = seededRandom(1);
  const store = new MemoryStore({ clock });
  const network = new FaultyStore(store);
  const told: string[] = [];
  const itself = { isFull: false, isStuck: false };
  const stop = new AbortController();
  const membership = new Membership({
    clock,
    random,
    log: silentLog,
    ledger: new Ledger({ store: network, keys, clock, random }),
    worker: {
      id: ME,
      state: 'up',
      capacity: { places: 256, jobs: null },
      host: 'host',
      zone: null,
      version: '0.0.0',
      listen: null,
      started: 0,
    },
    timing: LEASE_TIMING,
    content: () => ({
      claims: [],
      checkpoints: new Map(),
      progress: { through: clock.now(), open: [], left: {} },
      checks: 0,
      load: NO_LOAD,
      stored: () => {},
    }),
    isFull: () => itself.isFull,
    isStuck: () => itself.isStuck,
    onBeat: () => {},
    onLeaseLost: () => told.push('lost'),
    onAttached: () => told.push('attached'),
    onDetached: () => told.push('detached'),
  });
  const ended = membership.run(stop.signal);
  return { clock, store, network, itself, told, membership, stop, ended };
};

let member: ReturnType<typeof aMember>;
beforeEach(async () => {
  member = aMember();
  await member.clock.advance(100);
});

describe('a member of the pool', () => {
  it('tells how far it is with each beat, on a key that outlives it', async () => {
    const { clock, store } = member;
    await clock.advance(20_000);
    const { entries } = await store.snapshot(keys.progress(ME));
    const [entry] = entries;
    if (entry === undefined) throw new Error('no progress');
    expect(entry.lease).toBe(null);
    expect(clock.now() - decodeProgress(entry).through).toBeLessThan(2_300);
  });

  it('is not set back by a beat that went unanswered and arrives late', async () => {
    const { clock, network, store } = member;
    const told = async () => (await store.snapshot(keys.progress(ME))).entries[0]?.modRevision;
    await clock.advance(10_000);
    network.nextFault = () => 'late';
    await clock.advance(2_000);
    network.nextFault = null;
    await clock.advance(2_000);
    const before = await told();
    await network.arrive();
    expect(await told()).toBe(before);
    await clock.advance(2_000);
    expect(await told()).toBeGreaterThan(before as number);
  });

  it('is detached the moment its fence closes, not when its lease is found to be lost', async () => {
    const { clock, network, told, membership } = member;
    await clock.advance(10_000);
    network.cut = true;
    await clock.advance(4_600);
    expect(told).toEqual(['attached', 'detached']);
    expect(membership.attached).toBe(false);
    network.heal();
    await clock.advance(1_100);
    expect(told).toEqual(['attached', 'detached', 'attached']);
  });

  it('is told so by a timer, where no call to the store ends that could tell it', async () => {
    const { clock, network, told } = member;
    await clock.advance(10_000);
    network.beforeAnswer = () => new Promise(() => {});
    await clock.advance(6_600);
    expect(told).toEqual(['attached', 'detached']);
  });

  it('has no doubt while it is attached, nor while the store has been away', async () => {
    const { clock, network, membership } = member;
    await clock.advance(10_000);
    expect(membership.doubt).toBe(null);
    network.cut = true;
    await clock.advance(5_000);
    expect(membership.attached).toBe(false);
    expect(membership.doubt).toBe(null);
  });

  it('doubts after a pause, until one attempt to renew is over: it holds what nobody took', async () => {
    const { clock, told, membership } = member;
    await clock.advance(10_000);
    clock.stall(5_000);
    const { doubt } = membership;
    expect(doubt).not.toBe(null);
    await clock.until(doubt as Promise<void>, 1_000);
    expect(membership.attached).toBe(true);
    expect(told).toEqual(['attached', 'detached', 'attached']);
  });

  it('knows after a longer pause that its lease is lost', async () => {
    const { clock, store, told, membership } = member;
    await clock.advance(10_000);
    clock.stall(18_000);
    await store.commit([], [{ kind: 'delete', key: keys.worker(ME) }]);
    await clock.until(membership.doubt as Promise<void>, 1_000);
    expect(told).toEqual(['attached', 'detached', 'lost', 'attached']);
    expect(membership.doubt).toBe(null);
  });

  it('doubts for a second at most where the store does not answer', async () => {
    const { clock, network, membership } = member;
    await clock.advance(10_000);
    clock.stall(5_000);
    network.beforeAnswer = () => new Promise(() => {});
    await clock.until(membership.doubt as Promise<void>, 1_000);
    expect(membership.attached).toBe(false);
    expect(membership.doubt).toBe(null);
  });

  it('keeps its place while the store is full, and tells nothing', async () => {
    const { clock, store, told, membership } = member;
    await clock.advance(10_000);
    store.makeRoom(1);
    await store.commit([], [{ kind: 'put', key: 'x', value: Buffer.alloc(64) }]).catch(() => {});
    const { entries: before } = await store.snapshot(keys.progress(ME));
    await clock.advance(20_000);
    const { entries: after } = await store.snapshot(keys.progress(ME));
    expect(membership.attached).toBe(true);
    expect(told).toEqual(['attached']);
    expect(after).toEqual(before);
    store.makeRoom(1e9);
    await clock.advance(3_000);
    expect((await store.snapshot(keys.progress(ME))).entries).not.toEqual(before);
  });

  it('waits outside while the store has no room for a lease', async () => {
    const { clock, store, network, told } = member;
    network.cut = true;
    await clock.advance(10_000);
    network.heal();
    store.makeRoom(1);
    await store.commit([], [{ kind: 'put', key: 'x', value: Buffer.alloc(64) }]).catch(() => {});
    await clock.advance(10_000);
    expect(told.at(-1)).not.toBe('attached');
    store.makeRoom(1e9);
    await clock.advance(3_000);
    expect(told.at(-1)).toBe('attached');
  });

  it('goes on after a defect', async () => {
    const { clock, network, told } = member;
    await clock.advance(10_000);
    let isBroken = true;
    network.beforeAnswer = async () => {
      if (isBroken) throw new TypeError('a defect');
    };
    await clock.advance(10_000);
    isBroken = false;
    await clock.advance(3_000);
    expect(told.at(-1)).toBe('attached');
  });

  it('takes its claims for void after a defect: they hang on a lease that nobody renews', async () => {
    const { clock, network, told, membership } = member;
    await clock.advance(10_000);
    const defect = async () => {
      throw new TypeError('a defect');
    };
    network.beforeAnswer = defect;
    await clock.advance(2_100);
    expect(membership.attached).toBe(false);
    network.beforeAnswer = null;
    await clock.advance(2_100);
    expect(told).toEqual(['attached', 'detached', 'lost', 'attached']);
  });

  it('doubts after a second pause, too, soon after the first', async () => {
    const { clock, membership } = member;
    await clock.advance(10_000);
    clock.stall(5_000);
    await clock.until(membership.doubt as Promise<void>, 1_000);
    await clock.advance(1_200);
    clock.stall(5_000);
    expect(membership.doubt).not.toBe(null);
  });

  it('believes no more in a lease that it is about to give back', async () => {
    const { clock, store, told, membership, stop } = member;
    await clock.advance(10_000);
    stop.abort();
    const left = membership.leave();
    expect(membership.attached).toBe(false);
    expect(told).toEqual(['attached', 'detached']);
    await clock.until(left);
    expect((await store.snapshot(keys.workers)).entries).toEqual([]);
  });

  it('is not attached again by a beat that was under way when it left', async () => {
    const { clock, network, membership, stop } = member;
    await clock.advance(10_000);
    const answer = Promise.withResolvers<void>();
    network.beforeAnswer = () => answer.promise;
    await clock.advance(2_100);
    stop.abort();
    await clock.until(membership.leave());
    answer.resolve();
    await clock.advance(100);
    expect(membership.attached).toBe(false);
  });

  it('does not join without a pause where each lease is lost at once', async () => {
    const { clock, store, network, told } = member;
    await clock.advance(10_000);
    const gone = { kind: 'delete', key: keys.worker(ME) } as const;
    network.nextFault = (then) => {
      if (then.some((one) => one.kind === 'put' && one.key === gone.key))
        network.beforeAnswer = async () => {
          network.beforeAnswer = null;
          await store.commit([], [gone]);
        };
      return null;
    };
    await store.commit([], [gone]);
    await clock.advance(12_000);
    expect(told.filter((what) => what === 'lost').length).toBeGreaterThan(5);
    expect(told.filter((what) => what === 'lost').length).toBeLessThan(60);
  });
});

describe('the state of a member', () => {
  const known = async () => {
    const { entries } = await member.store.snapshot(keys.workers);
    return entries.map((entry) => decodeWorker(ME, entry).state);
  };

  it('is known to the others a beat after it is full, and a beat after it has room again', async () => {
    const { clock, itself, told } = member;
    await clock.advance(10_000);
    expect(await known()).toEqual(['up']);
    itself.isFull = true;
    await clock.advance(2_100);
    expect(await known()).toEqual(['full']);
    itself.isFull = false;
    await clock.advance(2_100);
    expect(await known()).toEqual(['up']);
    expect(told).toEqual(['attached']);
  });

  it('changes under its lease, so that it goes with it', async () => {
    const { clock, store, itself, membership, stop } = member;
    itself.isFull = true;
    await clock.advance(10_000);
    stop.abort();
    await clock.until(membership.leave());
    expect((await store.snapshot(keys.workers)).entries).toEqual([]);
  });

  it('is told again when nobody knows whether the last one was heard', async () => {
    const { clock, network, itself } = member;
    await clock.advance(10_000);
    itself.isFull = true;
    await clock.advance(2_100);
    itself.isFull = false;
    network.nextFault = (then) =>
      then.some((one) => one.kind === 'put' && one.key === keys.worker(ME)) ? 'answer' : null;
    await clock.advance(2_100);
    network.nextFault = null;
    expect(await known()).toEqual(['up']);
    itself.isFull = true;
    await clock.advance(2_100);
    expect(await known()).toEqual(['full']);
  });

  it('stays full through another lease', async () => {
    const { clock, store, itself, told } = member;
    itself.isFull = true;
    await clock.advance(10_000);
    await store.commit([], [{ kind: 'delete', key: keys.worker(ME) }]);
    await clock.advance(3_000);
    expect(told).toEqual(['attached', 'detached', 'lost', 'attached']);
    expect(await known()).toEqual(['full']);
  });

  it('is draining from then on, however full it is', async () => {
    const { clock, itself, membership } = member;
    await clock.advance(10_000);
    itself.isFull = true;
    await clock.until(membership.announceDraining());
    itself.isFull = false;
    await clock.advance(5_000);
    expect(await known()).toEqual(['draining']);
  });

  it('is draining also when that is said while it is being said that it is full', async () => {
    const { clock, network, itself, membership } = member;
    await clock.advance(10_000);
    itself.isFull = true;
    network.beforeAnswer = () => clock.sleep(500);
    await clock.advance(1_900);
    await clock.until(membership.announceDraining());
    await clock.advance(3_000);
    expect(await known()).toEqual(['draining']);
  });

  it('is told again when nobody knows whether it was heard, and beats go on', async () => {
    const { clock, store, network, itself, told, membership } = member;
    await clock.advance(10_000);
    network.nextFault = (then) =>
      then.some((one) => one.kind === 'put' && one.key === keys.worker(ME)) ? 'answer' : null;
    itself.isFull = true;
    await clock.advance(2_100);
    expect(await known()).toEqual(['full']);
    network.nextFault = null;
    await clock.advance(4_200);
    const { entries } = await store.snapshot(keys.worker(ME));
    expect(membership.registration?.revision).toBe(entries[0]?.modRevision);
    expect(membership.registration?.worker.state).toBe('full');
    expect(told).toEqual(['attached']);
  });
});

describe('a member whose checks do not start', () => {
  it('does not come back after it was taken out, until they do', async () => {
    const { clock, store, itself, told } = member;
    await clock.advance(10_000);
    itself.isStuck = true;
    await store.commit([], [{ kind: 'delete', key: keys.worker(ME) }]);
    await clock.advance(20_000);
    expect(told).toEqual(['attached', 'detached', 'lost']);
    expect((await store.snapshot(keys.workers)).entries).toEqual([]);
    itself.isStuck = false;
    await clock.advance(1_000);
    expect(told.at(-1)).toBe('attached');
  });

  it('stays while nobody takes it out', async () => {
    const { clock, itself, told } = member;
    await clock.advance(10_000);
    itself.isStuck = true;
    await clock.advance(20_000);
    expect(told).toEqual(['attached']);
  });
});
