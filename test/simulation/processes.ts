/** The processes of the simulated pool: the product's own worker and admin, each on its own machine. */

import { Admin } from '../../src/admin/admin.ts';
import { Audit } from '../../src/admin/audit.ts';
import { Publisher } from '../../src/admin/publisher.ts';
import { Scaling } from '../../src/admin/scaling.ts';
import { Steering } from '../../src/admin/steering.ts';
import { Election } from '../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import type { Keys } from '../../src/shared/coordination/keys.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { WorkerId } from '../../src/shared/domain/check.ts';
import type { ScalingEmission } from '../../src/shared/domain/delivery.ts';
import type { Capacity } from '../../src/shared/domain/jobset.ts';
import type { ScalingMode } from '../../src/shared/domain/pool-settings.ts';
import type { Observation, Result } from '../../src/shared/domain/result.ts';
import type { Log } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { Endpoint, Probe } from '../../src/worker/probes/probe.ts';
import { Worker } from '../../src/worker/worker.ts';
import { anAnswer, IDLE_LOOP } from '../support/builders.ts';
import type { Link } from './link.ts';
import type { ProcessClock } from './process-clock.ts';
import { GRACE_MS } from './shortage.ts';

export interface ProcessOptions {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: Link;
  readonly keys: Keys;
  readonly random: Random;
  readonly log: Log;
}

export interface SimulatedProcess {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: Link;
  /** Leaves as it is asked to: SIGTERM. */
  leave(): Promise<void>;
}

/** A target answers after a while; what it does is the world's business. */
export type Target = (key: string) => { readonly afterMs: number };

class SimulatedProbe implements Probe {
  readonly #clock: ProcessClock;
  readonly #target: Target;

  constructor(clock: ProcessClock, target: Target) {
    this.#clock = clock;
    this.#target = target;
  }

  prepare(): null {
    return null;
  }

  endpointOf(key: string): Endpoint {
    const reach: Endpoint['reach'] = (done) => {
      const timer = this.#clock.after(5, () => done('reached'));
      return () => timer.cancel();
    };
    return { origin: key, reach };
  }

  start(key: string, _prepared: unknown, done: (observation: Observation) => void): () => void {
    const { afterMs } = this.#target(key);
    const timer = this.#clock.after(afterMs, () => done(anAnswer({ durationMs: afterMs })));
    return () => timer.cancel();
  }

  async close(): Promise<void> {}
}

const RUNS_MS = 5000;
const DRAIN_MS = 7000;

export class WorkerProcess implements SimulatedProcess {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: Link;
  readonly id: WorkerId;
  readonly worker: Worker;
  isLeaving = false;

  constructor(
    options: ProcessOptions & {
      readonly target: Target;
      readonly capacity: Capacity;
      readonly mode: ScalingMode;
      readonly onResult: (process: WorkerProcess, result: Result) => void;
    },
  ) {
    const { name, clock, link, keys, random, log, target, onResult } = options;
    const { capacity, mode } = options;
    this.name = name;
    this.clock = clock;
    this.link = link;
    this.id = name as WorkerId;
    this.worker = new Worker({
      clock,
      random,
      log,
      meter: new Meter(),
      ledger: new Ledger({ store: link, keys, clock, random }),
      probes: { http: new SimulatedProbe(clock, target) },
      record: {
        id: this.id,
        state: 'up',
        capacity,
        host: name,
        version: '0.0.0',
        listen: null,
        zone: null,
        started: clock.now(),
      },
      timing: LEASE_TIMING,
      places: { total: capacity.places, perHost: Math.ceil(capacity.places / 2) },
      loop: () => IDLE_LOOP,
      mode,
      runAtStart: false,
      stopOnLoss: false,
      graceMs: RUNS_MS,
      drainMs: DRAIN_MS,
      onResult: (result) => {
        if (!clock.isDead) onResult(this, result);
      },
    });
    this.worker.start();
  }

  async leave(): Promise<void> {
    this.isLeaving = true;
    await this.worker.drain();
  }
}

export class AdminProcess implements SimulatedProcess {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly link: Link;
  readonly admin: Admin;

  constructor(
    options: ProcessOptions & {
      readonly catalogue: Catalogue;
      readonly announce: (emission: ScalingEmission) => void;
    },
  ) {
    const { name, clock, link, keys, random, log, catalogue, announce } = options;
    this.name = name;
    this.clock = clock;
    this.link = link;
    const common = { store: link, keys, clock, random, log };
    const election = new Election({ ...common, timing: LEASE_TIMING, id: name });
    const publisher = new Publisher({ publishing: new Publishing(common), clock, random });
    const audit = new Audit(common);
    const settings = { pool: 'simulated', waitingGraceMs: GRACE_MS };
    const listener = new Scaling({ ...common, settings, announce });
    const steering = new Steering({ ...common, holdMs: LEASE_TIMING.ttlMs, listener });
    this.admin = new Admin({ ...common, election, publisher, audit, steering });
    this.admin.offer(catalogue);
    this.admin.start();
  }

  async leave(): Promise<void> {
    await this.admin[Symbol.asyncDispose]();
  }
}
