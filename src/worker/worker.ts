/** The worker role: claimer → scheduler → runner → results, joined once for a process. */

import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { Ledger } from '../shared/coordination/ledger.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { StatusSource } from '../shared/domain/status.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Meter } from '../shared/runtime/meter.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { CheckTable } from './check-table.ts';
import { CheckViews } from './check-views.ts';
import { Claimer } from './claimer.ts';
import type { PlaceLimits } from './places.ts';
import { Plans, type Probes } from './plan.ts';
import { Runner } from './runner.ts';
import { Scheduler } from './scheduler.ts';
import { Tally } from './tally.ts';
import type { Authority } from './workload.ts';

export interface WorkerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly ledger: Ledger;
  readonly probes: Probes;
  readonly record: WorkerRecord;
  readonly timing: LeaseTiming;
  readonly places: PlaceLimits;
  readonly runAtStart: boolean;
  /** How long a jobset that is handed back waits for its runs in flight. */
  readonly graceMs: number;
  /** How long a drain may take in all. */
  readonly drainMs: number;
  /** Must not throw. */
  readonly onResult: Sink['write'];
}

export class Worker implements Authority {
  readonly status: StatusSource;
  readonly tally = new Tally();
  readonly #table = new CheckTable();
  readonly #runner: Runner;
  readonly #claimer: Claimer;
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    const { clock, log, meter, probes, places, runAtStart, graceMs, record, ledger } = options;
    const table = this.#table;
    const tally = this.tally;
    this.#options = options;
    this.#runner = new Runner({
      clock,
      table,
      tally,
      places,
      worker: record.id,
      authority: this,
      onResult: this.#measured(options),
      onSuspicion: (change) => this.#tell(change),
    });
    const scheduler = new Scheduler({
      clock,
      table,
      tally,
      plans: new Plans(probes),
      runner: this.#runner,
      runAtStart,
      graceMs,
      onUnusable: ({ key: check }, err) => {
        meter.counter('watcher.checks.unusable').add();
        log.error('a stored check cannot be run', { check, err });
      },
    });
    const { random, timing, drainMs } = options;
    this.#claimer = new Claimer({
      clock,
      random,
      log,
      ledger,
      workload: scheduler,
      worker: record,
      timing,
      drainMs,
    });
    this.status = new CheckViews(table, scheduler);
    this.#expose();
  }

  /** Whether it can prove that it owns what it runs. */
  get attached(): boolean {
    return this.#claimer.attached;
  }

  get held(): number {
    return this.#table.size;
  }

  start(): void {
    this.#claimer.start();
  }

  /** Hands everything back, runs in flight ended; the probes stay open. */
  async drain(): Promise<void> {
    await this.#claimer.drain();
  }

  /** Said once an episode, in the log and by a metric: results alone would not show the cause. */
  #tell(change: 'entered' | 'left'): void {
    const { log, meter } = this.#options;
    meter.gauge('watcher.network.suspected').set(change === 'entered' ? 1 : 0);
    if (change === 'entered') log.error('most targets fail at once: the network here is suspected');
    else log.info('the network here is not suspected any more');
  }

  #measured({ meter, onResult }: WorkerOptions): WorkerOptions['onResult'] {
    const lateness = meter.histogram('watcher.check.lateness');
    const duration = meter.histogram('watcher.check.duration');
    return (result, transition, posts) => {
      if (!result.unscheduled) lateness.observe(result.latenessMs);
      duration.observe(result.durationMs);
      onResult(result, transition, posts);
    };
  }

  #expose(): void {
    const { meter, places } = this.#options;
    const { tally } = this;
    const labelled = <K extends string, L extends string>(label: L, counts: Record<K, number>) =>
      (Object.entries(counts) as [K, number][]).map(([key, value]) => ({
        labels: { [label]: key } as Record<L, K>,
        value,
      }));
    meter.observe('watcher.checks.held', () => this.#table.size);
    meter.observe('watcher.checks.scheduled', () => tally.scheduled);
    meter.observe('watcher.checks.run', () => tally.run);
    meter.observe('watcher.checks.pending', () => tally.pending);
    meter.observe('watcher.checks.unaccounted', () => tally.unaccounted);
    meter.observe('watcher.checks.late', () => tally.late);
    meter.observe('watcher.checks.skipped', () => labelled('reason', tally.skipped));
    meter.observe('watcher.results', () => labelled('status', tally.results));
    meter.observe('watcher.runs.in_flight', () => this.#runner.inFlight);
    meter.observe('watcher.runs.waiting', () => this.#runner.waiting);
    meter.observe('watcher.runs.concurrency', () => places.total);
  }
}
