import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import {
  encodeJobset,
  encodeOwnership,
  encodeWorker,
} from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset, Waiting, WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import type { ScalingMode } from '../../../src/shared/domain/pool-settings.ts';
import type { Clock, Timer } from '../../../src/shared/runtime/clock.ts';
import { Members } from '../../../src/worker/members.ts';
import { Sightings } from '../../../src/worker/sightings.ts';
import { Turns } from '../../../src/worker/turns.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();
const js = 'js-1' as JobsetId;
const aWorker = (id: string): WorkerRecord => ({
  id: id as WorkerId,
  state: 'up',
  capacity: { places: 256, jobs: null },
  host: 'host',
  zone: null,
  version: '0.0.0',
  listen: null,
  started: 0,
});
const entry = (key: string, value: Buffer, modRevision: number) => ({
  key,
  value,
  modRevision,
  lease: null,
});

/** As timers of real processes do: what is asked for in fractions goes off too early. */
class HastyClock extends ManualClock {
  override after(ms: number, fn: () => void): Timer {
    return super.after(Math.floor(ms), fn);
  }
}

const someTurns = (
  clock: ManualClock & Clock,
  avoid: readonly WorkerId[] = [],
  {
    mode = 'rebalance',
    holdMs = 0,
    ...more
  }: Partial<Jobset> & { readonly mode?: ScalingMode; readonly holdMs?: number } = {},
) => {
  const state = { isFull: false };
  const sightings = new Sightings(keys, { change: () => {}, wentBack: () => {} });
  const members = new Members(keys, () => {});
  const turned: JobsetId[] = [];
  const jobset = {
    id: js,
    source: 'folder',
    jobs: [],
    digest: '',
    chunks: 1,
    zone: null,
    avoid,
    waiting: null,
    moveTo: null,
    ...more,
  } as const;
  const free = encodeOwnership({ worker: null, nonce: 'n', holdMs });
  sightings.ownersAre(holdMs === 0 ? [] : [entry(keys.owner(js), free, 4)], 10, false);
  sightings.jobsetsAre([entry(keys.jobset(js), encodeJobset(jobset), 5)], 10, false);
  const turns = new Turns({
    clock,
    random: seededRandom(1),
    me: aWorker('w1'),
    timing: LEASE_TIMING,
    mode,
    isFull: () => state.isFull,
    members,
    sightings,
    onTurn: (id) => turned.push(id),
  });
  const see = (...workers: WorkerRecord[]) =>
    members.membersAre(
      workers.map((worker) => entry(keys.worker(worker.id), encodeWorker(worker), 1)),
    );
  const seeMembers = (...ids: string[]) => see(...ids.map(aWorker));
  return { turns, turned, members, seeMembers, see, state };
};

describe('the turn of a worker', () => {
  it('does not come before it has seen who else there is', () => {
    const { turns, seeMembers } = someTurns(new ManualClock());
    expect(turns.hasCome(js, false)).toBe(false);
    seeMembers('w1');
    expect(turns.hasCome(js, false)).toBe(true);
  });

  it.each([new ManualClock(), new HastyClock()])(
    'comes after those before it, and then stays, however early timers go off',
    async (clock) => {
      const { turns, turned, seeMembers } = someTurns(clock);
      seeMembers('w1', 'w2', 'w3', 'w4');
      expect(turns.hasCome(js, false)).toBe(false);
      await clock.advance(600);
      expect(turned).toEqual([js]);
      expect(turns.hasCome(js, false)).toBe(true);
    },
  );

  it('needs no waiting for what it runs already', () => {
    const { turns, seeMembers } = someTurns(new ManualClock());
    seeMembers('w1', 'w2', 'w3');
    expect(turns.hasCome(js, true)).toBe(true);
  });

  it('comes a lease later where it could not reach the endpoints, unless it is alone', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers } = someTurns(clock, ['w1' as WorkerId]);
    seeMembers('w1', 'w2');
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(LEASE_TIMING.ttlMs);
    expect(turned).toEqual([]);
    await clock.advance(600);
    expect(turned).toEqual([js]);
    turns.over(js);
    seeMembers('w1');
    expect(turns.hasCome(js, false)).toBe(true);
  });

  it('is not kept waiting by those on their way out', () => {
    const { turns, members } = someTurns(new ManualClock());
    const leaving = { ...aWorker('w2'), state: 'draining' } as const;
    members.membersAre(
      [aWorker('w1'), leaving].map((worker) =>
        entry(keys.worker(worker.id), encodeWorker(worker), 1),
      ),
    );
    expect(turns.hasCome(js, false)).toBe(true);
  });

  it('does not come for what another has taken meanwhile', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers } = someTurns(clock);
    seeMembers('w1', 'w2', 'w3', 'w4');
    turns.hasCome(js, false);
    turns.over(js);
    await clock.advance(600);
    expect(turned).toEqual([]);
  });
});

