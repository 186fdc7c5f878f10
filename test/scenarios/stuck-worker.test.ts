/** A worker that lives and runs nothing: its heart beats on, and its scheduler stands still. */

import { describe, expect, it } from 'vitest';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import type { WorkerId } from '../../src/shared/domain/check.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Claimer } from '../../src/worker/claimer.ts';
import { aCheck, aSpec, NO_LOAD } from '../support/builders.ts';
import { aCatalogue, startFleet } from '../support/fleet.ts';
import { RecordingWorkload } from '../support/pool.ts';

const MINUTE = 60_000;
/** Of a check that runs every minute: half its interval. */
const LATE_MS = 30_000;

describe('a worker whose scheduler stands still', () => {
  it('loses its checks to another one within two late thresholds', async () => {
    const ranAt: number[] = [];
    const fleet = startFleet({
      id: 'sound',
      onResult: ({ result }) => ranAt.push(result.start),
    });
    const { clock, random, store, keys } = fleet;
    const minutely = aSpec({ schedule: { splayMs: MINUTE } });
    let stuckSince = Number.POSITIVE_INFINITY;
    const overdueMs = () => Math.max(0, clock.monotonicMs() - stuckSince);
    const workload = new RecordingWorkload();
    const stuck = new Claimer({
      ...{ clock, random, workload, log: silentLog, timing: LEASE_TIMING, mode: 'rebalance' },
      ledger: new Ledger({ store, keys, clock, random }),
      worker: {
        ...{ id: 'stuck' as WorkerId, state: 'up', capacity: { places: 256, jobs: null } },
        ...{ host: 'h', zone: null, version: '0.0.0', listen: null, started: 0 },
      },
      graceMs: 5_000,
      drainMs: 25_000,
      checks: () => [...workload.held.values()].flatMap((one) => one.definitions).length,
      load: () => ({ ...NO_LOAD, overdueMs: overdueMs() }),
      isFull: () => false,
      isStuck: () => overdueMs() > 15_000,
      caution: { take: async () => undefined, forget: () => undefined },
      onHeld: () => {},
      onDetached: () => {},
    });
    await clock.until(fleet.worker.drain());
    stuck.start();
    fleet.admin.offer(
      aCatalogue(Array.from({ length: 50 }, (_, n) => aCheck(`h-${n}/`, minutely))),
    );
    await clock.advance(MINUTE);
    expect(workload.held.size).toBe(1);
    const sound = fleet.join({ id: 'second' });
    await clock.advance(MINUTE);
    expect(sound.held).toBe(0);
    stuckSince = clock.monotonicMs();
    const since = clock.now();
    await clock.advance(2 * LATE_MS);
    expect(sound.held).toBe(50);
    expect(workload.held.size).toBe(0);
    expect(Math.min(...ranAt) - since).toBeLessThan(2 * LATE_MS);
    await clock.advance(5 * MINUTE);
    expect(sound.held).toBe(50);
    await clock.until(stuck.drain());
    await fleet.stop();
  });
});
