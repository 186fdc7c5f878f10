import { describe, expect, it } from 'vitest';
import {
  afterChange,
  type Demand,
  type Desired,
  episodeChange,
  foldDesired,
  foldQueue,
  judgeScaling,
  type QueueWatch,
  type WaitingDemand,
  type WorkerDemand,
} from '../../../src/shared/rules/scaling.ts';
import { NO_LOAD } from '../../support/builders.ts';

const NOW = Date.UTC(2026, 0, 1);

type Given = Partial<Omit<WorkerDemand, 'load'>> & {
  readonly load?: Partial<WorkerDemand['load']>;
};

const aWorker = ({ load, ...overrides }: Given = {}): WorkerDemand => ({
  state: 'up',
  capacity: { places: 100, jobs: null },
  jobs: 10,
  ...overrides,
  load: { ...NO_LOAD, ...load },
});

const aQueue = (overrides: Partial<WaitingDemand> = {}): WaitingDemand => ({
  reason: 'late',
  since: NOW - 5_000,
  load: 0,
  jobs: 5,
  ...overrides,
});

const judged = (demand: Partial<Demand>) =>
  judgeScaling({ workers: [aWorker()], waiting: [], now: NOW, ...demand });

const busy = (places: number, more: Given = {}) =>
  aWorker({ ...more, load: { places, ...more.load } });

describe('the verdict on the size of a pool', () => {
  it('keeps a pool that does nothing at one worker', () => {
    expect(judged({})).toEqual({
      at: NOW,
      workers: 1,
      desiredWorkers: 1,
      capacityUtilization: 0,
      waitingJobs: 0,
      oldestWaitingMs: 0,
      latenessP99Ms: null,
      futile: null,
    });
  });

  it.each<[string, readonly WorkerDemand[], number, number]>([
    ['at the target', [busy(70), busy(70)], 2, 70],
    ['a hair above it', [busy(70), busy(70.2)], 3, 70.1],
    ['one that is full beside one that is idle', [busy(100), busy(10)], 2, 55],
    ['all at 80 %', Array.from({ length: 10 }, () => busy(80)), 12, 80],
    ['exactly as much as four can take', Array.from({ length: 5 }, () => busy(56)), 4, 56],
    ['far too much', [busy(900)], 13, 200],
    ['a busy event loop', [aWorker({ load: { loop: 0.8 } })], 2, 100],
    ['as many jobs as it may take', [aWorker({ capacity: { places: 100, jobs: 10 } })], 2, 100],
  ])(
    'asks for as many as the load needs: %s',
    (_, workers, desiredWorkers, capacityUtilization) => {
      expect(judged({ workers })).toMatchObject({ desiredWorkers, capacityUtilization });
    },
  );

  it('counts in workers of the middle size where they differ', () => {
    const small = busy(0, { capacity: { places: 50, jobs: null } });
    const large = busy(150, { capacity: { places: 150, jobs: null } });
    expect(judged({ workers: [small, large] })).toMatchObject({
      desiredWorkers: 3,
      capacityUtilization: 75,
    });
  });

  it('asks for one more for a worker that is full, whatever its load says', () => {
    expect(judged({ workers: [aWorker({ state: 'full' })] }).desiredWorkers).toBe(2);
  });

  it('counts the load of a worker that leaves, and not its room', () => {
    const workers = [busy(60), busy(60, { state: 'draining' })];
    expect(judged({ workers })).toMatchObject({
      workers: 1,
      desiredWorkers: 2,
      capacityUtilization: 120,
    });
  });

  it('counts what waits by its places', () => {
    const waiting = [aQueue({ load: 30 }), aQueue({ load: 40, since: NOW - 9_000 })];
    expect(judged({ workers: [busy(70)], waiting })).toMatchObject({
      desiredWorkers: 2,
      capacityUtilization: 140,
      waitingJobs: 10,
      oldestWaitingMs: 9_000,
    });
  });

  it('counts what waits by its number where workers take only so many', () => {
    const capacity = { places: 100, jobs: 3 };
    const workers = [aWorker({ capacity, jobs: 3 })];
    expect(judged({ workers, waiting: [aQueue({ jobs: 2 })] }).desiredWorkers).toBe(3);
  });

  it('takes what waits to need as much of the event loop as what runs', () => {
    const workers = [aWorker({ jobs: 100, load: { loop: 0.8 } })];
    const waiting = [aQueue({ jobs: 100 })];
    expect(judged({ workers, waiting }).capacityUtilization).toBe(200);
  });

  it('lets jobs in quarantine wait without asking for workers', () => {
    const waiting = [aQueue({ reason: 'quarantined', load: 500, jobs: 90 })];
    expect(judged({ workers: [busy(10)], waiting })).toMatchObject({
      desiredWorkers: 1,
      waitingJobs: 0,
      oldestWaitingMs: 0,
    });
  });

  it('asks for a worker where there is none', () => {
    expect(judged({ workers: [], waiting: [aQueue()] })).toMatchObject({
      workers: 0,
      desiredWorkers: 1,
      capacityUtilization: 200,
      waitingJobs: 5,
    });
  });

  it('shows a queue of another machine’s clock as new, never as younger than now', () => {
    expect(judged({ waiting: [aQueue({ since: NOW + 60_000 })] }).oldestWaitingMs).toBe(0);
  });

  it('tells the lateness of the worker where it is worst', () => {
    const workers = [null, 40, 7].map((latenessP99Ms) => aWorker({ load: { latenessP99Ms } }));
    expect(judged({ workers }).latenessP99Ms).toBe(40);
  });

  it('follows a target that slows from 10 ms to 2 s', () => {
    // 6,000 checks that run every 10 s.
    const demand = (seconds: number) => [busy((6_000 * seconds) / 10, { jobs: 6_000 })];
    expect(judged({ workers: demand(0.01) }).desiredWorkers).toBe(1);
    expect(judged({ workers: demand(2) }).desiredWorkers).toBe(18);
  });
});

