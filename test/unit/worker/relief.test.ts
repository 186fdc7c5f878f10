import { beforeEach, describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/shared/coordination/ledger.ts';
import type { Leaving } from '../../../src/shared/coordination/splitting.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import type { ScalingMode } from '../../../src/shared/domain/pool-settings.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import type { Moving } from '../../../src/worker/moving.ts';
import { Relief } from '../../../src/worker/relief.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const aWorker = (id: string, more: Partial<WorkerRecord> = {}): WorkerRecord => ({
  id: id as WorkerId,
  state: 'up',
  capacity: { places: 10, jobs: null },
  host: 'host',
  zone: null,
  version: '0.0.0',
  listen: null,
  started: 0,
  ...more,
});

/** Jobsets of ten jobs, of a tenth of a place each. */
const aRelief = (options: { mode?: ScalingMode; maxJobs?: number; jobsets?: number } = {}) => {
  const { mode = 'rebalance', maxJobs = null, jobsets = 10 } = options;
  const clock = new ManualClock();
  const ids = Array.from({ length: jobsets }, (_, n) => `js-${n}` as JobsetId);
  const held = new Map(
    ids.map((id) => [id, Array.from({ length: 10 }, (_, n) => `${id}/${n}` as CheckId)]),
  );
  const jobsOf = (id: JobsetId) => held.get(id) ?? [];
  const state = {
    utilisation: 2,
    pressure: 2,
    behind: [] as CheckId[],
    doubts: false,
    mayMove: true,
    ends: Promise.resolve(true),
    zone: null as string | null,
  };
  const moves: string[] = [];
  const members = { live: [aWorker('w1')] as WorkerRecord[] };
  const moving: Pick<Moving, 'movable' | 'move' | 'isTied'> = {
    movable: (id) => (state.mayMove ? ({ jobset: id, token: 1, revision: 1 } as Claim) : null),
    isTied: (job) => job.endsWith('/tied'),
    move: async ({ jobset }, jobs, { waiting }: Omit<Leaving, 'handover'>) => {
      moves.push(`${jobset} ${jobs.size} ${waiting?.reason ?? '-'}`);
      const all = held.get(jobset) ?? [];
      held.set(
        jobset,
        all.filter((job) => !jobs.has(job)),
      );
      const isMoved = await state.ends;
      if (!isMoved) held.set(jobset, all);
      return isMoved;
    },
  };
  const relief = new Relief({
    clock,
    log: silentLog,
    worker: aWorker('w1', { capacity: { places: 10, jobs: maxJobs } }),
    mode,
    members,
    load: {
      get utilisation() {
        return state.utilisation;
      },
      get pressure() {
        return state.pressure;
      },
      get behindCount() {
        return state.behind.length;
      },
      behind: () =>
        state.behind.map((job) => ({
          job,
          jobset: job.split('/', 1)[0] as JobsetId,
          places: 0.1,
        })),
      jobLoads: (id) => new Map(jobsOf(id).map((job) => [job, 0.1])),
      jobsetLoad: (id) => jobsOf(id).length / 10,
    },
    moving: moving as Moving,
    held: {
      get jobsets() {
        return ids.filter((id) => jobsOf(id).length > 0);
      },
      get running() {
        return [...held.values()].flat().length;
      },
      jobsOf,
      zoneOf: () => state.zone,
    },
    doubts: () => state.doubts,
  });
  relief.start();
  return { clock, state, moves, members, relief, held };
};

