/**
 * One of a thousand simulated workers: the product's own claimer, membership and caution, over a workload
 * that counts ticks by jobset instead of running each check.
 */

import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import type { Keys } from '../../src/shared/coordination/keys.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import type { CheckId, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type {
  Capacity,
  Handover,
  Progress,
  WorkerLoad,
  WorkerProgress,
} from '../../src/shared/domain/jobset.ts';
import { type Fullness, fullnessAfter, isFull, ROOM } from '../../src/shared/rules/fullness.ts';
import { pressureOf } from '../../src/shared/rules/load.ts';
import type { Clock, Timer } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Caution } from '../../src/worker/caution.ts';
import { Claimer } from '../../src/worker/claimer.ts';
import type { HeldJobset, Workload } from '../../src/worker/workload.ts';
import { NO_LOAD } from '../support/builders.ts';
import { FleetLink, type FleetStore } from './fleet-store.ts';
import type { Term } from './fleet-ticks.ts';

/** A process's share of the world's clock: nothing of it goes off once the process is dead. */
class MortalClock implements Clock {
  isDead = false;
  readonly #world: Clock;

  constructor(world: Clock) {
    this.#world = world;
  }

  now(): number {
    return this.#world.now();
  }

  monotonicMs(): number {
    return this.#world.monotonicMs();
  }

  after(ms: number, fn: () => void): Timer {
    return this.#world.after(ms, () => {
      if (!this.isDead) fn();
    });
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#world.sleep(ms, signal);
  }
}

/** No run of the simulated checks takes longer. */
const RUN_MS = 5_000;
/** How long a worker tells how far it was with what it has let go. */
const LEFT_MS = 60_000;

class CountedWorkload implements Workload {
  readonly held = new Map<JobsetId, Term>();
  readonly #clock: Clock;
  readonly #onTerm: (term: Term) => void;
  readonly #ended: (job: CheckId) => void;
  readonly #left = new Map<JobsetId, Progress>();

  constructor(clock: Clock, onTerm: (term: Term) => void, ended: (job: CheckId) => void) {
    this.#clock = clock;
    this.#onTerm = onTerm;
    this.#ended = ended;
  }

  hold({ claim: { jobset }, definitions, handover }: HeldJobset): void {
    if (this.held.has(jobset)) return;
    const term: Term = {
      jobset,
      from: handover?.progress?.through ?? this.#clock.now(),
      to: Number.POSITIVE_INFINITY,
    };
    this.held.set(jobset, term);
    this.#left.delete(jobset);
    this.#onTerm(term);
    this.#clock.after(RUN_MS, () => {
      for (const { id } of definitions) this.#ended(id);
    });
  }

  async drop(id: JobsetId): Promise<Handover> {
    const term = this.held.get(id);
    const progress = { through: this.#clock.now(), open: [] };
    if (term !== undefined) term.to = progress.through;
    this.held.delete(id);
    this.#left.set(id, progress);
    this.#clock.after(LEFT_MS, () => this.#left.delete(id));
    return { progress, states: {} };
  }

  /** Nothing is split here. */
  async setAside(): Promise<Handover> {
    return { progress: { through: this.#clock.now(), open: [] }, states: {} };
  }

  putBack(): void {}

  progress(): WorkerProgress {
    return { through: this.#clock.now(), open: [], left: Object.fromEntries(this.#left) };
  }

  states() {
    return {};
  }
}

export interface FleetWorkerOptions {
  readonly name: string;
  readonly store: FleetStore;
  readonly keys: Keys;
  readonly capacity: Capacity;
  /** Jobs of a jobset, and the places that they ask for. */
  readonly checks: number;
  readonly placesOf: (jobset: JobsetId) => number;
  readonly onTerm: (term: Term) => void;
}

export class FleetWorker {
  readonly id: WorkerId;
  readonly #options: FleetWorkerOptions;
  readonly #clock: MortalClock;
  readonly #link: FleetLink;
  readonly #workload: CountedWorkload;
  readonly #claimer: Claimer;
  #fullness: Fullness = ROOM;

  constructor(options: FleetWorkerOptions) {
    const { name, store, keys, capacity, onTerm } = options;
    const { random } = store;
    this.id = name as WorkerId;
    this.#options = options;
    this.#clock = new MortalClock(store.clock);
    this.#link = new FleetLink(store, this.#clock);
    const [clock, link, timing] = [this.#clock, this.#link, LEASE_TIMING];
    const ledger = new Ledger({ store: link, keys, clock, random });
    const common = { clock, random, log: silentLog, ledger, timing };
    this.#workload = new CountedWorkload(clock, onTerm, (job) => caution.ended(job));
    const caution: Caution = new Caution({
      ...common,
      worker: this.id,
      isMember: (id) => claimer.members.isLive(id),
      claimOf: (id) => claimer.claimOf(id),
      setAside: () => this.#workload.setAside(),
      putBack: () => {},
      onQuarantined: () => {},
    });
    const claimer: Claimer = new Claimer({
      ...common,
      workload: this.#workload,
      worker: {
        ...{ id: this.id, state: 'up', capacity, host: name, version: '0.0.0' },
        ...{ listen: null, zone: null, started: clock.now() },
      },
      mode: 'rebalance',
      caution,
      graceMs: 5_000,
      drainMs: 25_000,
      checks: () => this.#jobs,
      load: () => this.#load(),
      isFull: () => isFull(this.#fullness, this.#jobs, capacity),
      isStuck: () => false,
      onHeld: () => {},
      onDetached: () => {},
    });
    this.#claimer = claimer;
  }

  get held(): readonly JobsetId[] {
    return [...this.#workload.held.keys()];
  }

  /** Seconds in flight a second that its jobs ask for. */
  get places(): number {
    let sum = 0;
    for (const id of this.#workload.held.keys()) sum += this.#options.placesOf(id);
    return sum;
  }

  start(): void {
    this.#claimer.start();
  }

  /** What it runs at this moment ends with it. */
  kill(): void {
    this.#clock.isDead = true;
    this.#link.kill();
    for (const term of this.#workload.held.values()) term.to = this.#clock.now();
  }

  get #jobs(): number {
    return this.#workload.held.size * this.#options.checks;
  }

  #load(): WorkerLoad {
    const load = { ...NO_LOAD, places: Math.round(this.places * 1000) / 1000 };
    this.#fullness = fullnessAfter(this.#fullness, {
      pressure: pressureOf(load, this.#options.capacity),
      loopDelayP99Ms: 0,
      at: this.#clock.monotonicMs(),
    });
    return load;
  }
}
