import { beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { FleetPicture } from '../../../src/admin/fleet-picture.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { KeyValueStore } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import {
  encodeBeat,
  encodeJobset,
  encodeOwnership,
  encodeWorker,
} from '../../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset, WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import { NO_LOAD } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { aWaiting } from './fleets.ts';

const keys = new Keys();
const WORKERS = ['a', 'b', 'c'] as WorkerId[];
const JOBSETS = ['x', 'y', 'z', 'u', 'v'] as JobsetId[];

const aRecord = (id: WorkerId): WorkerRecord => ({
  ...{ id, state: 'up', capacity: { places: 256, jobs: null }, host: 'h', zone: null },
  ...{ version: '0.0.0', listen: null, started: 0 },
});
const jobsetOf = (id: JobsetId, jobs: number, more: Partial<Jobset> = {}): Jobset => ({
  ...{ id, source: 'folder', digest: 'd', chunks: 1, zone: null, avoid: [] },
  ...{ waiting: null, moveTo: null },
  jobs: Array.from({ length: jobs }, (_, n) => `${id}${n}` as CheckId),
  ...more,
});

describe('the picture of a fleet', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let changes: number;
  let lost: number;
  let over: AbortController;

  const put = (key: string, value: Buffer) => store.commit([], [{ kind: 'put', key, value }]);
  const drop = (key: string) => store.commit([], [{ kind: 'delete', key }]);
  const register = (id: WorkerId) => put(keys.worker(id), encodeWorker(aRecord(id)));
  const publish = (id: JobsetId, jobs: number, more?: Partial<Jobset>) =>
    put(keys.jobset(id), encodeJobset(jobsetOf(id, jobs, more)));
  const own = (id: JobsetId, worker: WorkerId | null) =>
    put(keys.owner(id), encodeOwnership({ worker, nonce: '', holdMs: 0 }));
  const beat = (id: WorkerId, seq: number, overdueMs = 0) =>
    put(
      keys.beat(id),
      encodeBeat({ seq, at: 0, owned: 0, checks: 0, load: { ...NO_LOAD, overdueMs } }),
    );
  const look = (seed = 1, { signal } = over, through: KeyValueStore = store): FleetPicture => {
    const onChange = () => {
      changes += 1;
    };
    const onLost = () => {
      lost += 1;
    };
    const random = seededRandom(seed);
    const picture = new FleetPicture({ store: through, keys, clock, random, onChange, onLost });
    void picture.run(signal);
    return picture;
  };

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    changes = 0;
    lost = 0;
    over = new AbortController();
    return () => over.abort();
  });

  it('is complete when each kind has been seen', async () => {
    const picture = look();
    expect(picture.isComplete).toBe(false);
    await clock.advance(0);
    expect(picture.isComplete).toBe(true);
  });

  it('counts what a worker holds', async () => {
    const picture = look();
    await register('a' as WorkerId);
    await publish('x' as JobsetId, 3);
    await own('x' as JobsetId, 'a' as WorkerId);
    await clock.advance(0);
    const worker = picture.workers.get('a' as WorkerId);
    expect(worker).toMatchObject({ jobs: 3, coming: 0, going: 0 });
    await publish('x' as JobsetId, 2);
    await clock.advance(0);
    expect(worker?.jobs).toBe(2);
    await own('x' as JobsetId, null);
    await clock.advance(0);
    expect(worker?.jobs).toBe(0);
    expect([...picture.vacant]).toEqual(['x']);
  });

  it('counts what is on its way, until it is there', async () => {
    const [a, b] = ['a', 'b'] as WorkerId[] as [WorkerId, WorkerId];
    const x = 'x' as JobsetId;
    await Promise.all([register(a), register(b)]);
    await publish(x, 3);
    await own(x, a);
    await publish(x, 3, { moveTo: b });
    const picture = look();
    await clock.advance(0);
    expect(picture.workers.get(a)).toMatchObject({ jobs: 3, going: 3 });
    expect(picture.workers.get(b)).toMatchObject({ jobs: 0, coming: 3 });
    await own(x, null);
    await clock.advance(0);
    expect([...picture.ordered]).toEqual(['x']);
    // The hand-over is newer than the order, and nobody has claimed it yet.
    expect(picture.workers.get(b)).toMatchObject({ coming: 3 });
    await own(x, b);
    await clock.advance(0);
    expect(picture.ordered.size).toBe(0);
    expect(picture.workers.get(a)).toMatchObject({ jobs: 0, going: 0 });
    expect(picture.workers.get(b)).toMatchObject({ jobs: 3, coming: 0 });
  });

  it('names the jobs of what waits', async () => {
    const picture = look();
    await publish('x' as JobsetId, 2, { waiting: aWaiting() });
    await clock.advance(0);
    expect(picture.waiting.get('x' as JobsetId)?.jobs).toEqual(['x0', 'x1']);
    await own('x' as JobsetId, 'a' as WorkerId);
    await clock.advance(0);
    expect(picture.waiting.size).toBe(0);
    expect([...picture.claimedWaiting]).toEqual(['x']);
  });

  it('counts beats of a worker that stands still, each once and in a row', async () => {
    const picture = look();
    const a = 'a' as WorkerId;
    await register(a);
    const stuckAfter = async (seq: number, overdueMs: number) => {
      await beat(a, seq, overdueMs);
      await clock.advance(0);
      return picture.workers.get(a)?.stuckBeats;
    };
    expect(await stuckAfter(1, 15_000)).toBe(0);
    expect(await stuckAfter(2, 15_001)).toBe(1);
    expect(await stuckAfter(2, 15_001)).toBe(1);
    expect(await stuckAfter(3, 17_000)).toBe(2);
    expect(await stuckAfter(4, 0)).toBe(0);
  });

  it('passes over what cannot be read', async () => {
    await publish('x' as JobsetId, 2);
    const picture = look();
    await clock.advance(0);
    await put(keys.jobset('x' as JobsetId), Buffer.from('{"v":99}'));
    await put(keys.worker('a' as WorkerId), Buffer.from('nonsense'));
    await put(keys.beat('a' as WorkerId), Buffer.from('nonsense'));
    await clock.advance(0);
    expect(picture.jobsets.size).toBe(0);
    expect(picture.workers.size).toBe(0);
    expect(picture.jobs).toBe(0);
  });

  it('says that something has changed', async () => {
    look();
    await clock.advance(0);
    const before = changes;
    await register('a' as WorkerId);
    await clock.advance(0);
    expect(changes).toBe(before + 1);
  });

  it('tells of a worker that is gone without having said that it leaves', async () => {
    look();
    const [a, b] = ['a', 'b'] as WorkerId[] as [WorkerId, WorkerId];
    await register(a);
    await put(keys.worker(b), encodeWorker({ ...aRecord(b), state: 'draining' }));
    await clock.advance(0);
    await drop(keys.worker(b));
    await clock.advance(0);
    expect(lost).toBe(0);
    await drop(keys.worker(a));
    await clock.advance(0);
    expect(lost).toBe(1);
  });

  it('knows who came while it looked, and who was there before', async () => {
    const [a, b] = ['a', 'b'] as WorkerId[] as [WorkerId, WorkerId];
    await register(a);
    const picture = look();
    await clock.advance(1_000);
    await register(b);
    await clock.advance(0);
    expect(picture.workers.get(a)?.since).toBe(Number.NEGATIVE_INFINITY);
    expect(picture.workers.get(b)?.since).toBe(1_000);
  });

  it('forgets what was deleted while its watch did not tell', async () => {
    const network = new FaultyStore(store);
    await publish('x' as JobsetId, 3);
    await register('a' as WorkerId);
    await beat('a' as WorkerId, 1);
    await own('x' as JobsetId, 'a' as WorkerId);
    const picture = look(1, over, network);
    await clock.advance(0);
    network.blind = true;
    await drop(keys.owner('x' as JobsetId));
    await drop(keys.beat('a' as WorkerId));
    await clock.advance(50_000);
    expect(picture.workers.get('a' as WorkerId)).toMatchObject({ jobs: 0, beat: null });
    await drop(keys.jobset('x' as JobsetId));
    await drop(keys.worker('a' as WorkerId));
    await clock.advance(50_000);
    expect(picture.workers.size).toBe(0);
    expect(picture.jobsets.size).toBe(0);
    expect(picture.jobs).toBe(0);
    network.heal();
  });

  it('keeps the sums that a picture taken anew has, whatever happens', async () => {
    const random = seededRandom(7);
    const any = <T>(all: readonly T[]): T => all[Math.floor(random.next() * all.length)] as T;
    const deeds: (() => Promise<unknown>)[] = [
      () => register(any(WORKERS)),
      () => drop(keys.worker(any(WORKERS))),
      () => beat(any(WORKERS), Math.floor(random.next() * 100), random.next() * 30_000),
      () => drop(keys.beat(any(WORKERS))),
      () => publish(any(JOBSETS), Math.floor(random.next() * 5)),
      () => publish(any(JOBSETS), 2, { moveTo: any(WORKERS) }),
      () => publish(any(JOBSETS), 2, { waiting: aWaiting() }),
      () => drop(keys.jobset(any(JOBSETS))),
      () => own(any(JOBSETS), any([...WORKERS, null])),
      () => drop(keys.owner(any(JOBSETS))),
    ];
    const picture = look();
    for (let n = 0; n < 60; n += 1) {
      for (let more = random.next() * 6; more > 0; more -= 1) await any(deeds)();
      await clock.advance(n % 10 === 0 ? 20_000 : 0);
      const looking = new AbortController();
      const fresh = look(n + 2, looking);
      await clock.advance(0);
      looking.abort();
      expect(sumsOf(picture), `after ${n} rounds`).toEqual(sumsOf(fresh));
    }
  });
});

/** All but since when, and how many beats in a row: a new picture cannot know. */
const sumsOf = ({ workers, jobsets, waiting, claimedWaiting, vacant, ordered, jobs }: Fleet) => {
  const sorted = (ids: Iterable<string>): string[] => [...ids].sort();
  return {
    workers: Object.fromEntries(
      [...workers].map(([id, { holds, jobs, coming, going, beat }]) => [
        id,
        { holds: sorted(holds), jobs, coming, going, beat },
      ]),
    ),
    jobsets: Object.fromEntries([...jobsets].map(([id, one]) => [id, { ...one, since: 0 }])),
    waiting: sorted(waiting.keys()),
    claimedWaiting: sorted(claimedWaiting),
    vacant: sorted(vacant),
    ordered: sorted(ordered),
    jobs,
  };
};
