/** Scheduler and runner with scripted targets, on virtual time and without a ledger. */

import type { JobsetId } from '../../src/shared/domain/check.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { CheckTable } from '../../src/worker/check-table.ts';
import { LoadMeter } from '../../src/worker/load-meter.ts';
import { Plans } from '../../src/worker/plan.ts';
import { Runner } from '../../src/worker/runner.ts';
import { Scheduler } from '../../src/worker/scheduler.ts';
import { Tally } from '../../src/worker/tally.ts';
import type { Claim } from '../../src/worker/workload.ts';
import { IDLE_LOOP } from './builders.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedProbe } from './scripted-probe.ts';

export interface WorkerCoreOptions {
  readonly startAt?: number;
  readonly runAtStart?: boolean;
  readonly total?: number;
  readonly perHost?: number;
  readonly stopOnLoss?: boolean;
}

export type WorkerCore = ReturnType<typeof aWorkerCore>;

export const aWorkerCore = (options: WorkerCoreOptions = {}) => {
  const { startAt, total = 256, perHost = 128, runAtStart = false } = options;
  const { stopOnLoss = false } = options;
  const clock = new ManualClock(startAt);
  const probe = new ScriptedProbe(clock);
  const table = new CheckTable();
  const plans = new Plans({ http: probe });
  const tally = new Tally();
  const results: Result[] = [];
  const suspicions: string[] = [];
  const unusable: string[] = [];
  const authority = {
    attached: true,
    doubt: null as Promise<void> | null,
    owns: (_: Claim): boolean => authority.attached,
  };
  const changed: JobsetId[] = [];
  const load = new LoadMeter({
    clock,
    table,
    capacity: { places: total, jobs: null },
    perHost,
    loop: () => IDLE_LOOP,
    overdueMs: () => scheduler.overdueMs,
    slotsOf: (jobset) => scheduler.slotsOf(jobset),
    behindHosts: () => runner.behindHosts(),
  });
  const runner: Runner = new Runner({
    clock,
    table,
    tally,
    authority,
    stopOnLoss,
    places: { total, perHost },
    load,
    worker: 'w1',
    onResult: (result) => results.push(result),
    onSuspicion: (change) => suspicions.push(change),
    onUnreachable: () => {},
    onStateChange: (jobset) => changed.push(jobset),
  });
  const scheduler: Scheduler = new Scheduler({
    clock,
    table,
    plans,
    runner,
    authority,
    tally,
    runAtStart,
    withholds: () => false,
    onUnusable: ({ key }) => unusable.push(key),
  });
  return {
    clock,
    probe,
    table,
    plans,
    tally,
    load,
    results,
    suspicions,
    unusable,
    changed,
    authority,
    runner,
    scheduler,
  };
};
