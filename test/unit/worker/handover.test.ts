import { beforeEach, describe, expect, it } from 'vitest';
import type { CheckId, JobsetId } from '../../../src/shared/domain/check.ts';
import type { Handover } from '../../../src/shared/domain/jobset.ts';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { aWorkerCore, type WorkerCore } from '../../support/worker-core.ts';

const NOON = Date.UTC(2026, 5, 1, 12);
const SECOND = 1_000;
const JOBSET = 'jobset' as JobsetId;

const everySecond = aSpec({ schedule: { cron: '* * * * * *' } });
const everyTen = aSpec({ schedule: { cron: '*/10 * * * * *' }, failAfter: 3 });
const idOf = (key: string) => aCheck(key).id;

let worker: WorkerCore;
beforeEach(() => {
  worker = aWorkerCore({ startAt: NOON + 25 * SECOND });
});

const handover = (
  through: number,
  more: Partial<Handover> = {},
  open: [string, number][] = [],
) => ({
  progress: {
    through: NOON + through,
    open: open.map(([key, tick]): [CheckId, number] => [idOf(key), NOON + tick]),
  },
  states: {},
  ...more,
});
const hold = (from: Handover | null, spec = everyTen) =>
  worker.scheduler.hold(aJobset([aCheck('a/', spec)], { handover: from }));
const ticks = () => worker.results.map(({ tick }) => tick - NOON);
const expectConserved = () => expect(worker.tally.unaccounted).toBe(0);

describe('a jobset that another worker has run', () => {
  it('is caught up: of each check the latest tick that nobody ran, the others are counted', async () => {
    hold(handover(-5 * SECOND));
    await worker.clock.advance(SECOND);
    expect(ticks()).toEqual([20 * SECOND]);
    expect(worker.tally.skipped.catchup).toBe(2);
    expect(worker.results[0]?.latenessMs).toBeGreaterThanOrEqual(5 * SECOND);
    expectConserved();
  });

  it('runs no tick that is done', async () => {
    hold(handover(20 * SECOND));
    await worker.clock.advance(4 * SECOND);
    expect(ticks()).toEqual([]);
    await worker.clock.advance(2 * SECOND);
    expect(ticks()).toEqual([30 * SECOND]);
  });

  it('runs a tick again that was in flight when its worker died', async () => {
    hold(handover(24 * SECOND, {}, [['a/', 20 * SECOND]]));
    await worker.clock.advance(SECOND);
    expect(ticks()).toEqual([20 * SECOND]);
    expectConserved();
  });

  it('runs no tick that was done by a clock a little ahead of this one', async () => {
    hold(handover(30 * SECOND));
    await worker.clock.advance(8 * SECOND);
    expect(ticks()).toEqual([]);
  });

  it('does not believe a clock far ahead of this one: nothing would be run for so long', async () => {
    hold(handover(500 * SECOND));
    await worker.clock.advance(6 * SECOND);
    expect(ticks()).toEqual([20 * SECOND, 30 * SECOND]);
  });

  it('gets no runs at start: it has been running', async () => {
    worker = aWorkerCore({ startAt: NOON + 25 * SECOND, runAtStart: true });
    hold(handover(24 * SECOND));
    await worker.clock.advance(4 * SECOND);
    expect(worker.probe.starts).toEqual([]);
  });

  it('keeps the row of bad runs, and since when', async () => {
    worker.probe.script = () => ({ afterMs: 5, observation: anAnswer({ statusCode: 500 }) });
    const states = { [idOf('a/')]: { status: 'warning', since: NOON, bad: 2 } } as const;
    hold({ ...handover(24 * SECOND), states });
    await worker.clock.advance(6 * SECOND);
    expect(worker.results).toMatchObject([{ status: 'critical' }]);
    expect(worker.scheduler.states(JOBSET)[idOf('a/')]).toMatchObject({ bad: 3 });
  });

  it('is not told anew what this worker knows better: it held it all the time', async () => {
    hold(handover(20 * SECOND));
    await worker.clock.advance(6 * SECOND);
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)], { token: '2', handover: handover(0) }));
    await worker.clock.advance(2 * SECOND);
    expect(ticks()).toEqual([30 * SECOND]);
  });
});

