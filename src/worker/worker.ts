/** The worker role: claimer → scheduler → runner → results, joined once for a process. */

import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { Ledger } from '../shared/coordination/ledger.ts';
import type { CheckId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { ScalingMode } from '../shared/domain/pool-settings.ts';
import type { StatusSource } from '../shared/domain/status.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Meter } from '../shared/runtime/meter.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { Caution } from './caution.ts';
import { CheckTable } from './check-table.ts';
import { CheckViews } from './check-views.ts';
import { Claimer } from './claimer.ts';
import { exposeWorker } from './exposure.ts';
import { LoadMeter, type LoopLoad } from './load-meter.ts';
import { Moving } from './moving.ts';
import { NetworkDoubt } from './network-doubt.ts';
import type { PlaceLimits } from './places.ts';
import { Plans, type Probes } from './plan.ts';
import { Reachability } from './reachability.ts';
import { Relief } from './relief.ts';
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
  /** How free the event loop of this process is. */
  readonly loop: () => LoopLoad;
  /** What it does when it has more than it can run on time. */
  readonly mode: ScalingMode;
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
  readonly #scheduler: Scheduler;
  readonly #load: LoadMeter;
  readonly #runner: Runner;
  readonly #caution: Caution;
  readonly #claimer: Claimer;
  readonly #moving: Moving;
  readonly #reachability: Reachability;
  readonly #relief: Relief;
  readonly #network: NetworkDoubt;
  readonly #options: WorkerOptions;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#network = new NetworkDoubt(options);
    this.#load = this.#openLoad();
    this.#runner = this.#openRunner();
    this.#scheduler = this.#openScheduler();
    this.#caution = this.#openCaution();
    this.#claimer = this.#openClaimer();
    this.#moving = this.#openMoving();
    this.#reachability = this.#openReachability();
    this.#relief = this.#openRelief();
    this.status = new CheckViews(this.#table, this.#scheduler);
    exposeWorker(options.meter, {
      places: options.places,
      tally: this.tally,
      table: this.#table,
      runner: this.#runner,
      claimer: this.#claimer,
      load: this.#load,
    });
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

  /** How long the first due check has been waiting for its scheduler. */
  get overdueMs(): number {
    return this.#load.overdueMs;
  }

  /** Of a check that is held here; else null. */
  keyOf(id: CheckId): string | null {
    const slot = this.#table.slotOf(id);
    return slot === undefined ? null : (this.#table.key[slot] ?? null);
  }

  start(): void {
    this.#claimer.start();
    this.#relief.start();
  }

  /** Hands everything back, runs in flight ended; the probes stay open. */
  async drain(): Promise<void> {
    this.#reachability[Symbol.dispose]();
    this.#relief[Symbol.dispose]();
    this.#moving[Symbol.dispose]();
    this.#caution[Symbol.dispose]();
    await this.#claimer.drain();
  }

  #openLoad(): LoadMeter {
    const { clock, record, places, loop } = this.#options;
    return new LoadMeter({
      clock,
      table: this.#table,
      capacity: record.capacity,
      perHost: places.perHost,
      loop,
      overdueMs: () => this.#scheduler.overdueMs,
      slotsOf: (jobset) => this.#scheduler.slotsOf(jobset),
      behindHosts: () => this.#runner.behindHosts(),
    });
  }

  #openRunner(): Runner {
    const { clock, places, record, stopOnLoss } = this.#options;
    return new Runner({
      clock,
      table: this.#table,
      tally: this.tally,
      places,
      load: this.#load,
      worker: record.id,
      authority: this,
      stopOnLoss,
      onStateChange: (jobset) => this.#claimer.stateChanged(jobset),
      onResult: this.#onResult(this.#options),
      onSuspicion: (change) => this.#network.changed('runs', change),
      onUnreachable: (jobset, key, { plan, hasTurned }) =>
        this.#reachability.onUnreachable(jobset, key, plan, hasTurned),
    });
  }

  #openScheduler(): Scheduler {
    const { clock, log, meter, probes, runAtStart } = this.#options;
    return new Scheduler({
      clock,
      table: this.#table,
      tally: this.tally,
      plans: new Plans(probes),
      runner: this.#runner,
      authority: this,
      runAtStart,
      withholds: (jobset, job) => this.#caution.withholds(jobset, job),
      onUnusable: ({ key: check }, err) => {
        meter.counter('watcher.checks.unusable').add();
        log.error('a stored check cannot be run', { check, err });
      },
    });
  }

  #openCaution(): Caution {
    const { clock, log, meter, record, ledger, timing } = this.#options;
    return new Caution({
      clock,
      log,
      ledger,
      worker: record.id,
      timing,
      isMember: (id) => this.#claimer.members.has(id),
      claimOf: (jobset) => this.#claimer.claimOf(jobset),
      setAside: (jobset, jobs) => this.#scheduler.setAside(jobset, jobs),
      putBack: (jobset, jobs) => this.#scheduler.putBack(jobset, jobs),
      onQuarantined: () => meter.counter('watcher.jobs.quarantined').add(),
    });
  }

  #openClaimer(): Claimer {
    const { clock, random, log, ledger, record, timing, mode, graceMs, drainMs } = this.#options;
    return new Claimer({
      clock,
      random,
      log,
      ledger,
      workload: this.#scheduler,
      caution: this.#caution,
      worker: record,
      timing,
      mode,
      graceMs,
      drainMs,
      checks: () => this.#table.size,
      load: () => this.#load.load(),
      isFull: () => this.#load.isFull,
      isStuck: () => this.#load.isStuck,
      onHeld: (jobset, isNew) => {
        if (isNew) this.#reachability.onHeld(jobset);
        this.#relief.onHeld(jobset);
      },
      onDetached: () => this.#runner.fence(),
    });
  }

  #openMoving(): Moving {
    const { clock, ledger } = this.#options;
    return new Moving({
      clock,
      ledger,
      custody: {
        claimOf: (jobset) => this.#claimer.claimOf(jobset),
        setAside: (jobset, jobs) => this.#scheduler.setAside(jobset, jobs),
        putBack: (jobset, jobs) => this.#scheduler.putBack(jobset, jobs),
        suspects: (job) => this.#caution.suspects(job),
      },
    });
  }

  #openRelief(): Relief {
    const { clock, log, record, mode } = this.#options;
    const [claimer, scheduler] = [this.#claimer, this.#scheduler];
    return new Relief({
      clock,
      log,
      worker: record,
      mode,
      members: claimer.members,
      load: this.#load,
      moving: this.#moving,
      held: {
        get jobsets() {
          return claimer.jobsets;
        },
        get running() {
          return scheduler.running;
        },
        jobsOf: (jobset) => scheduler.jobsOf(jobset),
        zoneOf: (jobset) => claimer.zoneOf(jobset),
      },
      doubts: () => this.#network.isDoubted,
    });
  }

  #openReachability(): Reachability {
    const { clock, log, meter, probes, record, ledger } = this.#options;
    return new Reachability({
      clock,
      log,
      ledger,
      worker: record,
      members: this.#claimer.members,
      probes,
      moving: this.#moving,
      doubts: () => this.#runner.suspectsNetwork,
      onSuspicion: (change) => this.#network.changed('endpoints', change),
      onOffered: (jobs) => meter.counter('watcher.jobs.offered').add(jobs),
    });
  }

  /** Every result is measured, and clears its check of suspicion, before sinks have it. */
  #onResult({ meter, onResult }: WorkerOptions): WorkerOptions['onResult'] {
    const lateness = meter.histogram('watcher.check.lateness');
    const duration = meter.histogram('watcher.check.duration');
    return (result, transition, posts) => {
      if (!result.unscheduled) lateness.observe(result.latenessMs);
      duration.observe(result.durationMs);
      this.#caution.ended(result.id);
      onResult(result, transition, posts);
    };
  }
}
