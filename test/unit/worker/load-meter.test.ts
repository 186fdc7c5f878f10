import { beforeEach, describe, expect, it } from 'vitest';
import type { CheckDefinition, JobsetId } from '../../../src/shared/domain/check.ts';
import type { Observation } from '../../../src/shared/domain/result.ts';
import { LoadMeter, type LoadMeterOptions } from '../../../src/worker/load-meter.ts';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { aWorkerCore, type WorkerCore } from '../../support/worker-core.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const JOBSET = 'jobset' as JobsetId;
const everySecond = aSpec({ schedule: { cron: '* * * * * *' } });
const everyTenSeconds = aSpec({ schedule: { cron: '*/10 * * * * *' } });

const answerAfter = (durationMs: number) => ({
  afterMs: durationMs,
  observation: anAnswer({ durationMs }),
});
const timeout = (durationMs: number): { afterMs: number; observation: Observation } => ({
  afterMs: durationMs,
  observation: {
    kind: 'failure',
    code: 'timeout_first_byte',
    detail: 'slow',
    durationMs,
    phases: {},
    host: 'a',
  },
});
const checks = (host: string, count: number, spec = everySecond): CheckDefinition[] =>
  Array.from({ length: count }, (_, n) => aCheck(`${host}/${n}`, spec));

let worker: WorkerCore;
beforeEach(() => {
  worker = aWorkerCore({ total: 100, perHost: 50 });
});
const takes = (ms: number): void => {
  worker.probe.script = () => answerAfter(ms);
};
const hold = (...definitions: readonly CheckDefinition[]): void =>
  worker.scheduler.hold(aJobset(definitions));

const aMeter = (options: Partial<LoadMeterOptions> = {}) => {
  const { clock, table, scheduler } = worker;
  const loop = { utilisation: 0, p99Ms: 0 };
  const due = { overdueMs: 0 };
  const meter = new LoadMeter({
    clock,
    table,
    capacity: { places: 100, jobs: null },
    perHost: 50,
    loop: () => loop,
    overdueMs: () => due.overdueMs,
    slotsOf: (id) => scheduler.slotsOf(id),
    behindHosts: () => [],
    ...options,
  });
  return { meter, loop, due };
};

