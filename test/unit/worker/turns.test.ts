import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { encodeJobset, encodeWorker } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { WorkerRecord } from '../../../src/shared/domain/jobset.ts';
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

const someTurns = (clock: ManualClock & Clock, avoid: readonly WorkerId[] = []) => {
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
  } as const;
  sightings.ownersAre([], 10, false);
  sightings.jobsetsAre([entry(keys.jobset(js), encodeJobset(jobset), 5)], 10, false);
  const turns = new Turns({
    clock,
    random: seededRandom(1),
    me: aWorker('w1'),
    timing: LEASE_TIMING,
    members,
    sightings,
    onTurn: (id) => turned.push(id),
  });
  const seeMembers = (...ids: string[]) =>
    members.membersAre(
      ids.map((id) => entry(keys.worker(id as WorkerId), encodeWorker(aWorker(id)), 1)),
    );
  return { turns, turned, members, seeMembers };
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