describe('the progress that a heartbeat stores', () => {
  it('is this moment while every tick has fired', () => {
    hold(null);
    expect(worker.scheduler.progress()).toEqual({
      through: NOON + 25 * SECOND,
      open: [],
      left: {},
    });
  });

  it('names a tick that is due and has not fired', async () => {
    hold(null);
    worker.clock.stall(6 * SECOND);
    expect(worker.scheduler.progress()).toMatchObject({
      through: NOON + 31 * SECOND,
      open: [[idOf('a/'), NOON + 30 * SECOND]],
    });
  });

  it('names what is put back and has not begun again', async () => {
    hold(null);
    const jobs = new Set([idOf('a/')]);
    await worker.scheduler.setAside(JOBSET, jobs);
    worker.clock.stall(6 * SECOND);
    worker.scheduler.putBack(JOBSET, jobs);
    expect(worker.scheduler.progress()).toMatchObject({
      through: NOON + 31 * SECOND,
      open: [[idOf('a/'), NOON + 30 * SECOND]],
    });
  });

  it('names the ticks that run or wait', async () => {
    worker = aWorkerCore({ startAt: NOON + 25 * SECOND, total: 1 });
    worker.probe.script = () => ({ afterMs: 2 * SECOND, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen), aCheck('b/', everyTen)]));
    await worker.clock.advance(6 * SECOND);
    expect(worker.scheduler.progress().open).toEqual([
      [idOf('a/'), NOON + 30 * SECOND],
      [idOf('b/'), NOON + 30 * SECOND],
    ]);
  });

  it('names what a jobset that has just come leaves to be done, and goes back no further', () => {
    const open = [[idOf('a/'), NOON + 10 * SECOND] as const];
    const progress = { through: NOON + 24 * SECOND, open };
    hold({ progress, states: {} });
    expect(worker.scheduler.progress()).toMatchObject({
      through: NOON + 25 * SECOND,
      open: [[idOf('a/'), NOON + 10 * SECOND]],
    });
  });

  it('goes back to the oldest open tick where there are too many to name', async () => {
    worker.probe.script = () => ({ afterMs: 5 * SECOND, observation: anAnswer() });
    const checks = Array.from({ length: 1_001 }, (_, n) => aCheck(`host-${n}/`, everyTen));
    worker.scheduler.hold(aJobset(checks));
    await worker.clock.advance(6 * SECOND);
    const through = NOON + 30 * SECOND - 1;
    expect(worker.scheduler.progress()).toEqual({ through, open: [], left: {} });
  });

  it('names what is being dropped: nobody runs that until it is handed over', async () => {
    worker.probe.script = () => ({ afterMs: 4 * SECOND, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_500);
    const dropped = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(2_000);
    const { open } = worker.scheduler.progress();
    // The run in flight, which is the earlier, counts.
    expect(new Map(open).get(idOf('a/'))).toBeLessThan(NOON + 27 * SECOND);
    await worker.clock.until(dropped);
    expect(worker.scheduler.progress().through).toBe(worker.clock.now());
  });
});

describe('a jobset that is dropped', () => {
  it('leaves its next owner exactly what is not done', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)]));
    await worker.clock.advance(6_100);
    expect(await worker.clock.until(worker.scheduler.drop(JOBSET, 5 * SECOND))).toEqual({
      progress: { through: NOON + 31_100, open: [] },
      states: {},
    });
  });

  it('leaves a run open that had to be ended, and one that still waited for a place', async () => {
    worker = aWorkerCore({ startAt: NOON + 25 * SECOND, total: 1 });
    worker.probe.script = () => ({ afterMs: 60 * SECOND, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen), aCheck('b/', everyTen)]));
    await worker.clock.advance(6 * SECOND);
    const { progress } = await worker.clock.until(worker.scheduler.drop(JOBSET, 5 * SECOND));
    expect(progress?.open).toEqual([
      [idOf('b/'), NOON + 30 * SECOND],
      [idOf('a/'), NOON + 30 * SECOND],
    ]);
    expectConserved();
  });

  it('hands on the states that a checkpoint keeps', async () => {
    worker.probe.script = () => ({ afterMs: 5, observation: anAnswer({ statusCode: 500 }) });
    hold(null);
    await worker.clock.advance(6 * SECOND);
    const { states } = await worker.clock.until(worker.scheduler.drop(JOBSET, 5 * SECOND));
    expect(states[idOf('a/')]).toMatchObject({ status: 'warning', bad: 1 });
  });

  it('that comes back at once has missed no tick', async () => {
    worker.probe.script = () => ({ afterMs: 3 * SECOND, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_100);
    const dropped = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(2_500);
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)], { token: '2' }));
    await worker.clock.until(dropped);
    const { scheduled, skippedTotal, run, pending } = worker.tally;
    await worker.clock.advance(1_000);
    expect(scheduled).toBe(run + skippedTotal + pending);
    expect(worker.tally.scheduled).toBe(
      Math.floor(worker.clock.now() / SECOND) - (NOON / SECOND + 25),
    );
  });
});

