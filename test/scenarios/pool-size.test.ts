/** What a pool says of its size, on virtual time: nothing without need, and not one thing after the other. */

import { describe, expect, it } from 'vitest';
import { decodeScaling } from '../../src/shared/coordination/records.ts';
import type { CheckDefinition } from '../../src/shared/domain/check.ts';
import type { ScalingEvent } from '../../src/shared/domain/delivery.ts';
import type { ScalingRecord } from '../../src/shared/domain/jobset.ts';
import { aCheck, anAnswer, aSpec } from '../support/builders.ts';
import { aCatalogue, type FleetOptions, startFleet } from '../support/fleet.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const checks = (count: number, cron: string, splayMs: number): CheckDefinition[] => {
  const spec = aSpec({ schedule: { cron, splayMs } });
  return Array.from({ length: count }, (_, n) => aCheck(`host-${n}/`, spec));
};

/** Three workers, unless said otherwise, of twenty places each. */
const aPool = (options: FleetOptions & { readonly workers?: number } = {}) => {
  const events: { readonly at: number; readonly change: ScalingEvent['change'] }[] = [];
  const fleet = startFleet({
    ...{ total: 20, perHost: 10 },
    ...options,
    announce: ({ event }) => {
      if (event !== null) events.push({ at: fleet.clock.monotonicMs(), change: event.change });
    },
  });
  for (let n = 1; n < (options.workers ?? 3); n += 1) fleet.join();
  const takes = (ms: number, spread = 0): void => {
    fleet.probe.script = () => {
      const durationMs = ms * (1 + spread * (2 * fleet.random.next() - 1));
      return { afterMs: durationMs, observation: anAnswer({ durationMs }) };
    };
  };
  const level = async (): Promise<ScalingRecord> => {
    const [entry] = (await fleet.store.snapshot(fleet.keys.scaling)).entries;
    if (entry === undefined) throw new Error('nothing is said of the size');
    return decodeScaling(entry);
  };
  const unaccounted = (): number =>
    fleet.workers.reduce((sum, { tally }) => sum + Math.abs(tally.unaccounted), 0);
  return { ...fleet, events, takes, level, unaccounted };
};

describe('a pool of three workers', () => {
  it('raises nothing in a day at four fifths of what it can do', { timeout: 120_000 }, async () => {
    const { clock, admin, events, takes, level, unaccounted, probe, stop } = aPool();
    takes(9_000, 0.3);
    admin.offer(aCatalogue(checks(1_600, '*/5 * * * *', 5 * MINUTE)));
    for (let hour = 0; hour < 24; hour += 1) {
      await clock.advance(HOUR);
      probe.starts.length = 0;
    }
    expect((await level()).capacityUtilization).toBeGreaterThan(77);
    expect((await level()).capacityUtilization).toBeLessThan(83);
    expect(events).toEqual([]);
    expect(unaccounted()).toBe(0);
    await stop();
  });

  it('says once that it is too small while its load comes and goes', {
    timeout: 120_000,
  }, async () => {
    const { clock, admin, events, takes, unaccounted, stop } = aPool();
    takes(2_000);
    admin.offer(aCatalogue(checks(200, '* * * * *', MINUTE)));
    await clock.advance(5 * MINUTE);
    for (let n = 0; n < 8; n += 1) {
      takes(50_000);
      await clock.advance(5 * MINUTE);
      takes(2_000);
      await clock.advance(3 * MINUTE);
    }
    const raised = events.filter(({ change }) => change === 'raised').map(({ at }) => at);
    expect(raised.length).toBeGreaterThan(0);
    const within10Minutes = raised.map(
      (from) => raised.filter((at) => at >= from && at < from + 10 * MINUTE).length,
    );
    // A flap is a second one.
    expect(Math.max(...within10Minutes)).toBeLessThanOrEqual(2);
    expect(unaccounted()).toBe(0);
    await stop();
  });
});

describe('a worker that is alone with twice what it can do', () => {
  it('lets all its checks be late alike, and counts each tick that it sheds', async () => {
    const lateness = new Map<string, number[]>();
    const { clock, admin, takes, worker, unaccounted, stop } = aPool({
      workers: 1,
      onResult: ({ result }) => {
        const seen = lateness.get(result.check) ?? [];
        lateness.set(result.check, [...seen, result.latenessMs]);
      },
    });
    takes(12_000);
    admin.offer(aCatalogue(checks(200, '* * * * *', MINUTE)));
    await clock.advance(6 * MINUTE);
    const means = [...lateness.values()].map(
      (seen) => seen.reduce((sum, one) => sum + one, 0) / seen.length,
    );
    means.sort((a, b) => a - b);
    const at = (share: number): number => means[Math.floor(share * (means.length - 1))] as number;
    expect(means).toHaveLength(200);
    expect(at(0.5)).toBeGreaterThan(5_000);
    expect(at(0.99) / at(0.5)).toBeLessThanOrEqual(3);
    expect(worker.tally.skipped.overlap + worker.tally.skipped.capacity).toBeGreaterThan(0);
    expect(unaccounted()).toBe(0);
    await stop();
  });

  it('asks for a second one when its targets slow down from 10 ms to 2 s', async () => {
    const { clock, admin, takes, level, stop } = aPool({ workers: 1 });
    takes(10);
    admin.offer(aCatalogue(checks(600, '* * * * *', MINUTE)));
    await clock.advance(5 * MINUTE);
    expect(await level()).toMatchObject({ workers: 1, desiredWorkers: 1 });
    takes(2_000);
    await clock.advance(8 * MINUTE);
    expect(await level()).toMatchObject({ workers: 1, desiredWorkers: 2 });
    await stop();
  });
});
