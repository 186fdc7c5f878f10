import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import type { Claim, ClaimedJobset } from '../../../src/shared/coordination/ledger.ts';
import {
  decodeCheckpoint,
  decodeJobset,
  decodeSuspects,
} from '../../../src/shared/coordination/records.ts';
import type { Traces } from '../../../src/shared/coordination/suspects.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import type { Handover, Suspects } from '../../../src/shared/domain/jobset.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { Caution } from '../../../src/worker/caution.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { namedCheck, writtenLedger } from '../../support/written-ledger.ts';

const ME = 'me' as WorkerId;
const DEAD = 'dead' as WorkerId;
const J = 'j' as JobsetId;
const SECOND = 1_000;
/** All of them are due each minute. */
const CHECKS = ['a/x', 'a/y', 'a/z'].map(namedCheck);
const [X, Y, Z] = CHECKS.map(({ id }) => id) as [CheckId, CheckId, CheckId];

const aStage = async ({ checks = CHECKS.map(({ key }) => key) } = {}) => {
  const clock = new ManualClock();
  const now = clock.now();
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const ledger = writtenLedger(store, keys);
  const network = new FaultyStore(store);
  const random = seededRandom(1);
  const { revision } = await ledger.jobset('j', checks);
  const { revision: token } = await ledger.owns('me', 'j');
  const claim: Claim = { jobset: J, token, revision };
  const members = new Set<WorkerId>([ME]);
  const stage = { isHeld: true, quarantined: 0 };
  const putBack: CheckId[] = [];
  const caution = new Caution({
    clock,
    log: silentLog,
    ledger: { store: network, keys, random },
    worker: ME,
    timing: LEASE_TIMING,
    isMember: (id) => members.has(id),
    claimOf: () => (stage.isHeld ? claim : null),
    setAside: async () => ({ progress: { through: now, open: [] }, states: {} }),
    putBack: (_, jobs) => putBack.push(...jobs),
    onQuarantined: () => {
      stage.quarantined += 1;
    },
  });
  const undone: Handover = {
    progress: { through: now - 8 * SECOND, open: [[X, now - 9 * SECOND]] },
    states: {},
  };
  const died: Traces = { isAbandoned: true, heldBy: DEAD, isUntold: false, suspects: null };
  const claimed = (traces: Partial<Traces> = {}, handover = undone): ClaimedJobset => ({
    claim,
    definitions: CHECKS,
    handover,
    traces: { ...died, ...traces },
  });
  const suspected = (jobs: Suspects['jobs'], by = DEAD): Pick<Traces, 'suspects'> => ({
    suspects: { by, jobs },
  });
  return {
    ...{ clock, now, store, keys, ledger, network, claim, members, stage, putBack, caution },
    ...{ claimed, suspected },
    take: (...args: Parameters<typeof claimed>) =>
      clock.until(caution.take(claimed(...args)), 60 * SECOND),
    kept: async (): Promise<Suspects | null> => {
      const { entries } = await store.snapshot(keys.suspects(J));
      return entries[0] ? decodeSuspects(entries[0]) : null;
    },
  };
};

const anOpen = (...jobs: readonly CheckId[]): Handover => ({
  progress: { through: twice.at - SECOND, open: jobs.map((job) => [job, twice.at - SECOND]) },
  states: {},
});

const twice = { deaths: 2, at: Date.UTC(2026, 0, 1), isTried: false };
const tried = { ...twice, isTried: true };

