/**
 * Keeps the pool on time while this admin leads: picture → judgement → **action**. Each action is one
 * transaction under the term, conditional on what was judged; one that finds the store changed does
 * nothing, and the next judgement sees why. Workers go on without all this.
 */

import type { Term } from '../shared/coordination/election.ts';
import { pause } from '../shared/coordination/heartbeat.ts';
import type { Keys } from '../shared/coordination/keys.ts';
import type { KeyValueStore } from '../shared/coordination/kv.ts';
import { type Evicted, type Placed, Placement } from '../shared/coordination/placement.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Move } from './balance.ts';
import type { Wedged } from './eviction.ts';
import type { FleetJobset, FleetListener } from './fleet.ts';
import { FleetPicture } from './fleet-picture.ts';
import { type Amendment, type Finding, judge } from './judgement.ts';
import { Memory } from './memory.ts';
import type { Placing } from './placing.ts';

export interface SteeringOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How long what was taken from a worker by force is left alone: it may still be running it. */
  readonly holdMs: number;
  readonly listener: FleetListener;
  /** A worker is gone that has not said that it leaves. */
  readonly onLost?: () => void;
}

/** Between two judgements: what comes meanwhile is judged together. */
const GATHER_MS = 200;
/** Some things follow from nothing but time. */
const IDLE_MS = 1_000;
/** Transactions in flight. */
const LANES = 8;
/** Jobsets named in one line of the log. */
const NAMED = 5;

type Deed = () => Promise<void>;

export class Steering {
  readonly #options: SteeringOptions;

  constructor(options: SteeringOptions) {
    this.#options = options;
  }

  /** Until the signal aborts; never rejects. */
  async run(term: Term, signal: AbortSignal): Promise<void> {
    await new Steered(this.#options, term, signal).run();
  }
}

/** One term. */
class Steered {
  readonly #options: SteeringOptions;
  readonly #term: Term;
  readonly #signal: AbortSignal;
  readonly #picture: FleetPicture;
  readonly #placement: Placement;
  readonly #memory = new Memory();
  /** Those in quarantine that have been told of. */
  #told: ReadonlySet<JobsetId> = new Set();
  /** Since it was last told. */
  #done: (Placing | Move | Amendment)[] = [];
  #hasNews = false;
  #wake: () => void = () => {};

  constructor(options: SteeringOptions, term: Term, signal: AbortSignal) {
    this.#options = options;
    this.#term = term;
    this.#signal = signal;
    this.#placement = new Placement(options);
    const onChange = () => {
      this.#hasNews = true;
      this.#wake();
    };
    this.#picture = new FleetPicture({ onLost: () => {}, ...options, onChange });
  }

  async run(): Promise<void> {
    const { clock, listener } = this.#options;
    const signal = this.#signal;
    const following = this.#picture.run(signal);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      await this.#untilNews();
      if (signal.aborted) break;
      this.#hasNews = false;
      if (this.#picture.isComplete) await this.#steer();
      await pause(clock, GATHER_MS, signal);
    }
    listener.over();
    await following;
  }