describe('the load of a worker', () => {
  it('is nothing without checks', () => {
    expect(worker.load.load()).toEqual({
      places: 0,
      loop: 0,
      behind: 0,
      latenessP99Ms: null,
      overdueMs: 0,
      slowHosts: [],
    });
  });

  it('is the seconds in flight a second that its checks ask for', async () => {
    takes(200);
    hold(...checks('a', 10), ...checks('b', 10, everyTenSeconds));
    await worker.clock.advance(30 * SECOND);
    expect(worker.load.load().places).toBeCloseTo(10 * 0.2 + 10 * 0.02, 3);
    expect(worker.load.utilisation).toBeCloseTo(0.022, 3);
  });

  it('follows a target that slows down, without a restart', async () => {
    takes(10);
    hold(...checks('a', 20, everyTenSeconds));
    await worker.clock.advance(MINUTE);
    expect(worker.load.load().places).toBeCloseTo(0.02, 3);
    takes(2_000);
    await worker.clock.advance(2 * MINUTE);
    expect(worker.load.load().places).toBeGreaterThan(3.9);
  });

  it('is one place a check at most: a check never runs twice at a time', async () => {
    takes(3_000);
    hold(...checks('a', 2));
    await worker.clock.advance(30 * SECOND);
    expect(worker.load.load().places).toBe(2);
  });

  it('counts a run that timed out as lost, not as work that others would share', async () => {
    worker.probe.script = (key) => (key.startsWith('tarpit') ? timeout(5_000) : answerAfter(100));
    hold(...checks('tarpit', 40, everyTenSeconds), ...checks('a', 10, everyTenSeconds));
    await worker.clock.advance(2 * MINUTE);
    const { places, slowHosts } = worker.load.load();
    expect(places).toBeCloseTo(0.1, 3);
    expect(slowHosts).toEqual([{ host: 'tarpit', load: 20, waiting: 0 }]);
  });

  it('keeps what a check asked for while its runs time out, and forgets the time-outs after', async () => {
    takes(1_000);
    hold(...checks('a', 10, everyTenSeconds));
    await worker.clock.advance(MINUTE);
    worker.probe.script = () => timeout(5_000);
    await worker.clock.advance(MINUTE);
    expect(worker.load.load()).toMatchObject({ places: 1, slowHosts: [{ host: 'a' }] });
    takes(1_000);
    await worker.clock.advance(10 * MINUTE);
    expect(worker.load.load()).toMatchObject({ places: 1, slowHosts: [] });
  });

  it('counts one host up to the cap of runs to one, and names it', async () => {
    takes(600);
    hold(...checks('a', 100), ...checks('b', 10));
    await worker.clock.advance(20 * SECOND + 100);
    const { places, slowHosts } = worker.load.load();
    expect(places).toBeCloseTo(50 + 6, 3);
    expect(slowHosts).toMatchObject([{ host: 'a', load: 60 }]);
    expect(slowHosts[0]?.waiting).toBe(worker.runner.waiting);
    expect(worker.runner.waiting).toBeGreaterThan(0);
  });

  it('names the worst three of the hosts that time out', async () => {
    worker.probe.script = (key) => timeout(1_000 * Number(key[0]));
    for (const host of ['1', '4', '3', '5', '2'])
      worker.scheduler.hold(aJobset(checks(host, 2, everyTenSeconds), { id: host }));
    await worker.clock.advance(MINUTE);
    expect(worker.load.load().slowHosts.map(({ host }) => host)).toEqual(['5', '4', '3']);
  });

  it('names the worst three of those behind which runs wait, too', () => {
    const waiting = new Map([
      ['a', 1],
      ['b', 5],
      ['c', 2],
      ['d', 9],
    ]);
    const { meter } = aMeter({ behindHosts: () => waiting });
    expect(meter.load().slowHosts).toEqual([
      { host: 'd', load: 0, waiting: 9 },
      { host: 'b', load: 0, waiting: 5 },
      { host: 'c', load: 0, waiting: 2 },
    ]);
  });

  it('moves with a check whose URL changes', async () => {
    takes(900);
    hold(...checks('a', 60));
    await worker.clock.advance(10 * SECOND);
    expect(worker.load.load().places).toBe(50);
    const moved = checks('a', 60).map((check, n) => (n < 30 ? { ...check, key: `b/${n}` } : check));
    worker.scheduler.hold(aJobset(moved, { handover: null }));
    await worker.clock.advance(10 * SECOND);
    expect(worker.load.load().places).toBeCloseTo(54, 3);
    expect(worker.load.load().slowHosts).toEqual([]);
  });

  it('follows a check that runs less often from now on', async () => {
    takes(500);
    hold(...checks('a', 10));
    await worker.clock.advance(10 * SECOND);
    worker.scheduler.hold(aJobset(checks('a', 10, everyTenSeconds), { handover: null }));
    await worker.clock.advance(20 * SECOND);
    expect(worker.load.load().places).toBeCloseTo(0.5, 3);
  });

  it('is exactly nothing again once everything is gone', async () => {
    const random = seededRandom(1);
    worker.probe.script = (key) =>
      key.endsWith('3') ? timeout(900) : answerAfter(100 + 313 * random.next());
    hold(...checks('a', 9), ...checks('b', 9), ...checks('c', 9));
    await worker.clock.advance(20 * SECOND);
    void worker.scheduler.drop(JOBSET, 0);
    await worker.clock.advance(10 * SECOND);
    expect(worker.load.load()).toMatchObject({ places: 0, behind: 0, slowHosts: [] });
    expect(worker.load.utilisation).toBe(0);
    expect(worker.load.jobsetLoad(JOBSET)).toBe(0);
  });

  it('of a slot that another check has now is that of the other', async () => {
    takes(900);
    hold(...checks('a', 5));
    await worker.clock.advance(10 * SECOND);
    void worker.scheduler.drop(JOBSET, 0);
    await worker.clock.advance(10 * SECOND);
    takes(100);
    worker.scheduler.hold(aJobset(checks('b', 5), { id: 'other' }));
    await worker.clock.advance(10 * SECOND);
    expect(worker.load.load().places).toBeCloseTo(0.5, 3);
    expect([...worker.load.jobLoads('other' as JobsetId).values()]).toHaveLength(5);
  });

  it('presumes of checks that have not run here what those ask for that have', async () => {
    takes(400);
    hold(...checks('a', 5));
    await worker.clock.advance(5 * SECOND);
    worker.scheduler.hold(aJobset(checks('b', 10, everyTenSeconds), { id: 'new' }));
    expect(worker.load.load().places).toBeCloseTo(5 * 0.4 + 10 * 0.04, 3);
    expect(worker.load.jobsetLoad('new' as JobsetId)).toBeCloseTo(0.4, 3);
  });
});

describe('a jobset', () => {
  it('weighs what its jobs ask for, each and together', async () => {
    worker.probe.script = (key) => answerAfter(key.endsWith('0') ? 500 : 100);
    hold(...checks('a', 3));
    await worker.clock.advance(10 * SECOND);
    const loads = worker.load.jobLoads(JOBSET);
    const [first, second] = checks('a', 2);
    expect(loads.size).toBe(3);
    expect(loads.get(first!.id)).toBeCloseTo(0.5);
    expect(loads.get(second!.id)).toBeCloseTo(0.1);
    expect(worker.load.jobsetLoad(JOBSET)).toBeCloseTo(0.7);
  });
});