describe('a claim', () => {
  it('of what a dead worker held writes down what it had not done', async () => {
    const { take, kept, now, caution } = await aStage();
    await take();
    expect(await kept()).toEqual({ by: ME, jobs: { [X]: { deaths: 1, at: now, isTried: false } } });
    expect(caution.withholds(J, X)).toBe(false);
  });

  it.each([
    ['of what was handed back', { isAbandoned: false }],
    ['of what this worker itself held', { heldBy: ME }],
    ['of what a worker held that is there again', { heldBy: 'cut-off' as WorkerId }],
  ])('%s suspects nobody', async (_, traces) => {
    const { take, kept, members, ledger } = await aStage();
    members.add('cut-off' as WorkerId);
    await ledger.worker('cut-off');
    await take(traces);
    expect(await kept()).toBeNull();
  });

  it('does not take a watch at its word that its owner lives', async () => {
    const { take, kept, members } = await aStage();
    members.add(DEAD);
    await take();
    expect((await kept())?.jobs[X]?.deaths).toBe(1);
  });

  it('costs no transaction where nothing was undone', async () => {
    const { take, store, now, claim } = await aStage();
    await take({}, { progress: { through: now, open: [] }, states: {} });
    const { entries } = await store.snapshot('');
    expect(Math.max(...entries.map(({ modRevision }) => modRevision))).toBe(claim.token);
  });

  it('of a jobset that nobody has ever held leaves a trace of itself', async () => {
    const { take, store, keys, now } = await aStage();
    await take({ isAbandoned: false, heldBy: null }, { progress: null, states: {} });
    const [entry] = (await store.snapshot(keys.checkpoint(J))).entries;
    expect(decodeCheckpoint(entry!)).toMatchObject({
      worker: ME,
      progress: { through: now, open: [] },
    });
  });

  it('of what its first owner died of suspects all of it', async () => {
    const { take, kept } = await aStage();
    await take({ isUntold: true });
    expect(Object.keys((await kept())?.jobs ?? {}).toSorted()).toEqual([X, Y, Z].toSorted());
  });

  it('is not held up by a store that is away, and makes up for it', async () => {
    const { take, kept, network, clock, caution } = await aStage();
    network.cut = true;
    await take();
    expect(caution.withholds(J, X)).toBe(false);
    network.heal();
    await clock.advance(5 * SECOND);
    expect((await kept())?.jobs[X]?.deaths).toBe(1);
  });
});

describe('a job with two deaths', () => {
  it('is put back once the ledger says that it is run', async () => {
    const { take, suspected, kept, caution, putBack, clock } = await aStage();
    await take(suspected({ [X]: { ...twice, deaths: 1 } }));
    expect(caution.withholds(J, X)).toBe(true);
    expect(caution.withholds(J, Y)).toBe(false);
    expect(putBack).toEqual([]);
    await clock.advance(SECOND);
    expect(putBack).toEqual([X]);
    expect((await kept())?.jobs[X]).toMatchObject({ deaths: 2, isTried: true });
    expect(caution.withholds(J, X)).toBe(false);
  });

  it('is not put back while the ledger cannot say so', async () => {
    const { take, suspected, caution, putBack, clock, network } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    network.cut = true;
    expect(caution.withholds(J, X)).toBe(true);
    await clock.advance(60 * SECOND);
    expect(putBack).toEqual([]);
    network.heal();
    await clock.advance(5 * SECOND);
    expect(putBack).toEqual([X]);
  });

  it('is not put back while the claim cannot be proven', async () => {
    const { take, suspected, caution, putBack, clock, stage } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    stage.isHeld = false;
    caution.withholds(J, X);
    await clock.advance(60 * SECOND);
    expect(putBack).toEqual([]);
  });

  it('waits until the one before it has ended', async () => {
    const { take, suspected, caution, putBack, clock, kept } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice, [Y]: twice }) });
    caution.withholds(J, X);
    caution.withholds(J, Y);
    await clock.advance(30 * SECOND);
    expect(putBack).toEqual([X]);
    caution.ended(X);
    await clock.advance(SECOND);
    expect(putBack).toEqual([X, Y]);
    expect(await kept()).toMatchObject({ jobs: { [Y]: { isTried: true } } });
    expect((await kept())?.jobs[X]).toBeUndefined();
  });

  it('lets the next one have its turn when its run does not come to an end', async () => {
    const { take, suspected, caution, putBack, clock, kept } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice, [Y]: twice }) });
    caution.withholds(J, X);
    caution.withholds(J, Y);
    await clock.advance(125 * SECOND);
    expect(putBack).toEqual([X, Y]);
    expect(await kept()).toMatchObject({
      jobs: { [X]: { isTried: false }, [Y]: { isTried: true } },
    });
  });

  it('is forgotten once its run has ended', async () => {
    const { take, suspected, caution, clock, kept } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    caution.withholds(J, X);
    await clock.advance(SECOND);
    caution.ended(X);
    await clock.advance(SECOND);
    expect(await kept()).toBeNull();
    expect(caution.suspects(X)).toBe(false);
    expect(caution.withholds(J, X)).toBe(false);
  });

  it('goes on at once when a run of it, begun before the claim, comes to its end', async () => {
    const { take, suspected, caution, putBack } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    caution.withholds(J, X);
    caution.ended(X);
    expect(putBack).toEqual([X]);
  });

  it('does not keep the others from their turn once it is quarantined under another jobset', async () => {
    const { take, claimed, claim, suspected, caution, putBack, clock, stage } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    caution.withholds(J, X);
    const inK = { ...claim, jobset: 'k' as JobsetId };
    const elsewhere = caution.take({ ...claimed(suspected({ [X]: tried })), claim: inK });
    await clock.until(elsewhere, SECOND);
    await clock.advance(SECOND);
    expect(stage.quarantined).toBe(1);
    expect(putBack).toEqual([]);
  });

  it('is not run alone any more once its jobset is somebody else’s', async () => {
    const { take, suspected, caution, putBack, clock } = await aStage();
    await take({ isAbandoned: false, ...suspected({ [X]: twice }) });
    caution.withholds(J, X);
    caution.forget(J);
    await clock.advance(SECOND);
    expect(putBack).toEqual([]);
    expect(caution.withholds(J, X)).toBe(false);
  });
});