  async #steer(): Promise<void> {
    const { clock, log, listener } = this.#options;
    const memory = this.#memory;
    const now = clock.monotonicMs();
    try {
      listener.update(this.#picture, this.#term);
      const findings = judge(this.#picture, memory, now);
      if (memory.isRoundDue(now)) memory.round(now);
      this.#alarm(findings);
      await this.#inLanes(findings.flatMap((finding) => this.#deedFor(finding)));
    } catch (err) {
      if (!this.#signal.aborted) log.warn('the pool is not steered', { err });
      await pause(clock, IDLE_MS, this.#signal);
    } finally {
      this.#tell();
    }
  }

  /** In their order, a few at a time. The first one that the store does not answer ends all. */
  async #inLanes(deeds: readonly Deed[]): Promise<void> {
    const queue = deeds.values();
    const lane = async () => {
      for (const deed of queue) {
        if (this.#signal.aborted) return;
        await deed();
      }
    };
    await Promise.all(Array.from({ length: Math.min(LANES, deeds.length) }, lane));
  }

  /** About what was judged, as it was judged: the picture moves on while others are done. */
  #deedFor(finding: Finding): Deed[] {
    if (finding.reason === 'quarantined') return [];
    if (finding.reason === 'wedged') return this.#evictionOf(finding);
    const jobset = this.#picture.jobsets.get(finding.jobset);
    return jobset === undefined ? [] : [() => this.#act(finding, jobset)];
  }

  #evictionOf(finding: Wedged): Deed[] {
    const { jobsets, workers } = this.#picture;
    const worker = workers.get(finding.worker);
    if (worker === undefined) return [];
    const holds = [...worker.holds].flatMap((id) => jobsets.get(id) ?? []);
    const evicted = { id: finding.worker, revision: worker.revision, holds };
    return [() => this.#evict(evicted, finding)];
  }

  async #act(finding: Placing | Move | Amendment, jobset: FleetJobset): Promise<void> {
    try {
      const placed = await this.#write(finding, jobset);
      this.#memory.stands(jobset.id, placed.revision);
      if (placed.written) this.#note(finding);
    } catch (err) {
      if (!isAnswer(err)) throw err;
      // It cannot be written as it stands: not again before it is another.
      this.#memory.stands(jobset.id, jobset.revision + 1);
      this.#options.log.warn('a jobset cannot be placed', { jobset: jobset.id, err });
    }
  }

  #write(finding: Placing | Move | Amendment, jobset: FleetJobset): Promise<Placed> {
    const placement = this.#placement;
    const term = this.#term;
    switch (finding.reason) {
      case 'order_ignored':
      case 'claimed_waiting':
        return placement.settle(jobset, term);
      case 'unclaimed': {
        const { by, load } = finding;
        const since = this.#options.clock.now();
        return placement.queue(jobset, { reason: 'full', since, by, load }, term);
      }
      case 'empty_worker':
      case 'imbalance':
        return placement.order(jobset, finding.to, term);
      case 'waiting': {
        const { to, jobs: count, load } = finding;
        if (finding.isWhole) return placement.order(jobset, to, term);
        return placement.orderFirst(jobset, { count, to, load }, term);
      }
    }
  }

  #note(finding: Placing | Move | Amendment): void {
    const memory = this.#memory;
    const now = this.#options.clock.monotonicMs();
    this.#done.push(finding);
    if (!('to' in finding)) return;
    const { to, load, jobset, reason } = finding;
    const receiver = this.#picture.workers.get(to);
    if (receiver !== undefined) memory.gave(receiver, load, now);
    if (reason === 'waiting') return;
    memory.moved(jobset, to, now);
    if (reason === 'empty_worker') memory.filled(to, now);
    else memory.balanced(now);
  }

  async #evict(worker: Evicted, finding: Wedged): Promise<void> {
    const { clock, log, holdMs } = this.#options;
    if (!(await this.#placement.evict(worker, holdMs, this.#term))) return;
    this.#memory.evicted(worker.id, clock.monotonicMs());
    log.error('a worker lives and runs nothing: its jobs were taken from it', { ...finding });
  }

  /** One line a reason, however many there were. */
  #tell(): void {
    for (const [reason, of] of Map.groupBy(this.#done, (finding) => finding.reason)) {
      const jobsets = of.slice(0, NAMED).map(({ jobset }) => jobset);
      this.#options.log.info('jobsets were placed anew', { reason, count: of.length, jobsets });
    }
    this.#done = [];
  }

  /** Once for each, as long as it stays there. */
  #alarm(findings: readonly Finding[]): void {
    const quarantined = findings.filter((finding) => finding.reason === 'quarantined');
    for (const { jobset, jobs } of quarantined) {
      if (this.#told.has(jobset)) continue;
      const what = 'jobs are in quarantine, since workers died while they ran them';
      this.#options.log.error(what, { jobset, jobs });
    }
    this.#told = new Set(quarantined.map(({ jobset }) => jobset));
  }

  /** Woken far more often than not, so it costs a timer and no signal of its own. */
  #untilNews(): Promise<void> {
    if (this.#hasNews || this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(IDLE_MS, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

/** The store has answered, and repeating it changes nothing. */
const isAnswer = (error: unknown): boolean =>
  error instanceof WatcherError &&
  (error.code === 'WCH_STORE_LIMIT' || error.code === 'WCH_RECORD');