describe('a jobset that comes back while it is dropped', () => {
  it('has its runs back, too: none of them is ended any more', async () => {
    worker.probe.script = () => ({ afterMs: 8 * SECOND, observation: anAnswer() });
    hold(null);
    await worker.clock.advance(6 * SECOND);
    const dropped = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(SECOND);
    hold(handover(31 * SECOND));
    await worker.clock.until(dropped);
    expect(ticks()).toEqual([30 * SECOND]);
    expect(worker.tally.skipped.released).toBe(0);
  });
});

describe('a jobset that is dropped again before it is gone', () => {
  const again = async () => {
    hold(null);
    await worker.clock.advance(6 * SECOND);
    const first = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(SECOND);
    hold(handover(31 * SECOND));
    const second = worker.scheduler.drop(JOBSET, 5 * SECOND);
    return { first, second };
  };

  it('gives its place away once: what comes next has one for each check', async () => {
    worker.probe.script = () => ({ afterMs: 4 * SECOND, observation: anAnswer() });
    const { first, second } = await again();
    await worker.clock.until(Promise.all([first, second]));
    worker.scheduler.hold(aJobset([aCheck('b/', everyTen), aCheck('c/', everyTen)]));
    await worker.clock.advance(30 * SECOND);
    expect(worker.results.filter(({ check }) => check === 'b/').length).toBeGreaterThan(1);
    expect(worker.results.filter(({ check }) => check === 'c/').length).toBeGreaterThan(1);
    expect(worker.plans.size).toBe(1);
  });

  it('leaves open what outlasts the second grace, too, when the first is over before', async () => {
    const slow = { afterMs: 60 * SECOND, observation: anAnswer() };
    worker.probe.script = (key) => (key === 'b/' ? slow : { ...slow, afterMs: 4_500 });
    const later = aSpec({ schedule: { cron: '2-59/10 * * * * *' } });
    const both = aJobset([aCheck('a/', everyTen), aCheck('b/', later)]);
    worker.scheduler.hold(both);
    await worker.clock.advance(6 * SECOND);
    const first = worker.scheduler.drop(JOBSET, 5 * SECOND);
    worker.scheduler.hold({ ...both, claim: { ...both.claim, token: '2' } });
    await worker.clock.advance(1_100);
    const second = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.until(first);
    const { progress } = await worker.clock.until(second);
    expect(progress?.open).toEqual([[idOf('b/'), NOON + 32 * SECOND]]);
    expect(worker.scheduler.progress().left).toEqual({ [JOBSET]: progress });
    expectConserved();
  });

  it('says nothing of its own: who asks twice is told the same', async () => {
    worker.probe.script = () => ({ afterMs: 60 * SECOND, observation: anAnswer() });
    hold(null);
    await worker.clock.advance(6 * SECOND);
    const first = worker.scheduler.drop(JOBSET, 5 * SECOND);
    const second = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(SECOND);
    expect(worker.scheduler.progress().left).toEqual({});
    expect(await worker.clock.until(second)).toEqual(await worker.clock.until(first));
  });
});

describe('a check that moves to another jobset while its own is dropped', () => {
  it('has its run back, too', async () => {
    worker.probe.script = () => ({ afterMs: 8 * SECOND, observation: anAnswer() });
    hold(null);
    await worker.clock.advance(6 * SECOND);
    const dropped = worker.scheduler.drop(JOBSET, 5 * SECOND);
    await worker.clock.advance(SECOND);
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)], { id: 'other' }));
    await worker.clock.until(dropped);
    expect(ticks()).toEqual([30 * SECOND]);
    expect(worker.tally.skipped.released).toBe(0);
  });

  it('is the business of that jobset when its run has ended', async () => {
    worker.probe.script = () => ({ afterMs: SECOND, observation: anAnswer({ statusCode: 500 }) });
    hold(null);
    await worker.clock.advance(5_500);
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)], { id: 'other' }));
    await worker.clock.advance(SECOND);
    expect(worker.changed).toEqual(['other']);
  });
});

