import { beforeEach, describe, expect, it } from 'vitest';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { aWorkerCore, type WorkerCore, type WorkerCoreOptions } from '../../support/worker-core.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const everySecond = aSpec({ schedule: { cron: '* * * * * *' } });

const aWorker = (options: WorkerCoreOptions = {}) => aWorkerCore({ startAt: NOON, ...options });

let worker: WorkerCore;
beforeEach(() => {
  worker = aWorker();
});

const startsOf = (key: string) =>
  worker.probe.starts.filter((start) => start.key === key).map(({ at }) => at - NOON);

const expectConserved = () => expect(worker.tally.unaccounted).toBe(0);

describe('Scheduler', () => {
  it('runs a check at each of its ticks, whatever its runs take', async () => {
    worker.probe.script = () => ({ afterMs: 700, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(5 * SECOND + 900);
    expect(startsOf('a/')).toEqual([1, 2, 3, 4, 5].map((n) => n * SECOND));
    expect(worker.results.map(({ tick }) => tick - NOON)).toEqual(startsOf('a/'));
    expectConserved();
  });

  it('gives a five-field check its own stable place inside the minute', async () => {
    const spread = aSpec({ schedule: { splayMs: MINUTE } });
    const checks = Array.from({ length: 100 }, (_, n) => aCheck(`host-${n}/`, spread));
    worker.scheduler.hold(aJobset(checks));
    await worker.clock.advance(3 * MINUTE);
    const seconds = new Set(worker.probe.starts.map(({ at }) => Math.floor(at / SECOND) % 60));
    expect(seconds.size).toBeGreaterThan(40);
    for (const { key } of checks) {
      const [first = 0, second] = startsOf(key);
      expect(second).toBe(first + MINUTE);
    }
  });

  it('skips ticks that fall due while the check still runs, and does not burst afterwards', async () => {
    let slow = true;
    worker.probe.script = () => ({ afterMs: slow ? 2_500 : 5, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(30 * SECOND);
    expect(worker.probe.starts.length).toBeGreaterThanOrEqual(10);
    expect(worker.probe.starts.length).toBeLessThanOrEqual(12);
    expect(worker.tally.skipped.overlap).toBeGreaterThanOrEqual(18);
    slow = false;
    await worker.clock.advance(3 * SECOND);
    const before = worker.probe.starts.length;
    await worker.clock.advance(10 * SECOND);
    expect(worker.probe.starts.length - before).toBe(10);
    expectConserved();
  });

  it('catches up only the latest tick after a gap, late, and counts the others', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(2 * SECOND + 500);
    worker.clock.stall(3_100);
    await worker.clock.advance(0);
    expect(worker.tally.skipped.catchup).toBe(2);
    await worker.clock.advance(100);
    expect(worker.results.at(-1)).toMatchObject({ tick: NOON + 5 * SECOND, latenessMs: 600 });
    expectConserved();
  });

  it('keeps the tick of a run that starts late', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(500);
    worker.clock.stall(800);
    await worker.clock.advance(100);
    expect(worker.results).toMatchObject([{ tick: NOON + SECOND, latenessMs: 300 }]);
  });

  it('goes on at once when the wall clock is set back an hour', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/')]));
    await worker.clock.advance(2 * MINUTE + SECOND);
    worker.clock.stepWall(-60 * MINUTE);
    const before = worker.probe.starts.length;
    await worker.clock.advance(2 * MINUTE);
    expect(worker.probe.starts.length - before).toBe(2);
    expectConserved();
  });

  it('keeps tick and state of a check that a reload does not touch', async () => {
    const touched = aCheck('b/', aSpec({ schedule: { cron: '30 * * * * *' } }));
    worker.scheduler.hold(aJobset([aCheck('a/'), aCheck('b/')]));
    await worker.clock.advance(MINUTE + SECOND);
    const slot = worker.table.slotOf(aCheck('a/').id) as number;
    worker.scheduler.hold(aJobset([aCheck('a/'), touched], { token: '2' }));
    expect(worker.scheduler.nextTick(slot)).toBe(NOON + 2 * MINUTE);
    expect(worker.table.runs[slot]).toBe(1);
    await worker.clock.advance(MINUTE);
    expect(startsOf('a/')).toEqual([MINUTE, 2 * MINUTE]);
    expect(startsOf('b/')).toEqual([MINUTE, 90 * SECOND]);
    expect(worker.results.at(-1)?.token).toBe('2');
  });

  it('says nothing of a run whose check was taken away meanwhile', async () => {
    worker.probe.script = () => ({ afterMs: 500, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond), aCheck('b/', everySecond)]));
    await worker.clock.advance(1_200);
    worker.scheduler.hold(aJobset([aCheck('b/', everySecond)]));
    await worker.clock.advance(5 * SECOND);
    expect(worker.results.every(({ check }) => check === 'b/')).toBe(true);
    expect(worker.tally.skipped.released).toBe(1);
    expect(worker.table.size).toBe(1);
    expectConserved();
  });

  it('leaves a check alone that has moved to another held jobset', async () => {
    const moved = aCheck('a/', everySecond);
    worker.scheduler.hold(aJobset([moved], { id: 'one' }));
    worker.scheduler.hold(aJobset([moved], { id: 'two' }));
    worker.scheduler.hold(aJobset([], { id: 'one' }));
    await worker.clock.advance(3 * SECOND);
    expect(startsOf('a/')).toHaveLength(3);
  });

  it('waits for runs in flight when it drops a jobset, and starts no more', async () => {
    worker.probe.script = () => ({ afterMs: 1_500, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_100);
    await worker.clock.until(worker.scheduler.drop(aJobset([]).claim.jobset, 5_000));
    expect(worker.results).toHaveLength(1);
    await worker.clock.advance(10 * SECOND);
    expect([worker.probe.starts.length, worker.table.size, worker.plans.size]).toEqual([1, 0, 0]);
    expectConserved();
  });

  it('starts nothing of a dropped jobset while another of its runs is in flight', async () => {
    worker.probe.script = (key) => ({
      afterMs: key === 'slow/' ? 3_500 : 5,
      observation: anAnswer(),
    });
    worker.scheduler.hold(aJobset([aCheck('slow/', everySecond), aCheck('a/', everySecond)]));
    await worker.clock.advance(1_100);
    await worker.clock.until(worker.scheduler.drop(aJobset([]).claim.jobset, 5_000));
    expect(startsOf('a/')).toHaveLength(1);
  });

  it('ends a run that outlasts the grace of a drop, and accounts for its tick', async () => {
    worker.probe.script = () => ({ afterMs: MINUTE, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_100);
    await worker.clock.until(worker.scheduler.drop(aJobset([]).claim.jobset, 5_000), 6_000);
    expect([worker.results.length, worker.probe.inFlight]).toEqual([0, 0]);
    expect(worker.tally.skipped.released).toBe(1);
    expectConserved();
  });

  it('keeps running a jobset that comes back while it is being dropped', async () => {
    worker.probe.script = () => ({ afterMs: 1_500, observation: anAnswer() });
    const jobset = aJobset([aCheck('a/', everySecond)]);
    worker.scheduler.hold(jobset);
    await worker.clock.advance(1_100);
    const dropped = worker.scheduler.drop(jobset.claim.jobset, 5_000);
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)], { token: '2' }));
    await worker.clock.until(dropped);
    await worker.clock.advance(4 * SECOND);
    expect(worker.results.length).toBeGreaterThan(2);
    expect(worker.results.at(-1)?.token).toBe('2');
  });

  it('runs each check once at start, besides its ticks', async () => {
    worker = aWorker({ runAtStart: true });
    const hourly = aSpec({ schedule: { cron: '0 * * * *' } });
    const checks = Array.from({ length: 200 }, (_, n) => aCheck(`host-${n}/`, hourly));
    worker.scheduler.hold(aJobset(checks));
    await worker.clock.advance(10 * SECOND + 10);
    expect(worker.results).toHaveLength(200);
    expect(worker.results.every(({ unscheduled }) => unscheduled)).toBe(true);
    expect([worker.tally.unscheduled, worker.tally.scheduled]).toEqual([200, 0]);
    await worker.clock.advance(60 * MINUTE);
    expect(worker.tally.run).toBe(200);
  });

  it('gives the runs at start of a large folder a steady pace, and none where a tick comes first', async () => {
    worker = aWorker({ runAtStart: true, total: 10_000 });
    const spread = aSpec({ schedule: { splayMs: MINUTE } });
    for (let set = 0; set < 200; set++) {
      const checks = Array.from({ length: 100 }, (_, n) => aCheck(`host-${set}-${n}/`, spread));
      worker.scheduler.hold(aJobset(checks, { id: `set-${set}` }));
    }
    await worker.clock.advance(10 * SECOND);
    expect(worker.tally.unscheduled).toBeLessThanOrEqual(2_000);
    expect(worker.tally.unscheduled).toBeGreaterThan(1_500);
    await worker.clock.advance(2 * MINUTE);
    expect(worker.tally.unscheduled).toBeLessThan(8_000);
    expect(worker.tally.skippedTotal).toBe(0);
  });

  it('ends a run at start that is still going on when the first tick comes', async () => {
    worker = aWorker({ runAtStart: true });
    worker.probe.script = () => ({ afterMs: 900, observation: anAnswer() });
    await worker.clock.advance(500);
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(10 * SECOND);
    expect(worker.tally.skippedTotal).toBe(0);
    expect(worker.results.every(({ unscheduled }) => !unscheduled)).toBe(true);
    expectConserved();
  });

  it('keeps the run at start of a check that a reload finds before it', async () => {
    worker = aWorker({ runAtStart: true });
    const hourly = aSpec({ schedule: { cron: '0 * * * *' } });
    const checks = Array.from({ length: 100 }, (_, n) => aCheck(`host-${n}/`, hourly));
    worker.scheduler.hold(aJobset(checks));
    worker.scheduler.hold(aJobset(checks, { token: '2' }));
    await worker.clock.advance(10 * SECOND + 10);
    expect(worker.results.filter(({ unscheduled }) => unscheduled)).toHaveLength(100);
  });

  it('gives a new check a history of its own', async () => {
    worker.scheduler.hold(aJobset([aCheck('old/', everySecond)]));
    await worker.clock.advance(3_500);
    worker.scheduler.hold(aJobset([]));
    worker.scheduler.hold(aJobset([aCheck('new/')]));
    const slot = worker.table.slotOf(aCheck('new/').id) as number;
    expect(worker.table.lateness.quantiles(slot)).toBeNull();
    expect([worker.table.runs[slot], worker.table.state(slot).status]).toEqual([0, 'pending']);
  });

  it('does 500 targets of one second with 50 places within 12 seconds', async () => {
    worker = aWorker({ runAtStart: true, total: 50, perHost: 50 });
    worker.probe.script = () => ({ afterMs: SECOND, observation: anAnswer() });
    const hourly = aSpec({ schedule: { cron: '0 * * * *' } });
    for (let set = 0; set < 5; set++) {
      const checks = Array.from({ length: 100 }, (_, n) => aCheck(`host-${set}-${n}/`, hourly));
      worker.scheduler.hold(aJobset(checks, { id: `set-${set}` }));
    }
    await worker.clock.advance(12 * SECOND);
    expect([worker.results.length, worker.probe.mostInFlight]).toEqual([500, 50]);
  });

  it('runs the others of a jobset in which one stored check cannot be compiled', async () => {
    const broken = aCheck('broken/', aSpec({ schedule: { cron: '61 * * * *' } }));
    worker.scheduler.hold(aJobset([broken, aCheck('a/', everySecond)]));
    await worker.clock.advance(3_500);
    expect(worker.unusable).toEqual(['broken/']);
    expect(startsOf('a/')).toHaveLength(3);
  });

  it('labels a run that ended while the worker could not renew its claim', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_002);
    worker.authority.attached = false;
    await worker.clock.advance(10);
    expect(worker.results.map(({ detached }) => detached)).toEqual([true]);
  });
});
