/** The worker role: claimer → scheduler → runner → results, joined once for a process. */

import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { Ledger } from '../shared/coordination/ledger.ts';
import type { CheckId } from '../shared/domain/check.ts';
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
import { Reachability } from './reachability.ts';
import { Runner } from './runner.ts';
import { Scheduler } from './scheduler.ts';
import { Tally } from './tally.ts';
import type { Authority, Claim } from './workload.ts';

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
  /** No check runs without proof that it is owned here, whatever its spec says. */
  readonly stopOnLoss: boolean;
  /** How long what is handed back waits for its runs in flight. */
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
  readonly #reachability: Reachability;
  readonly #suspicions = new Set<'runs' | 'endpoints'>();
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    const { clock, log, meter, probes, places, runAtStart, record, ledger } = options;
    const { stopOnLoss } = options;
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
      stopOnLoss,
      onStateChange: (jobset) => this.#claimer.stateChanged(jobset),
      onResult: this.#measured(options),
      onSuspicion: (change) => this.#tell(change),
      onUnreachable: (jobset, key, { plan, hasTurned }) =>
        this.#reachability.onUnreachable(jobset, key, plan, hasTurned),
    });
    const scheduler = new Scheduler({
      clock,
      table,
      tally,
      plans: new Plans(probes),
      runner: this.#runner,
      authority: this,
      runAtStart,
      onUnusable: ({ key: check }, err) => {
        meter.counter('watcher.checks.unusable').add();
        log.error('a stored check cannot be run', { check, err });
      },
    });
    const { random, timing, graceMs, drainMs } = options;
    this.#claimer = new Claimer({
      clock,
      random,
      log,
      ledger,
      workload: scheduler,
      worker: record,
      timing,
      graceMs,
      drainMs,
      checks: () => table.size,
      onHeld: (jobset) => this.#reachability.onHeld(jobset),
      onDetached: () => this.#runner.fence(),
    });
    this.#reachability = new Reachability({
      clock,
      log,
      ledger,
      worker: record,
      members: this.#claimer.members,
      probes,
      custody: {
        claimOf: (jobset) => this.#claimer.claimOf(jobset),
        setAside: (jobset, jobs) => scheduler.setAside(jobset, jobs),
        putBack: (jobset) => scheduler.putBack(jobset),
      },
      doubts: () => this.#runner.suspectsNetwork,
      onSuspicion: (change) => this.#suspect('endpoints', change),
      onOffered: (jobs) => meter.counter('watcher.jobs.offered').add(jobs),
    });
    this.status = new CheckViews(table, scheduler);
    this.#expose();
  }

  owns(claim: Claim): boolean {
    return this.#claimer.owns(claim);
  }

  /** Whether it can prove that it owns all that it runs. */
  get attached(): boolean {
    return this.#claimer.attached;
  }

  get doubt(): Promise<void> | null {
    return this.#claimer.doubt;
  }

  get held(): number {
    return this.#table.size;
  }

  /** Of a check that is held here; else null. */
  keyOf(id: CheckId): string | null {
    const slot = this.#table.slotOf(id);
    return slot === undefined ? null : (this.#table.key[slot] ?? null);
  }

  start(): void {
    this.#claimer.start();
  }

  /** Hands everything back, runs in flight ended; the probes stay open. */
  async drain(): Promise<void> {
    this.#reachability[Symbol.dispose]();
    await this.#claimer.drain();
  }

  /** Said once an episode, in the log and by a metric: results alone would not show the cause. */
  #tell(change: 'entered' | 'left'): void {
    const { log } = this.#options;
    this.#suspect('runs', change);
    if (change === 'entered') log.error('most targets fail at once: the network here is suspected');
    else log.info('the network here is not suspected any more');
  }

  /** The gauge says whether either of the two suspects. */
  #suspect(by: 'runs' | 'endpoints', change: 'entered' | 'left'): void {
    if (change === 'entered') this.#suspicions.add(by);
    else this.#suspicions.delete(by);
    const { size } = this.#suspicions;
    this.#options.meter.gauge('watcher.network.suspected').set(size > 0 ? 1 : 0);
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
    meter.observe('watcher.heartbeat.age', () => this.#claimer.beatAgeMs);
    meter.observe('watcher.runs.concurrency', () => places.total);
  }
}
