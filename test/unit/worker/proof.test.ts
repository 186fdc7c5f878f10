import { beforeEach, describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/worker/workload.ts';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { aWorkerCore, type WorkerCore } from '../../support/worker-core.ts';

const SECOND = 1_000;
const schedule = { cron: '*/10 * * * * *' };
const looking = aSpec({ schedule });
const acting = aSpec({ schedule, onCoordinationLoss: 'stop' });

let worker: WorkerCore;
const start = (options: Parameters<typeof aWorkerCore>[0] = {}) => {
  worker = aWorkerCore(options);
  worker.scheduler.hold(aJobset([aCheck('look/', looking), aCheck('act/', acting)]));
};
beforeEach(() => start());
const checksOf = () => worker.results.map(({ check }) => check);
const expectConserved = () => expect(worker.tally.unaccounted).toBe(0);

describe('a worker that cannot prove what it owns', () => {
  it('runs on what only looks, labelled, and starts nothing that acts', async () => {
    worker.authority.attached = false;
    await worker.clock.advance(11 * SECOND);
    expect(worker.results).toMatchObject([{ check: 'look/', detached: true }]);
    expect(worker.probe.starts.map(({ key }) => key)).toEqual(['look/']);
    expect(worker.tally.skipped.fenced).toBe(1);
    expectConserved();
  });

  it('starts nothing at all where the pool stops', async () => {
    start({ stopOnLoss: true });
    worker.authority.attached = false;
    await worker.clock.advance(11 * SECOND);
    expect(worker.probe.starts).toEqual([]);
    expect(worker.tally.skipped.fenced).toBe(2);
    expectConserved();
  });

  it('ends at once what acts and is in flight', async () => {
    worker.probe.script = () => ({ afterMs: 5 * SECOND, observation: anAnswer() });
    await worker.clock.advance(11 * SECOND);
    worker.authority.attached = false;
    worker.runner.fence();
    expect(worker.probe.inFlight).toBe(1);
    await worker.clock.advance(5 * SECOND);
    expect(checksOf()).toEqual(['look/']);
    expectConserved();
  });

  it('sends nothing that acts once its connection stands, before any timer has told it', async () => {
    const observation = anAnswer();
    worker.probe.script = () => ({ afterMs: 5 * SECOND, sentAfterMs: 2 * SECOND, observation });
    await worker.clock.advance(11 * SECOND);
    worker.authority.attached = false;
    await worker.clock.advance(2 * SECOND);
    expect(worker.probe.inFlight).toBe(1);
    expect(worker.tally.skipped.fenced).toBe(1);
    await worker.clock.advance(5 * SECOND);
    expect(checksOf()).toEqual(['look/']);
    expectConserved();
  });

  it('says nothing of a run that acts and that ended without proof', async () => {
    worker.probe.script = () => ({ afterMs: 5 * SECOND, observation: anAnswer() });
    await worker.clock.advance(11 * SECOND);
    worker.authority.attached = false;
    await worker.clock.advance(5 * SECOND);
    expect(worker.results).toMatchObject([{ check: 'look/', detached: true }]);
    expectConserved();
  });

  it('begins what has waited under the claim by which its check is held by then', async () => {
    start({ total: 1 });
    worker.probe.script = () => ({ afterMs: 5 * SECOND, observation: anAnswer() });
    worker.authority.owns = ({ token }: Claim) => token === 'renewed';
    await worker.clock.advance(11 * SECOND);
    expect(worker.probe.starts.map(({ key }) => key)).toEqual(['look/']);
    const checks = [aCheck('look/', looking), aCheck('act/', acting)];
    worker.scheduler.hold(aJobset(checks, { token: 'renewed' }));
    await worker.clock.advance(10 * SECOND);
    expect(worker.results.slice(0, 2)).toMatchObject([
      { check: 'look/', token: '1', detached: true },
      { check: 'act/', token: 'renewed', detached: false },
    ]);
  });

  it('gives the places of what it does not start to those behind', async () => {
    start({ stopOnLoss: false, total: 1 });
    worker.probe.script = () => ({ afterMs: 2 * SECOND, observation: anAnswer() });
    worker.scheduler.hold(
      aJobset(
        Array.from({ length: 5_000 }, (_, n) => aCheck(`act-${n}/`, acting)),
        { id: 'many' },
      ),
    );
    await worker.clock.advance(10 * SECOND + 100);
    worker.authority.attached = false;
    await worker.clock.advance(5 * SECOND);
    expect(worker.tally.pending).toBe(0);
    expectConserved();
  });
});

describe('a worker in doubt, after a pause', () => {
  it('starts nothing before it knows', async () => {
    const known = Promise.withResolvers<void>();
    worker.authority.attached = false;
    worker.authority.doubt = known.promise;
    await worker.clock.advance(10 * SECOND + 500);
    expect(worker.probe.starts).toEqual([]);
    worker.authority.attached = true;
    worker.authority.doubt = null;
    known.resolve();
    await worker.clock.advance(100);
    expect(worker.results).toMatchObject([{ detached: false }, { detached: false }]);
    expect(worker.tally.skipped.fenced).toBe(0);
  });

  it('goes on at once when its clock is set back before it knows', async () => {
    const known = Promise.withResolvers<void>();
    worker.authority.doubt = known.promise;
    await worker.clock.advance(2 * SECOND);
    worker.clock.stepWall(-3_600 * SECOND);
    await worker.clock.advance(500);
    worker.authority.doubt = null;
    known.resolve();
    await worker.clock.advance(11 * SECOND);
    expect(checksOf()).toEqual(['look/', 'act/']);
  });

  it('starts nothing in the place of a run that ends, either', async () => {
    start({ total: 1 });
    worker.probe.script = () => ({ afterMs: 2 * SECOND, observation: anAnswer() });
    await worker.clock.advance(11 * SECOND);
    const known = Promise.withResolvers<void>();
    worker.authority.doubt = known.promise;
    await worker.clock.advance(3 * SECOND);
    expect(worker.probe.starts.length).toBe(1);
    worker.authority.doubt = null;
    known.resolve();
    await worker.clock.advance(100);
    expect(worker.probe.starts.length).toBe(2);
  });
});

describe('what a checkpoint says', () => {
  it('has changed when a check is no longer ok, counts on, or is ok again', async () => {
    const failing = aSpec({ schedule, failAfter: 2 });
    worker = aWorkerCore();
    worker.scheduler.hold(aJobset([aCheck('a/', failing)]));
    await worker.clock.advance(100);
    let statusCode = 200;
    worker.probe.script = () => ({ afterMs: 5, observation: anAnswer({ statusCode }) });
    const changesAfter = async (code: number) => {
      statusCode = code;
      const before = worker.changed.length;
      await worker.clock.advance(10 * SECOND);
      return worker.changed.length - before;
    };
    expect(await changesAfter(200)).toBe(0);
    expect(await changesAfter(500)).toBe(1);
    expect(await changesAfter(500)).toBe(1);
    // Critical it stays, and further bad runs do not matter.
    expect(await changesAfter(500)).toBe(0);
    expect(await changesAfter(200)).toBe(1);
    expect(await changesAfter(200)).toBe(0);
  });
});