describe('a call for workers that would not help', () => {
  const slow = (host: string, waiting = 0, load = 5) => ({ host, waiting, load });

  it('is not made for one tarpit with 200 checks, which is named', () => {
    const load = { behind: 72, slowHosts: [slow('tarpit.example', 72, 128)] };
    expect(judged({ workers: [busy(20, { load })] })).toMatchObject({
      desiredWorkers: 1,
      futile: { why: 'per_host_cap', hosts: ['tarpit.example'] },
    });
  });

  it('tells a slow target from a host for which runs wait', () => {
    const workers = [aWorker({ load: { slowHosts: [slow('a')] } })];
    expect(judged({ workers }).futile).toEqual({ why: 'slow_target', hosts: ['a'] });
  });

  it('names the worst three hosts, as all workers see them together', () => {
    const workers = [
      aWorker({ load: { slowHosts: [slow('a', 3), slow('b', 2), slow('c', 1)] } }),
      aWorker({ load: { slowHosts: [slow('c', 9), slow('d', 0, 9)] } }),
    ];
    expect(judged({ workers }).futile?.hosts).toEqual(['c', 'a', 'b']);
  });

  it.each<[string, Partial<Demand>]>([
    ['a worker is full', { workers: [busy(10, { load: { slowHosts: [slow('a')] } }), busy(91)] }],
    [
      'jobs wait',
      { workers: [aWorker({ load: { slowHosts: [slow('a')] } })], waiting: [aQueue()] },
    ],
    [
      'more are needed for other reasons',
      { workers: [busy(80, { load: { slowHosts: [slow('a')] } })] },
    ],
  ])('is not what it is where %s', (_, demand) => {
    expect(judged(demand).futile).toBeNull();
  });
});

describe('the number of workers that are needed', () => {
  const SECOND = 1_000;
  const after = (...steps: readonly (readonly [judged: number, atSeconds: number])[]) =>
    steps.reduce<Desired | null>((at, [count, s]) => foldDesired(at, count, s * SECOND), null)
      ?.workers;

  it('rises at once', () => {
    expect(after([2, 0], [5, 1])).toBe(5);
  });

  it('does not fall while the load of a dead worker is on its way to others', () => {
    expect(after([3, 0], [1, 1], [1, 60])).toBe(3);
    expect(after([3, 0], [1, 1], [3, 30], [1, 31], [1, 90])).toBe(3);
  });

  it('falls after a minute, to the most that was needed in it', () => {
    expect(after([5, 0], [1, 1], [3, 30], [1, 61])).toBe(3);
  });
});

describe('scaling limit hit', () => {
  const GRACE_MS = 10_000;
  const RAISED = { id: 'e1', raisedAt: NOW, jobs: 5 };

  /** What is said when, in seconds, of a queue that changes at these times. */
  const said = (filled: (second: number) => boolean, seconds: number, graceMs = GRACE_MS) => {
    const changes: [second: number, change: string][] = [];
    let watch: QueueWatch | null = null;
    let episode: typeof RAISED | null = null;
    for (let second = 0; second <= seconds; second += 1) {
      const now = second * 1_000;
      watch = foldQueue(watch, filled(second), now);
      const change = episodeChange(episode, watch, { now, graceMs });
      if (change === null) continue;
      episode = change === 'raised' ? RAISED : null;
      watch = afterChange(watch, change, now);
      changes.push([second, change]);
    }
    return changes;
  };

  it('is raised once when jobs have waited for ten seconds, and cleared once after an empty minute', () => {
    expect(said((second) => second >= 5 && second < 100, 600)).toEqual([
      [15, 'raised'],
      [160, 'cleared'],
    ]);
  });

  it('is not raised for jobs that find a place in time', () => {
    expect(said((second) => second % 20 < 10, 600)).toEqual([]);
  });

  it('is raised at once where the grace is 0', () => {
    expect(said((second) => second >= 5, 30, 0)).toEqual([[5, 'raised']]);
  });

  it('is not cleared by a queue that is empty for less than a minute at a time', () => {
    expect(said((second) => second % 70 < 11, 1_000)).toEqual([[10, 'raised']]);
  });

  it('flaps once in ten minutes at most, however the load comes and goes', () => {
    for (const period of [80, 120, 180, 240, 400, 590]) {
      const changes = said((second) => second % period < period / 3, 7_200);
      const cleared = changes
        .filter(([, change]) => change === 'cleared')
        .map(([second]) => second);
      const gaps = cleared.slice(1).map((second, i) => second - (cleared[i] ?? 0));
      expect(Math.min(600, ...gaps), `every ${period} s`).toBe(600);
    }
  });
});