describe('a check', () => {
  /** One place and a queue: what waits starts late. */
  const overloaded = () => {
    worker = aWorkerCore({ total: 1, perHost: 1 });
    takes(9_000);
    hold(...checks('a', 3, everyTenSeconds));
  };

  it('that starts late three times in a row stays behind, and is named with its jobset', async () => {
    overloaded();
    await worker.clock.advance(5 * MINUTE);
    const behind = worker.load.behind();
    expect(worker.load.load().behind).toBe(behind.length);
    expect(worker.load.behindCount).toBe(behind.length);
    expect(behind.length).toBeGreaterThan(0);
    expect(behind[0]).toMatchObject({ jobset: JOBSET });
    expect(worker.load.load().latenessP99Ms).toBeGreaterThan(5_000);
  });

  it('does so no more once it starts on time', async () => {
    overloaded();
    await worker.clock.advance(5 * MINUTE);
    takes(100);
    await worker.clock.advance(2 * MINUTE);
    expect(worker.load.load()).toMatchObject({ behind: 0 });
    expect(worker.load.load().latenessP99Ms).toBeLessThan(300);
    expect(worker.load.behind()).toEqual([]);
  });

  it('is not counted as behind when it is gone', async () => {
    overloaded();
    await worker.clock.advance(5 * MINUTE);
    void worker.scheduler.drop(JOBSET, 0);
    await worker.clock.advance(SECOND);
    expect(worker.load.load().behind).toBe(0);
  });

  it('stays behind that loses a tick because the run before it started late', async () => {
    worker = aWorkerCore({ total: 10, perHost: 10 });
    takes(5_000);
    hold(...checks('a', 21, everyTenSeconds));
    await worker.clock.advance(10 * MINUTE);
    expect(worker.tally.skipped.overlap).toBeGreaterThan(0);
    expect(worker.load.behindCount).toBeGreaterThan(0);
  });

  it('that has lost a tick so stays behind until a run of it starts on time', () => {
    hold(...checks('a', 1, everyTenSeconds));
    const { meter } = aMeter();
    const [slot = -1] = worker.scheduler.slotsOf(JOBSET);
    const starts = (latenessMs: number): number => {
      worker.table.latenessMs[slot] = latenessMs;
      meter.ended({ slot, host: 'a', scheduled: true }, anAnswer(), worker.clock.now());
      return meter.behindCount;
    };
    expect(starts(6_000)).toBe(0);
    meter.overtaken(slot, 6_000);
    expect(meter.behindCount).toBe(1);
    expect([starts(6_000), starts(5_000)]).toEqual([1, 0]);
  });

  it('stays not behind whose target takes longer than its interval', async () => {
    takes(15_000);
    hold(...checks('a', 5, everyTenSeconds));
    await worker.clock.advance(10 * MINUTE);
    expect(worker.tally.skipped.overlap).toBeGreaterThan(0);
    expect(worker.load.behindCount).toBe(0);
  });

  it('that runs longest comes first among those that stay behind', async () => {
    worker = aWorkerCore({ total: 1, perHost: 1 });
    worker.probe.script = (key) => answerAfter(2_000 + 2_000 * Number(key.at(-1)));
    hold(...checks('a', 4, everyTenSeconds));
    await worker.clock.advance(10 * MINUTE);
    const places = worker.load.behind().map((one) => one.places);
    expect(places.length).toBeGreaterThan(1);
    expect(places).toEqual(places.toSorted((a, b) => b - a));
  });

  it('is not late by its run at start, which is no tick', async () => {
    worker = aWorkerCore({ runAtStart: true, total: 1, perHost: 1 });
    takes(4_000);
    hold(...checks('a', 10, aSpec({ schedule: { cron: '0 0 1 1 *' } })));
    await worker.clock.advance(MINUTE);
    expect(worker.load.load()).toMatchObject({ behind: 0, latenessP99Ms: null });
  });
});

describe('fullness', () => {
  it('comes with a busy loop, at the next beat', () => {
    const { meter, loop } = aMeter();
    loop.utilisation = 0.75;
    expect(meter.isFull).toBe(false);
    meter.load();
    expect(meter.isFull).toBe(true);
    expect(meter.pressure).toBeCloseTo(0.9375);
    loop.utilisation = 0.6;
    meter.load();
    expect(meter.isFull).toBe(false);
  });

  it('comes and goes with the limit of jobs at once', async () => {
    const { meter } = aMeter({ capacity: { places: 100, jobs: 3 } });
    hold(...checks('a', 2));
    expect([meter.isFull, meter.utilisation]).toEqual([false, 2 / 3]);
    hold(...checks('a', 3));
    expect([meter.isFull, meter.utilisation]).toEqual([true, 1]);
    hold(...checks('a', 2));
    expect(meter.isFull).toBe(false);
  });

  it('is something else than being stuck: due, and not started for a quarter of a minute', () => {
    const { meter, due } = aMeter();
    due.overdueMs = 15_000.4;
    expect(meter.load().overdueMs).toBe(15_000);
    expect(meter.isStuck).toBe(true);
    due.overdueMs = 15_000;
    expect(meter.isStuck).toBe(false);
    expect(meter.isFull).toBe(false);
  });
});
