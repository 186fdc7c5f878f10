/** Scheduler and runner with scripted targets, on virtual time and without a ledger. */

import type { Result } from '../../src/shared/domain/result.ts';
import { CheckTable } from '../../src/worker/check-table.ts';
import { Plans } from '../../src/worker/plan.ts';
import { Runner } from '../../src/worker/runner.ts';
import { Scheduler } from '../../src/worker/scheduler.ts';
import { Tally } from '../../src/worker/tally.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedProbe } from './scripted-probe.ts';

export interface WorkerCoreOptions {
  readonly startAt?: number;
  readonly runAtStart?: boolean;
  readonly total?: number;
  readonly perHost?: number;
}

export type WorkerCore = ReturnType<typeof aWorkerCore>;

export const aWorkerCore = (options: WorkerCoreOptions = {}) => {
  const { startAt, total = 256, perHost = 128, runAtStart = false } = options;
  const clock = new ManualClock(startAt);
  const probe = new ScriptedProbe(clock);
  const table = new CheckTable();
  const plans = new Plans({ http: probe });
  const tally = new Tally();
  const results: Result[] = [];
  const suspicions: string[] = [];
  const unusable: string[] = [];
  const authority = { attached: true };
  const runner = new Runner({
    clock,
    table,
    tally,
    authority,
    places: { total, perHost },
    worker: 'w1',
    onResult: (result) => results.push(result),
    onSuspicion: (change) => suspicions.push(change),
  });
  const scheduler = new Scheduler({
    clock,
    table,
    plans,
    runner,
    tally,
    runAtStart,
    graceMs: 5_000,
    onUnusable: ({ key }) => unusable.push(key),
  });
  return { clock, probe, table, plans, tally, results, suspicions, unusable, authority, scheduler };
};
