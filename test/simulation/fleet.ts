/**
 * A fleet of a thousand workers on virtual time: the product's own claimers and a leading admin over the
 * memory store, and ten thousand jobsets whose ticks are counted instead of run. It is published, settles,
 * loses a tenth of its workers at once, and settles again.
 */

import { Admin } from '../../src/admin/admin.ts';
import { Audit } from '../../src/admin/audit.ts';
import { Publisher } from '../../src/admin/publisher.ts';
import { Steering } from '../../src/admin/steering.ts';
import { Election } from '../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import type { Change, Commit, Operation } from '../../src/shared/coordination/kv.ts';
import { ownerIn } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { CheckDefinition, CheckId, JobsetId } from '../../src/shared/domain/check.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import { aCheck } from '../support/builders.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { BOUND_MS, type FleetFigures } from './fleet-figures.ts';
import { FleetLink, FleetStore } from './fleet-store.ts';
import { CHECKS, countTicks, type Term } from './fleet-ticks.ts';
import { FleetWorker } from './fleet-worker.ts';
import { publish } from './publish.ts';

export interface FleetSize {
  readonly workers: number;
  readonly jobsets: number;
  /** Workers that die at once. */
  readonly lost: number;
  readonly seed?: number;
  readonly onPhase?: (phase: string) => void;
}

const CAPACITY = { places: 256, jobs: null };
/** Of the places of all workers, before some of them die. */
const USED = 0.5;
/** Jobsets ask for so much more or less than the mean. */
const SPREAD = 0.4;
const ADMINS = 2;
const ELECTED_MS = 10_000;
const BATCHES = 10;
const BATCH_MS = 3_000;
/** All workers together. */
const JOINING_MS = 10_000;
const SETTLING_MS = 180_000;
const STEADY_MS = 60_000;
/** Most moves come in the first two minutes. */
const AFTERWARDS_MS = 300_000;

export const liveFleet = async (size: FleetSize): Promise<FleetFigures> => {
  const fleet = new SimulatedFleet(size);
  const { onPhase = () => {} } = size;
  onPhase('begin');
  await fleet.begin();
  onPhase('settle');
  await fleet.clock.advance(SETTLING_MS);
  onPhase('steady');
  const writes = await fleet.writesDuring(STEADY_MS);
  onPhase('lose');
  const loss = await fleet.lose();
  onPhase('afterwards');
  await fleet.clock.advance(AFTERWARDS_MS);
  onPhase('judge');
  return { ...fleet.standing(), ...loss, ...fleet.movesAfterwards(), ...fleet.ticks(), ...writes };
};

interface Move {
  readonly at: number;
  readonly jobset: JobsetId;
  readonly isOrder: boolean;
}

class SimulatedFleet {
  readonly clock = new ManualClock();
  readonly #size: FleetSize;
  readonly #random: Random;
  readonly #keys = new Keys();
  readonly #store: FleetStore;
  readonly #workers = new Set<FleetWorker>();
  readonly #places = new Map<JobsetId, number>();
  readonly #terms = new Map<JobsetId, Term[]>();
  /** What the dead have held, until somebody else does. */
  readonly #orphans = new Set<JobsetId>();
  #ownedAt = 0;
  #failedClaims = 0;
  #lostAt = 0;
  readonly #moves: Move[] = [];