const W1 = 'w1' as WorkerId;
const W2 = 'w2' as WorkerId;
const full = (id: string): WorkerRecord => ({ ...aWorker(id), state: 'full' });

describe('the turn of a worker that is full', () => {
  it('comes a lease after that of those with room', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers, state } = someTurns(clock);
    state.isFull = true;
    seeMembers('w1', 'w2');
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(LEASE_TIMING.ttlMs);
    expect(turned).toEqual([]);
    await clock.advance(600);
    expect(turned).toEqual([js]);
  });

  it('does not wait for a lease where nobody has room', async () => {
    const clock = new ManualClock();
    const { turns, turned, see, state } = someTurns(clock);
    state.isFull = true;
    see(full('w1'), full('w2'));
    turns.hasCome(js, false);
    await clock.advance(600);
    expect(turned).toEqual([js]);
  });

  it('never comes where the pool sheds', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers, state } = someTurns(clock, [], { mode: 'shed' });
    state.isFull = true;
    seeMembers('w1', 'w2');
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(600_000);
    expect(turned).toEqual([]);
    seeMembers('w1');
    expect(turns.hasCome(js, false)).toBe(false);
  });

  it('comes no later for having been full when what is held back became vacant', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers, state } = someTurns(clock, [], {
      mode: 'shed',
      holdMs: 6_000,
    });
    state.isFull = true;
    seeMembers('w1');
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(5_000);
    state.isFull = false;
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(999);
    expect(turned).toEqual([]);
    await clock.advance(1);
    expect(turned).toEqual([js]);
  });

  it.each([
    ['has room again', true],
    ['has become full', false],
  ])('is reckoned anew when it %s', async (_, isFull) => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers, state } = someTurns(clock);
    state.isFull = isFull;
    seeMembers('w1', 'w2');
    turns.hasCome(js, false);
    state.isFull = !isFull;
    turns.hasCome(js, false);
    await clock.advance(600);
    expect(turned).toEqual(isFull ? [js] : []);
  });
});

describe('the turn for what the leader has ordered', () => {
  it.each(['up', 'full'] as const)('comes at once to the one that is to run it (%s)', (was) => {
    const { turns, seeMembers, state } = someTurns(new ManualClock(), [], { moveTo: W1 });
    state.isFull = was === 'full';
    seeMembers('w1', 'w2', 'w3');
    expect(turns.hasCome(js, false)).toBe(true);
  });

  it('comes to others a lease later', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers } = someTurns(clock, [], { moveTo: W2 });
    seeMembers('w1', 'w2', 'w3');
    turns.hasCome(js, false);
    await clock.advance(LEASE_TIMING.ttlMs);
    expect(turned).toEqual([]);
    await clock.advance(600);
    expect(turned).toEqual([js]);
  });

  it('comes as for any other when the one it was for is not there', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers } = someTurns(clock, [], { moveTo: W2 });
    seeMembers('w1', 'w3');
    turns.hasCome(js, false);
    await clock.advance(600);
    expect(turned).toEqual([js]);
  });
});

describe('the turn for what waits', () => {
  const waiting: Waiting = { reason: 'late', since: 0, by: W2, load: 1 };

  it('comes when nobody has placed it for half a minute', async () => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers } = someTurns(clock, [], { waiting });
    seeMembers('w1', 'w2');
    turns.hasCome(js, false);
    await clock.advance(30_000);
    expect(turned).toEqual([]);
    await clock.advance(600);
    expect(turned).toEqual([js]);
  });

  it.each([
    ['one that is full', true, 'late'],
    ['anybody, of what is in quarantine', false, 'quarantined'],
  ] as const)('does not come to %s', async (_, isFull, reason) => {
    const clock = new ManualClock();
    const { turns, turned, seeMembers, state } = someTurns(clock, [], {
      waiting: { ...waiting, reason },
    });
    state.isFull = isFull;
    seeMembers('w1');
    expect(turns.hasCome(js, false)).toBe(false);
    await clock.advance(600_000);
    expect(turned).toEqual([]);
  });
});