describe('a worker that is strained', () => {
  let pool: ReturnType<typeof aRelief>;
  beforeEach(() => {
    pool = aRelief();
    pool.members.live = [aWorker('w1'), aWorker('w2')];
  });

  it('hands back a tenth every five seconds until it has room', async () => {
    await pool.clock.advance(5_000);
    expect(pool.moves).toEqual(['js-0 10 -']);
    await pool.clock.advance(10_000);
    expect(pool.moves).toHaveLength(3);
    pool.state.utilisation = 0.85;
    await pool.clock.advance(5_000);
    const { length } = pool.moves;
    expect(length).toBe(4);
    pool.state.utilisation = 0.79;
    await pool.clock.advance(60_000);
    pool.state.utilisation = 0.85;
    await pool.clock.advance(60_000);
    expect(pool.moves).toHaveLength(length);
  });

  it('reckons without what is on its way out', async () => {
    pool.state.utilisation = 0.95;
    pool.state.ends = new Promise(() => {});
    await pool.clock.advance(60_000);
    // Two of ten bring it from 0.95 to 0.76.
    expect(pool.moves).toHaveLength(2);
  });

  it.each([
    ['doubts its own network', { doubts: true }],
    ['cannot prove its claims or is on its way out', { mayMove: false }],
  ])('gives nothing away while it %s', async (_, state) => {
    Object.assign(pool.state, state, { behind: ['js-1/1'] });
    await pool.clock.advance(60_000);
    expect(pool.moves).toEqual([]);
  });

  it.each([
    ['full', [aWorker('w2', { state: 'full', zone: 'core' })]],
    ['of another zone', [aWorker('w2', { zone: 'edge' })]],
  ])('kicks what stays behind where all others are %s', async (_, others) => {
    pool.state.zone = 'core';
    pool.members.live = [aWorker('w1'), ...others];
    pool.state.behind = ['js-1/1', 'js-2/1', 'js-1/2'] as CheckId[];
    await pool.clock.advance(5_000);
    expect(pool.moves).toEqual(['js-1 2 late', 'js-2 1 late']);
  });
});

describe('a worker that nobody can relieve', () => {
  const late = Array.from({ length: 60 }, (_, n) => `js-0/${n}` as CheckId);

  it.each([
    ['a minute', 'rebalance', 60_000],
    ['every five seconds where the pool sheds', 'shed', 5_000],
  ] as const)('kicks a tenth of its jobs %s', async (_, mode, withinMs) => {
    const { clock, moves, state } = aRelief({ mode });
    state.behind = late;
    await clock.advance(5_000);
    expect(moves).toEqual(['js-0 10 late']);
    await clock.advance(withinMs - 1_000);
    expect(moves).toHaveLength(1);
    await clock.advance(5_000);
    expect(moves).toHaveLength(2);
  });

  it('kicks nothing when it has not too much: slow targets are slow for others, too', async () => {
    const { clock, moves, state } = aRelief();
    Object.assign(state, { behind: late, utilisation: 0.79, pressure: 0.79 });
    await clock.advance(60_000);
    // Nor where only the number of jobs is more than it is said to take.
    Object.assign(state, { utilisation: 2 });
    await clock.advance(60_000);
    expect(moves).toEqual([]);
  });
});

describe('a worker that may run so many jobs', () => {
  const newest = 'js-1' as JobsetId;

  it('kicks what is above that as soon as it is held, the last of it', () => {
    const { relief, moves } = aRelief({ mode: 'shed', maxJobs: 13, jobsets: 2 });
    relief.onHeld(newest);
    expect(moves).toEqual(['js-1 7 full']);
  });

  it('tries again what could not be kicked then', async () => {
    const { relief, moves, state, clock } = aRelief({ mode: 'shed', maxJobs: 13, jobsets: 2 });
    Object.assign(state, { ends: Promise.resolve(false), utilisation: 0 });
    relief.onHeld(newest);
    await clock.advance(100);
    state.ends = Promise.resolve(true);
    await clock.advance(5_000);
    expect(moves).toEqual(['js-1 7 full', 'js-1 7 full']);
    await clock.advance(60_000);
    expect(moves).toHaveLength(2);
  });

  it('keeps jobs that workers may have died of where their past is known', () => {
    const { relief, moves, held } = aRelief({ mode: 'shed', maxJobs: 13, jobsets: 2 });
    held.set(newest, [...(held.get(newest) ?? []).slice(0, 9), 'js-1/tied' as CheckId]);
    relief.onHeld(newest);
    expect(moves).toEqual(['js-1 6 full']);
  });

  it('runs all of them where every check counts', () => {
    const { relief, moves } = aRelief({ maxJobs: 13, jobsets: 2 });
    relief.onHeld(newest);
    expect(moves).toEqual([]);
  });
});
