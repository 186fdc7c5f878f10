import { beforeEach, describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/shared/domain/result.ts';
import { aCheck, aJobset, anAnswer, aSpec } from '../../support/builders.ts';
import { aWorkerCore, type WorkerCore } from '../../support/worker-core.ts';

const everySecond = aSpec({ schedule: { cron: '* * * * * *' } });

const failure = (code: Failure['code']): Failure => ({
  kind: 'failure',
  code,
  detail: `it was ${code}`,
  durationMs: 3,
  phases: {},
  host: 'a',
});

let worker: WorkerCore;
beforeEach(() => {
  worker = aWorkerCore();
});

describe('Runner', () => {
  it.each([
    ['refused', 'critical'],
    ['timeout_first_byte', 'critical'],
    ['checker_resolver', 'unknown'],
    ['checker_resources', 'unknown'],
    ['checker_blocked', 'unknown'],
    ['address_refused', 'unknown'],
  ] as const)('calls %s %s', async (code, status) => {
    worker.probe.script = () => ({ afterMs: 5, observation: failure(code) });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_500);
    expect(worker.results).toMatchObject([{ status, code, reason: `it was ${code}` }]);
  });

  it('takes a defect of its own rules for unknown, and goes on', async () => {
    worker.probe.script = () => ({
      afterMs: 5,
      observation: anAnswer({ headers: null as unknown as Record<string, string> }),
    });
    const spec = aSpec({
      schedule: { cron: '* * * * * *' },
      values: [{ name: 'status', path: '$.status' }],
    });
    worker.scheduler.hold(aJobset([aCheck('a/', spec)]));
    await worker.clock.advance(2_500);
    expect(worker.results).toMatchObject([
      { status: 'unknown', code: 'checker_error' },
      { status: 'unknown', code: 'checker_error' },
    ]);
  });

  it('labels a run that started while the worker could not renew its claim', async () => {
    worker.authority.attached = false;
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)]));
    await worker.clock.advance(1_002);
    worker.authority.attached = true;
    await worker.clock.advance(10);
    expect(worker.results.map(({ detached }) => detached)).toEqual([true]);
  });

  it('counts runs that start past their budget as late', async () => {
    worker.scheduler.hold(aJobset([aCheck('a/'), aCheck('b/', everySecond)]));
    await worker.clock.advance(59_500);
    worker.clock.stall(31_000);
    await worker.clock.advance(100);
    expect(worker.tally.late).toBe(1);
  });

  it('takes no fault of its own machine as evidence about the network', async () => {
    // Eight hosts say nothing for want of descriptors; the six others are well, then time out.
    let reached = true;
    const answer = () => (reached ? anAnswer() : failure('timeout_connect'));
    worker.probe.script = (key) => ({
      afterMs: 5,
      observation: key.startsWith('mute') ? failure('checker_resources') : answer(),
    });
    const checks = [
      ...Array.from({ length: 8 }, (_, n) => aCheck(`mute-${n}/`, everySecond)),
      ...Array.from({ length: 6 }, (_, n) => aCheck(`host-${n}/`, everySecond)),
    ];
    worker.scheduler.hold(aJobset(checks));
    await worker.clock.advance(1_500);
    reached = false;
    await worker.clock.advance(1_000);
    expect(worker.suspicions).toEqual(['entered']);
  });

  it('gives the places of runs that wait to others when their checks are taken away', async () => {
    worker = aWorkerCore({ total: 1, perHost: 1 });
    worker.probe.script = () => ({ afterMs: 2_000, observation: anAnswer() });
    worker.scheduler.hold(aJobset([aCheck('a/', everySecond)], { id: 'one' }));
    await worker.clock.advance(500);
    worker.scheduler.hold(aJobset([aCheck('b/', everySecond)], { id: 'two' }));
    worker.scheduler.hold(aJobset([aCheck('c/', everySecond)], { id: 'three' }));
    await worker.clock.advance(1_000);
    worker.scheduler.hold(aJobset([], { id: 'two' }));
    await worker.clock.advance(4_000);
    expect(worker.results.map(({ check }) => check)).toEqual(['a/', 'c/']);
    expect(worker.tally.unaccounted).toBe(0);
  });
});