describe('the progress of a worker that has let go of a jobset', () => {
  it('goes back to the oldest open ticks where they are too many to name', async () => {
    worker = aWorkerCore({ startAt: NOON + 25 * SECOND, total: 1 });
    worker.probe.script = () => ({ afterMs: 60 * SECOND, observation: anAnswer() });
    const names = Array.from({ length: 12 }, (_, n) => `js-${n}` as JobsetId);
    for (const id of names) {
      const checks = Array.from({ length: 100 }, (_, n) => aCheck(`${id}-${n}/`, everyTen));
      worker.scheduler.hold(aJobset(checks, { id }));
    }
    await worker.clock.advance(6 * SECOND);
    await worker.clock.until(Promise.all(names.map((id) => worker.scheduler.drop(id, 0))));
    const left = Object.values(worker.scheduler.progress().left);
    expect(left.length).toBe(12);
    expect(left.flatMap(({ open }) => open).length).toBeLessThanOrEqual(1_000);
    for (const { through, open } of left)
      if (open.length === 0) expect(through).toBe(NOON + 30 * SECOND - 1);
  });

  it('says for a while how far it was: who took it over may die before it can say more', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)]));
    worker.scheduler.hold(aJobset([aCheck('b/', everyTen)], { id: 'other' }));
    await worker.clock.advance(6_100);
    const { progress } = await worker.clock.until(worker.scheduler.drop(JOBSET, 0));
    await worker.clock.advance(10_000);
    expect(worker.scheduler.progress().left).toEqual({ [JOBSET]: progress });
    await worker.clock.advance(60_000);
    expect(worker.scheduler.progress().left).toEqual({});
  });

  it('says so no more when it holds that jobset again', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)]));
    await worker.clock.until(worker.scheduler.drop(JOBSET, 0));
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen)]));
    expect(worker.scheduler.progress().left).toEqual({});
  });
});

describe('checks that are set aside', () => {
  const aside = () => worker.scheduler.setAside(JOBSET, new Set([idOf('a/')]));
  beforeEach(() => {
    worker.scheduler.hold(aJobset([aCheck('a/', everyTen), aCheck('b/', everyTen)]));
  });
  const startsOf = (key: string) => worker.probe.starts.filter((start) => start.key === key).length;

  it('start no more, while the rest of their jobset runs on', async () => {
    await worker.clock.until(aside());
    await worker.clock.advance(20 * SECOND);
    expect([startsOf('a/'), startsOf('b/')]).toEqual([0, 2]);
  });

  it('end by themselves what they are at, and say how far they are', async () => {
    worker.probe.script = () => ({ afterMs: 20 * SECOND, observation: anAnswer() });
    await worker.clock.advance(6 * SECOND);
    const { progress } = await worker.clock.until(aside());
    expect(worker.results.map(({ check }) => check)).toContain('a/');
    expect(progress).toEqual({ through: NOON + 31 * SECOND, open: [] });
  });

  it('do not hold back the progress of the worker: what they miss is named', async () => {
    await worker.clock.until(aside());
    expect(worker.scheduler.progress().open).toEqual([]);
    await worker.clock.advance(20 * SECOND);
    const { through, open } = worker.scheduler.progress();
    expect(through).toBe(worker.clock.now());
    expect(open).toEqual([[idOf('a/'), NOON + 30 * SECOND]]);
  });

  it('are handed on with what they have missed when all of the jobset is', async () => {
    await worker.clock.until(aside());
    await worker.clock.advance(20 * SECOND);
    const { progress } = await worker.clock.until(worker.scheduler.drop(JOBSET, SECOND));
    const missed = [idOf('a/'), NOON + 30 * SECOND];
    expect(progress).toEqual({ through: worker.clock.now(), open: [missed] });
  });

  it('are caught up when they are put back', async () => {
    await worker.clock.until(aside());
    await worker.clock.advance(20 * SECOND);
    worker.scheduler.putBack(JOBSET, new Set([idOf('a/')]));
    await worker.clock.advance(100);
    expect(startsOf('a/')).toBe(1);
    expect(worker.tally.skipped.catchup).toBe(1);
    expect(worker.scheduler.progress().through).toBe(worker.clock.now());
    expectConserved();
  });

  it('are gone with the new content that does not have them', async () => {
    await worker.clock.until(aside());
    worker.scheduler.hold(aJobset([aCheck('b/', everyTen)], { handover: null }));
    await worker.clock.advance(20 * SECOND);
    expect(worker.scheduler.progress().through).toBe(worker.clock.now());
    expect(worker.table.size).toBe(1);
  });
});
