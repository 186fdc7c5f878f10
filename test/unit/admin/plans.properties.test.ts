import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planBalance } from '../../../src/admin/balance.ts';
import type { Fleet } from '../../../src/admin/fleet.ts';
import { Memory, measuredOf } from '../../../src/admin/memory.ts';
import { planPlacing } from '../../../src/admin/placing.ts';
import { standingsOf } from '../../../src/admin/standing.ts';
import type { WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset } from '../../../src/shared/domain/jobset.ts';
import { ROOM_BELOW, weightOf } from '../../../src/shared/rules/load.ts';
import { aFleet, type JobsetSketch, type WorkerSketch } from './fleets.ts';

const NOW = 600_000;
const NAMES = ['a', 'b', 'c', 'd', 'e'];

const zone = fc.constantFrom<'eu' | 'us' | null>(null, null, 'eu', 'us');
const worker: fc.Arbitrary<WorkerSketch> = fc.record({
  state: fc.constantFrom('up', 'up', 'up', 'full', 'draining'),
  zone,
  capacity: fc.record({
    places: fc.integer({ min: 1, max: 64 }),
    jobs: fc.option(fc.integer({ min: 0, max: 60 }), { nil: null }),
  }),
  load: fc.record({
    places: fc.double({ min: 0, max: 64, noNaN: true }),
    loop: fc.double({ min: 0, max: 0.9, noNaN: true }),
  }),
});
const jobset: fc.Arbitrary<JobsetSketch> = fc
  .record({
    jobs: fc.integer({ min: 1, max: 20 }),
    owner: fc.option(fc.constantFrom(...NAMES)),
    avoid: fc.subarray(NAMES, { maxLength: 2 }),
    waiting: fc.record({
      load: fc.double({ min: 0, max: 20, noNaN: true }),
      since: fc.integer({ min: 0, max: 20 }),
      reason: fc.constantFrom<'late' | 'full' | 'quarantined'>('late', 'full', 'quarantined'),
    }),
  })
  .map(({ jobs, owner, avoid, waiting }) =>
    owner === null ? { jobs, avoid, waiting } : { jobs, owner, avoid },
  );
const fleets: fc.Arbitrary<Fleet> = fc
  .tuple(
    fc.array(worker, { minLength: 1, maxLength: NAMES.length }),
    fc.array(jobset, { maxLength: 30 }),
  )
  .map(([workers, jobsets]) =>
    aFleet(
      Object.fromEntries(workers.map((one, n) => [NAMES[n] ?? '', one])),
      Object.fromEntries(jobsets.map((one, n) => [`j${n}`, one])),
    ),
  );

const placed = (fleet: Fleet) => {
  const memory = new Memory();
  return planPlacing(fleet, standingsOf(fleet, memory, NOW), memory);
};

const queueOf = ({ waiting }: Fleet): Jobset[] =>
  [...waiting.values()].filter((one) => one.waiting?.reason !== 'quarantined');

/** As measured, with what a plan gives to it. */
const roomIn = (fleet: Fleet, id: WorkerId) => {
  const one = fleet.workers.get(id);
  if (one === undefined) throw new Error(`${id} is planned for and does not exist`);
  const { places, jobs } = one.record.capacity;
  return {
    places: ROOM_BELOW * places - measuredOf(one),
    jobs: (jobs ?? Number.POSITIVE_INFINITY) - one.jobs,
    isIdle: one.jobs === 0,
  };
};

