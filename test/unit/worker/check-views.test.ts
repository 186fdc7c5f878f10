import { expect, it } from 'vitest';
import { aCheck, anAnswer, aSpec } from '../../support/builders.ts';
import { aCatalogue, startFleet } from '../../support/fleet.ts';

const everySecond = aSpec({ schedule: { cron: '* * * * * *' } });

const aFleet = async () => {
  const fleet = startFleet();
  fleet.probe.script = (key) => ({
    afterMs: 5,
    observation: anAnswer({ statusCode: key === 'down/' ? 503 : 200 }),
  });
  const yearly = aSpec({ schedule: { cron: '0 0 1 1 *' } });
  const checks = [
    aCheck('up/', everySecond),
    aCheck('down/', everySecond),
    aCheck('later/', yearly),
  ];
  fleet.admin.offer(aCatalogue(checks));
  await fleet.clock.advance(3_500);
  return fleet;
};

it('shows what each check is, when it ran and when it runs next', async () => {
  const { worker, clock } = await aFleet();
  const now = clock.now();
  expect(worker.status.find('down/')).toMatchObject({
    status: 'critical',
    reason: expect.stringContaining('503'),
    since: expect.any(Number),
    lastTick: now - 500,
    durationMs: 5,
    latenessMs: 0,
    nextTick: now + 500,
    lateness: { p50: 1, p99: 1 },
    runs: 3,
  });
  expect(worker.status.find('later/')).toMatchObject({
    status: 'pending',
    since: null,
    lastTick: null,
    lateness: null,
    runs: 0,
  });
  expect(worker.status.find('nobody/')).toBeNull();
  expect(worker.status.summary()).toEqual({
    ok: 1,
    warning: 0,
    critical: 1,
    unknown: 0,
    pending: 1,
  });
});

it('gives pages that together hold every check once', async () => {
  const { worker } = await aFleet();
  const pages = [0, 1, 2, 3].flatMap((offset) => worker.status.checks({ offset, limit: 1 }));
  expect(pages.map(({ check }) => check).sort()).toEqual(['down/', 'later/', 'up/']);
  expect(worker.status.checks({ status: 'ok' }).map(({ check }) => check)).toEqual(['up/']);
});
