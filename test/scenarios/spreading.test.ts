/** A pool that grows, or has too little room: the leader gives each worker what it can take. */

import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { ownerIn } from '../../src/shared/coordination/ledger.ts';
import { decodeJobset } from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, CheckId } from '../../src/shared/domain/check.ts';
import type { Jobset } from '../../src/shared/domain/jobset.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, type FleetOptions, startFleet } from '../support/fleet.ts';

const MINUTE = 60_000;

const minutely = aSpec({ schedule: { splayMs: MINUTE } });
const checks = (count: number): CheckDefinition[] =>
  Array.from({ length: count }, (_, n) => aCheck(`host-${n}/`, minutely));

/** Which worker ran each tick of each check, by its key. */
const observed = (options: FleetOptions = {}) => {
  const runs = new Map<string, Map<number, string>>();
  const doubled: string[] = [];
  const fleet = startFleet({
    ...options,
    onResult: ({ result }) => {
      const ticks = runs.get(result.check) ?? new Map<number, string>();
      if (ticks.has(result.tick)) doubled.push(`${result.check} ${result.tick}`);
      runs.set(result.check, ticks.set(result.tick, result.worker));
    },
  });
  const jobsets = async (): Promise<Jobset[]> => {
    const { entries } = await fleet.store.snapshot(fleet.keys.jobsets);
    return entries.map((entry) => decodeJobset(fleet.keys.jobsetOf(entry.key), entry));
  };
  const waiting = async (): Promise<CheckId[]> =>
    (await jobsets()).filter((one) => one.waiting !== null).flatMap(({ jobs }) => jobs);
  /** Whether a worker has claimed this job. */
  const owns = async (job: CheckId | undefined): Promise<boolean> => {
    const { entries } = await fleet.store.snapshot(fleet.keys.owners);
    const claimed = entries.filter((entry) => ownerIn(entry) !== null);
    const owned = new Set(claimed.map(({ key }) => fleet.keys.ownedJobsetOf(key)));
    return (await jobsets()).some(({ id, jobs }) => owned.has(id) && jobs.some((id) => id === job));
  };
  /** How long it takes until it is so. */
  const takes = async (
    isSo: () => boolean | Promise<boolean>,
    limitMs: number,
  ): Promise<number> => {
    const since = fleet.clock.monotonicMs();
    while (!(await isSo())) {
      const tookMs = fleet.clock.monotonicMs() - since;
      if (tookMs > limitMs) throw new Error(`not so after ${tookMs} ms`);
      await fleet.clock.advance(100);
    }
    return fleet.clock.monotonicMs() - since;
  };
  return { ...fleet, runs, doubled, jobsets, waiting, owns, takes };
};

/** Every tick between the first and the last one of each check was run. */
const gaps = (runs: Map<string, Map<number, string>>): string[] =>
  [...runs].flatMap(([check, ticks]) => {
    const all = [...ticks.keys()].sort((a, b) => a - b);
    return all.flatMap((tick, n) => {
      const before = all[n - 1];
      return before === undefined || tick - before === MINUTE ? [] : [`${check} ${before} ${tick}`];
    });
  });

describe('a second worker beside one with 200 checks', () => {
  it('has 80 to 120 of them within a minute, and every tick is run exactly once', async () => {
    const fleet = observed();
    fleet.admin.offer(aCatalogue(checks(200)));
    await fleet.clock.advance(5 * MINUTE);
    expect(fleet.worker.held).toBe(200);
    const second = fleet.join();
    await fleet.clock.advance(MINUTE);
    expect(second.held).toBeGreaterThanOrEqual(80);
    expect(second.held).toBeLessThanOrEqual(120);
    expect(fleet.worker.held + second.held).toBe(200);
    await fleet.clock.advance(5 * MINUTE);
    await fleet.stop();
    expect(fleet.doubled).toEqual([]);
    expect(gaps(fleet.runs)).toEqual([]);
    expect(fleet.runs.size).toBe(200);
  });

  it('leaves it at that', async () => {
    const fleet = observed();
    fleet.admin.offer(aCatalogue(checks(200)));
    await fleet.clock.advance(MINUTE);
    const second = fleet.join();
    await fleet.clock.advance(MINUTE);
    const { held } = second;
    for (let minute = 0; minute < 30; minute += 1) {
      await fleet.clock.advance(MINUTE);
      expect(second.held).toBe(held);
    }
    await fleet.stop();
  });
});