describe('placing', () => {
  it('never exceeds the room, but for one job of an idle worker', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        for (const [to, given] of Map.groupBy(placed(fleet), (one) => one.to)) {
          const room = roomIn(fleet, to);
          const load = given.reduce((sum, one) => sum + one.load, 0);
          const jobs = given.reduce((sum, one) => sum + one.jobs, 0);
          expect(jobs).toBeLessThanOrEqual(room.jobs);
          const isTheOne = room.isIdle && jobs === 1;
          if (!isTheOne) expect(load).toBeLessThanOrEqual(room.places + 1e-6);
        }
      }),
    );
  });

  it('places nothing while an older one that asks for no more waits for the same worker', () => {
    const eachOf = ({ waiting, jobs }: Jobset): number => (waiting?.load ?? 0) / jobs.length;
    fc.assert(
      fc.property(fleets, (fleet) => {
        const plan = placed(fleet);
        const left = queueOf(fleet).filter(({ id }) => !plan.some(({ jobset }) => jobset === id));
        for (const { jobset, to } of plan) {
          const given = fleet.waiting.get(jobset);
          if (given === undefined) throw new Error(`${jobset} does not wait`);
          const since = given.waiting?.since ?? 0;
          const zone = fleet.workers.get(to)?.record.zone;
          const older = left.filter((one) => (one.waiting?.since ?? 0) < since);
          const passedOver = older
            .filter((one) => !one.avoid.includes(to) && [null, zone].includes(one.zone))
            .filter((one) => eachOf(one) <= eachOf(given) && one.waiting?.reason !== 'late');
          expect(passedOver).toEqual([]);
        }
      }),
    );
  });

  it('leaves nothing waiting that an idle worker could run', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const plan = placed(fleet);
        const left = queueOf(fleet).filter(({ id }) => !plan.some(({ jobset }) => jobset === id));
        const idle = [...fleet.workers.values()].filter(
          ({ record, jobs }) =>
            record.state === 'up' && jobs === 0 && (record.capacity.jobs ?? 1) > 0,
        );
        const unused = idle.filter(({ record }) => !plan.some(({ to }) => to === record.id));
        for (const { record } of unused)
          expect(left.filter(({ zone }) => [null, record.zone].includes(zone))).toEqual([]);
      }),
    );
  });
});

describe('balance', () => {
  const planned = (fleet: Fleet) => {
    const memory = new Memory();
    return planBalance(fleet, standingsOf(fleet, memory, NOW), memory, NOW);
  };
  const burdens = (fleet: Fleet) =>
    new Map(
      [...fleet.workers.values()].map((one) => [
        one.record.id,
        weightOf(measuredOf(one), one.jobs) / one.record.capacity.places,
      ]),
    );

  it('moves a jobset once at most, from who holds it to an open worker', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const plan = planned(fleet);
        expect(new Set(plan.map(({ jobset }) => jobset)).size).toBe(plan.length);
        for (const { jobset, from, to } of plan) {
          expect(fleet.jobsets.get(jobset)?.owner).toBe(from);
          expect(fleet.jobsets.get(jobset)?.avoid).not.toContain(to);
          expect(fleet.workers.get(to)?.record.state).not.toBe('draining');
        }
      }),
    );
  });

  it('never gives to who bears more', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const before = burdens(fleet);
        for (const { from, to } of planned(fleet))
          expect(before.get(from)).toBeGreaterThan(before.get(to) ?? Number.NaN);
      }),
    );
  });

  it('never makes the most burdened worker bear more', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const after = burdens(fleet);
        const most = Math.max(...after.values());
        for (const { jobset, from, to, load } of planned(fleet)) {
          const jobs = fleet.jobsets.get(jobset)?.jobs ?? 0;
          const of = (id: WorkerId) => fleet.workers.get(id)?.record.capacity.places ?? 1;
          after.set(to, (after.get(to) ?? 0) + weightOf(load, jobs) / of(to));
          after.set(from, (after.get(from) ?? 0) - weightOf(load, jobs) / of(from));
        }
        expect(Math.max(...after.values())).toBeLessThanOrEqual(most + 1e-9);
      }),
    );
  });

  it('moves at most one of up to fifty jobsets for balance', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        const moves = planned(fleet).filter(({ reason }) => reason === 'imbalance');
        expect(moves.length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
