/** What /metrics and self reports read of a worker's parts, which keep their own counts. */

import type { Meter } from '../shared/runtime/meter.ts';
import type { CheckTable } from './check-table.ts';
import type { Claimer } from './claimer.ts';
import type { LoadMeter } from './load-meter.ts';
import type { PlaceLimits } from './places.ts';
import type { Runner } from './runner.ts';
import type { Tally } from './tally.ts';

export interface ExposedParts {
  readonly places: PlaceLimits;
  readonly tally: Tally;
  readonly table: CheckTable;
  readonly runner: Runner;
  readonly claimer: Claimer;
  readonly load: LoadMeter;
}

export const exposeWorker = (meter: Meter, parts: ExposedParts): void => {
  const { places, tally, table, runner, claimer, load } = parts;
  meter.observe('watcher.checks.held', () => table.size);
  meter.observe('watcher.checks.scheduled', () => tally.scheduled);
  meter.observe('watcher.checks.run', () => tally.run);
  meter.observe('watcher.checks.pending', () => tally.pending);
  meter.observe('watcher.checks.unaccounted', () => tally.unaccounted);
  meter.observe('watcher.checks.late', () => tally.late);
  meter.observe('watcher.checks.behind', () => load.behindCount);
  meter.observe('watcher.checks.skipped', () => labelled('reason', tally.skipped));
  meter.observe('watcher.results', () => labelled('status', tally.results));
  meter.observe('watcher.runs.in_flight', () => runner.inFlight);
  meter.observe('watcher.runs.waiting', () => runner.waiting);
  meter.observe('watcher.runs.concurrency', () => places.total);
  meter.observe('watcher.load.places', () => load.places);
  meter.observe('watcher.load.utilisation', () => load.utilisation);
  meter.observe('watcher.load.full', () => (load.isFull ? 1 : 0));
  meter.observe('watcher.heartbeat.age', () => claimer.beatAgeMs);
};

const labelled = <K extends string, L extends string>(label: L, counts: Record<K, number>) =>
  (Object.entries(counts) as [K, number][]).map(([key, value]) => ({
    labels: { [label]: key } as Record<L, K>,
    value,
  }));