describe('a worker that is given too much', () => {
  it('is on time again within a minute of a second one', async () => {
    const fleet = observed({ total: 25, perHost: 25 });
    // 1,200 runs of 1.5 s a minute ask for 30 places.
    fleet.probe.script = () => ({
      afterMs: 1_500,
      observation: anAnswer({ durationMs: 1_500 }),
    });
    fleet.admin.offer(aCatalogue(checks(1_200)));
    await fleet.clock.advance(5 * MINUTE);
    const late = fleet.worker.tally.late;
    expect(late).toBeGreaterThan(0);
    const second = fleet.join();
    await fleet.clock.advance(MINUTE);
    const lateAfter = fleet.worker.tally.late + second.tally.late;
    expect(await fleet.waiting()).toEqual([]);
    await fleet.clock.advance(5 * MINUTE);
    expect(fleet.worker.tally.late + second.tally.late).toBe(lateAfter);
    expect(fleet.worker.held + second.held).toBe(1_200);
    await fleet.stop();
    expect(fleet.doubled).toEqual([]);
  });
});

describe('a pool that sheds, with three slots and five jobs', () => {
  const five = checks(5);
  const shedding = async () => {
    const fleet = observed({ mode: 'shed', maxJobs: 3 });
    fleet.admin.offer(aCatalogue(five));
    await fleet.clock.advance(MINUTE);
    return fleet;
  };
  const ran = (fleet: Awaited<ReturnType<typeof shedding>>): CheckId[] =>
    five.filter(({ key }) => fleet.runs.has(key)).map(({ id }) => id);

  it('runs three and lets two wait', async () => {
    const fleet = await shedding();
    await fleet.clock.advance(5 * MINUTE);
    expect(fleet.worker.held).toBe(3);
    expect(ran(fleet)).toHaveLength(3);
    const queue = await fleet.waiting();
    expect(queue).toHaveLength(2);
    expect([...queue, ...ran(fleet)].sort()).toEqual(five.map(({ id }) => id).sort());
    await fleet.stop();
  });

  // The slot may be taken in the very instant in which it is free, so nobody sees it empty: the time runs
  // from the change of the folder, at different distances from the leader's own round and from a beat.
  it.each([0, 350, 700, 1_050, 1_400, 1_750])(
    'places the oldest that waits less than a second after a slot is free, %i ms on',
    async (ms) => {
      const fleet = await shedding();
      await fleet.clock.advance(ms);
      const [first] = await fleet.waiting();
      const cancelled = ran(fleet)[0];
      fleet.admin.offer(aCatalogue(five.filter(({ id }) => id !== cancelled)));
      const placedMs = await fleet.takes(() => fleet.owns(first), 2 * LEASE_TIMING.ttlMs);
      expect(placedMs).toBeLessThan(1_000);
      expect(fleet.worker.held).toBe(3);
      expect(await fleet.waiting()).toHaveLength(1);
      await fleet.clock.advance(MINUTE);
      expect(ran(fleet)).toContain(first);
      await fleet.stop();
      expect(fleet.doubled).toEqual([]);
    },
  );

  it('gives what waits to a worker that joins, in less than a second', async () => {
    const fleet = await shedding();
    const second = fleet.join();
    await fleet.takes(async () => (await fleet.waiting()).length === 0, 1_500);
    await fleet.takes(() => second.held === 2, 1_500);
    await fleet.stop();
  });
});