describe('a job that has killed whoever ran it alone', () => {
  it('goes to a jobset of its own that nobody claims, with what is known of it', async () => {
    const { take, suspected, caution, clock, stage, store, keys, kept } = await aStage();
    await take(suspected({ [X]: tried }));
    expect(caution.withholds(J, X)).toBe(true);
    await clock.advance(SECOND);
    expect(stage.quarantined).toBe(1);
    const jobsets = (await store.snapshot(keys.jobsets)).entries.map((entry) =>
      decodeJobset(keys.jobsetOf(entry.key), entry),
    );
    const quarantined = jobsets.find(({ id }) => id !== J);
    expect(quarantined).toMatchObject({
      jobs: [X],
      waiting: { reason: 'quarantined', by: ME },
      avoid: [],
    });
    expect(jobsets.find(({ id }) => id === J)?.jobs).toEqual([Y, Z]);
    const [entry] = (await store.snapshot(keys.suspects(quarantined!.id))).entries;
    expect(decodeSuspects(entry!).jobs[X]?.deaths).toBe(3);
    expect(await kept()).toBeNull();
  });

  it('leaves behind what is known of another one, as long as that is there', async () => {
    const { take, suspected, clock, kept, stage } = await aStage();
    await take(suspected({ [X]: tried, [Y]: tried }), anOpen(X, Y));
    await clock.advance(SECOND);
    // The claim is not renewed here, so the second move finds the jobset changed.
    expect(stage.quarantined).toBe(1);
    const deaths = Object.values((await kept())?.jobs ?? {}).map((known) => known.deaths);
    expect(deaths.toSorted()).toEqual([1, 3]);
  });

  it('stays in its jobset when it is alone there', async () => {
    const { take, suspected, clock, store, keys } = await aStage({ checks: ['a/x'] });
    await take(suspected({ [X]: tried }));
    await clock.advance(SECOND);
    const { entries } = await store.snapshot(keys.jobsets);
    expect(entries.map((entry) => decodeJobset(J, entry))).toMatchObject([
      { jobs: [X], waiting: { reason: 'quarantined' } },
    ]);
  });

  it('is not guilty when its worker was only cut off, and is there again', async () => {
    const { take, suspected, members, ledger, stage, clock, kept } = await aStage();
    members.add(DEAD);
    await ledger.worker('dead');
    await take(suspected({ [X]: tried }));
    await clock.advance(SECOND);
    expect(stage.quarantined).toBe(0);
    expect((await kept())?.jobs[X]).toMatchObject({ deaths: 2, isTried: false });
  });

  it('does not hold up the others when it cannot be moved, and is not run', async () => {
    const { take, suspected, caution, clock, stage, putBack, network } = await aStage();
    await take(suspected({ [X]: tried, [Y]: twice }), anOpen(X, Y));
    network.nextFault = (then) => {
      if (then.length < 4) return null;
      throw new WatcherError('WCH_STORE_LIMIT', 'too large');
    };
    expect(caution.withholds(J, X)).toBe(true);
    expect(caution.withholds(J, Y)).toBe(true);
    await clock.advance(10 * SECOND);
    expect(putBack).toEqual([Y]);
    expect(caution.withholds(J, X)).toBe(true);
    network.nextFault = null;
    await clock.advance(60 * SECOND);
    expect(stage.quarantined).toBe(1);
  });

  it.each(['answer', 'request', 'repeated'] as const)(
    'is quarantined once when the network loses the %s',
    async (fault) => {
      const { take, suspected, clock, stage, store, keys, network } = await aStage();
      await take(suspected({ [X]: tried }));
      expect(stage.quarantined).toBe(0);
      network.nextFault = (then) => {
        if (then.length < 4) return null;
        network.nextFault = null;
        return fault;
      };
      await clock.advance(10 * SECOND);
      expect(network.nextFault).toBeNull();
      expect(stage.quarantined).toBe(1);
      expect((await store.snapshot(keys.jobsets)).entries).toHaveLength(2);
    },
  );
});