  constructor(size: FleetSize) {
    this.#size = size;
    this.#random = seededRandom(size.seed ?? 1);
    this.#store = new FleetStore({
      clock: this.clock,
      random: this.#random,
      onChange: (change) => this.#see(change),
      onCommit: (then, outcome) => this.#committed(then, outcome),
    });
  }

  /** It grows: some workers, then what they are to run, then more of both. */
  async begin(): Promise<void> {
    for (let n = 0; n < ADMINS; n += 1) this.#startAdmin(`a${n}`);
    await this.clock.advance(ELECTED_MS);
    const { workers, jobsets } = this.#size;
    for (let batch = 1; batch <= BATCHES; batch += 1) {
      while (this.#workers.size < (workers * batch) / BATCHES) {
        this.#startWorker(`w${this.#workers.size}`);
        await this.clock.advance(JOINING_MS / workers);
      }
      while (this.#terms.size < (jobsets * batch) / BATCHES) await this.#publish(this.#terms.size);
      await this.clock.advance(BATCH_MS);
    }
  }

  async writesDuring(
    ms: number,
  ): Promise<Pick<FleetFigures, 'writes_a_second' | 'predicted_writes_a_second'>> {
    const before = this.#store.revision;
    await this.clock.advance(ms);
    const written = this.#store.revision - before;
    // A beat comes up to a tenth sooner than it is said to.
    const beats = 1000 / (LEASE_TIMING.heartbeatMs * 0.95);
    return {
      writes_a_second: round(written / (ms / 1000)),
      predicted_writes_a_second: round(this.#workers.size * beats),
    };
  }

  /** Some workers die at one moment. */
  async lose() {
    const { lost } = this.#size;
    const all = [...this.#workers];
    for (let n = 0; n < lost; n += 1) {
      const [worker] = all.splice(Math.floor(this.#random.next() * all.length), 1);
      if (worker === undefined) break;
      for (const id of worker.held) this.#orphans.add(id);
      worker.kill();
      this.#workers.delete(worker);
    }
    this.#lostAt = this.clock.monotonicMs();
    this.#failedClaims = 0;
    const vacancies = this.#orphans.size;
    await this.clock.advance(BOUND_MS);
    const isDone = this.#orphans.size === 0;
    return {
      lost_workers: lost,
      vacancies,
      all_owned_ms: isDone ? Math.round(this.#ownedAt - this.#lostAt) : Number.POSITIVE_INFINITY,
      failed_claims: this.#failedClaims,
    };
  }

  standing() {
    const places = [...this.#workers].map((worker) => worker.places);
    const mean = places.reduce((sum, one) => sum + one, 0) / places.length;
    const { jobsets } = this.#size;
    return {
      workers: this.#size.workers,
      jobsets,
      checks: jobsets * CHECKS,
      load_least_percent: Math.round((100 * Math.min(...places)) / mean),
      load_most_percent: Math.round((100 * Math.max(...places)) / mean),
    };
  }

  movesAfterwards() {
    const orders = this.#moves.filter(({ at, isOrder }) => isOrder && at >= this.#lostAt);
    const most = orders.reduce(
      (most, { at }) =>
        Math.max(most, orders.filter((one) => one.at >= at && one.at < at + 60_000).length),
      0,
    );
    const moved = new Set(orders.map(({ jobset }) => jobset));
    return {
      moves: orders.length,
      moved_back: orders.length - moved.size,
      most_moves_a_minute: most,
    };
  }

  ticks() {
    return countTicks(this.#terms.values(), this.clock.now());
  }

  #startAdmin(name: string): void {
    const { clock } = this;
    const store = new FleetLink(this.#store, clock);
    const common = { store, keys: this.#keys, clock, random: this.#random, log: silentLog };
    const election = new Election({ ...common, timing: LEASE_TIMING, id: name });
    const publisher = new Publisher({ ...common, publishing: new Publishing(common) });
    const audit = new Audit(common);
    const listener = { update: () => {}, over: () => {} };
    const steering = new Steering({ ...common, holdMs: LEASE_TIMING.ttlMs, listener });
    new Admin({ ...common, election, publisher, audit, steering }).start();
  }

  #startWorker(name: string): void {
    const worker = new FleetWorker({
      name,
      store: this.#store,
      keys: this.#keys,
      capacity: CAPACITY,
      checks: CHECKS,
      placesOf: (jobset) => this.#places.get(jobset) ?? 0,
      onTerm: (term) => this.#terms.get(term.jobset)?.push(term),
    });
    this.#workers.add(worker);
    worker.start();
  }

  async #publish(n: number): Promise<void> {
    const { workers, jobsets } = this.#size;
    const id = `j${n}` as JobsetId;
    const mean = (USED * CAPACITY.places * workers) / jobsets;
    this.#places.set(id, mean * (1 + SPREAD * (2 * this.#random.next() - 1)));
    this.#terms.set(id, []);
    const definitions = Array.from({ length: CHECKS }, (_, i) => aShortCheck(n * CHECKS + i));
    await publish(this.#store.memory, this.#keys, id, definitions);
  }

  #see(change: Change): void {
    const isPut = change.kind === 'put';
    const key = isPut ? change.entry.key : change.key;
    if (key.startsWith(this.#keys.owners)) {
      const id = this.#keys.ownedJobsetOf(key);
      if (isPut && ownerIn(change.entry) !== null) this.#owned(id);
    } else if (isPut && key.startsWith(this.#keys.jobsets)) {
      const { moveTo } = JSON.parse(change.entry.value.toString());
      const jobset = this.#keys.jobsetOf(key);
      this.#moves.push({ at: this.clock.monotonicMs(), jobset, isOrder: moveTo !== null });
    }
  }

  #owned(id: JobsetId): void {
    if (this.#orphans.delete(id)) this.#ownedAt = this.clock.monotonicMs();
  }

  #committed(then: readonly Operation[], { succeeded }: Commit): void {
    const isClaim = then.some(
      (one) =>
        one.kind === 'put' && one.lease !== undefined && one.key.startsWith(this.#keys.owners),
    );
    if (isClaim && !succeeded) this.#failedClaims += 1;
  }
}

/** Every worker reads every jobset's list of jobs. */
const aShortCheck = (n: number): CheckDefinition => ({
  ...aCheck(`h${n}/`),
  id: n.toString(36) as CheckId,
});

const round = (value: number): number => Math.round(value * 10) / 10;
