/**
 * A whole pool on virtual time: several workers, two admins, one etcd, one folder, and whatever happens
 * to them. One seed decides everything, so a world can be lived again.
 */

import { Keys } from '../../src/shared/coordination/keys.ts';
import type { Commit } from '../../src/shared/coordination/kv.ts';
import type { JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Accounts, type Span } from './accounts.ts';
import { type Batch, changedKey, Etcd } from './etcd.ts';
import { Folder } from './folder.ts';
import { inspectCommit } from './inspection.ts';
import { type CommitCall, Link } from './link.ts';
import { Ownership } from './ownership.ts';
import { ProcessClock } from './process-clock.ts';
import { AdminProcess, type SimulatedProcess, WorkerProcess } from './processes.ts';
import { publish } from './publish.ts';
import { type Tell, textIn, toldLog } from './telling.ts';

export interface Violation {
  readonly rule: string;
  readonly what: string;
  /** World time, ms. */
  readonly at: number;
}

/** More tell nothing new. */
const MOST_VIOLATIONS = 8;
const ADMINS = 2;
/** After whatever was wrong with a process has ended, it is back in the pool within this. */
const RECOVERY_MS = 6000;
/** With the longest pause in it. */
const LONGEST_RUN_MS = 70_000;
/** What a worker told with a wrong clock counts until its jobsets have another owner, and its runs go on. */
const LASTING_MS = 30_000;
/** With a sound worker about, a free jobset is owned within this: ranks, jitter, a call or two. */
const VACANT_MS = 2500 + 1000;

export class World {
  readonly random: Random;
  readonly clock = new ManualClock();
  readonly epoch = this.clock.now();
  readonly keys = new Keys();
  readonly etcd: Etcd;
  readonly folder: Folder;
  readonly ownership: Ownership;
  readonly accounts: Accounts;
  readonly workers = new Map<string, WorkerProcess>();
  readonly admins = new Map<string, AdminProcess>();
  readonly violations: Violation[] = [];
  /** Everything that happened, in one number. */
  hash = 0;
  failedClaims = 0;
  /** How many workers there should be. */
  readonly size: number;
  /** Targets that answer slowly, and how slowly. */
  readonly slow = new Map<string, number>();
  readonly #tell: Tell | null;
  #born = 0;
  #sickUntil = new Map<SimulatedProcess, number>();
  /** Since when something has been wrong with the whole pool; null when nothing is. */
  #storm: Span | null = null;
  #fairSince = 0;

  constructor(seed: number, tell: Tell | null = null) {
    this.#tell = tell;
    this.random = seededRandom(seed);
    this.size = 3 + Math.floor(this.random.next() * 5);
    this.folder = new Folder(this.random);
    const now = () => this.clock.monotonicMs();
    this.ownership = new Ownership(this.keys, now, (rule, what) => this.report(rule, what));
    this.etcd = new Etcd(this.clock, (batch) => this.#see(batch));
    this.accounts = new Accounts({
      folder: this.folder,
      ownership: this.ownership,
      epoch: this.epoch,
      report: (rule, what) => this.report(rule, what),
    });
  }

  get now(): number {
    return this.clock.monotonicMs();
  }

  report(rule: string, what: string): void {
    if (this.violations.length < MOST_VIOLATIONS)
      this.violations.push({ rule, what, at: this.now });
  }

  /** Jobsets of a few checks each, as if an admin had published them, and the first processes. */
  async begin(jobsets: number): Promise<void> {
    for (let n = 0; n < jobsets; n += 1) await this.#publish(`j${n}`, 1 + this.any(4));
    for (let n = 0; n < ADMINS; n += 1) this.startAdmin();
    for (let n = 0; n < this.size; n += 1) this.startWorker();
    this.#watch();
  }

  any(count: number): number {
    return Math.floor(this.random.next() * count);
  }

  /** What an older copy does not have looks to a leader like somebody else's folder: an operator decides. */
  confirmFolder(): void {
    for (const { admin } of this.admins.values()) admin.confirm();
  }

  startWorker(): WorkerProcess {
    const options = this.#machine('w');
    const process = new WorkerProcess({
      ...options,
      target: (key) => ({ afterMs: this.slow.get(key) ?? 5 + 60 * this.random.next() }),
      onResult: (worker, result) => this.#result(worker, result),
    });
    this.workers.set(process.name, process);
    this.accounts.witnesses.set(process.id, {
      id: process.id,
      cameBackAt: [],
      sick: [],
      beats: [],
    });
    options.link.onDeath = () => this.kill(process);
    this.#sickUntil.set(process, this.now + RECOVERY_MS);
    return process;
  }

  startAdmin(): AdminProcess {
    const options = this.#machine('a');
    const process = new AdminProcess({ ...options, catalogue: this.folder.catalogue });
    this.admins.set(process.name, process);
    options.link.onDeath = () => this.kill(process);
    return process;
  }

  kill(process: SimulatedProcess): void {
    process.clock.kill();
    process.link.close();
    this.workers.delete(process.name);
    this.admins.delete(process.name);
  }

  /** SIGTERM; whoever takes too long for that is killed. */
  leave(process: SimulatedProcess): void {
    const gone = () => this.kill(process);
    process.leave().then(gone, (error) => this.report('I11', `drain failed: ${error}`));
  }

  offerFolder(): void {
    const { catalogue } = this.folder;
    for (const { admin, clock } of this.admins.values())
      clock.deliver(() => admin.offer(catalogue));
  }

  /** Something is or was wrong with a process: until it has ended and some time after, it owes nothing. */
  sicken(process: SimulatedProcess, forMs: number): void {
    const until = this.now + forMs + RECOVERY_MS;
    this.accounts.witnesses.get(process.name as WorkerId)?.sick.push({ from: this.now, to: until });
    this.#sickUntil.set(process, Math.max(until, this.#sickUntil.get(process) ?? 0));
  }

  /** It may find ticks that have passed meanwhile. */
  cameBack(process: SimulatedProcess): void {
    this.accounts.witnesses.get(process.name as WorkerId)?.cameBackAt.push(this.now);
  }

  beginStorm(): void {
    this.#storm ??= { from: this.now, to: Number.POSITIVE_INFINITY };
    if (!this.accounts.disturbed.includes(this.#storm)) this.accounts.disturbed.push(this.#storm);
  }

  endStorm(): void {
    if (this.#storm !== null) this.#storm.to = this.now;
    this.#storm = null;
  }

  #machine(kind: string) {
    this.#born += 1;
    const name = `${kind}${this.#born}`;
    const rate = 1 + 0.02 * (this.random.next() - 0.5);
    const wallOffsetMs = Math.round(200 * (this.random.next() - 0.5));
    const clock = new ProcessClock(this.clock, { rate, wallOffsetMs });
    const link = new Link({
      world: this.clock,
      etcd: this.etcd,
      clock,
      random: this.random,
      onCommit: (call, outcome) => this.#committed(name, link, call, outcome),
    });
    const log = this.#tell === null ? silentLog : toldLog(name, (line) => this.tell(line));
    return { name, clock, link, keys: this.keys, random: this.random, log };
  }

  /** One line of what happens, for whoever looks into a violation. */
  tell(line: string): void {
    this.#tell?.(`${this.now.toFixed(1)} ${line}`);
  }

  async #publish(id: string, checks: number): Promise<void> {
    const definitions = Array.from({ length: checks }, () => this.folder.add().definition);
    await publish(this.etcd, this.keys, id as JobsetId, definitions);
  }

  #see(batch: Batch): void {
    this.ownership.see(batch);
    for (const change of batch.changes) {
      const key = changedKey(change);
      const isTold = key.startsWith(this.keys.owners) || key.startsWith(this.keys.jobsets);
      if (isTold) this.#mix(`${change.kind}${key}@${this.now}`);
      if (this.#tell !== null && !key.includes('/hb/') && !key.includes('/def/'))
        this.tell(`etcd ${batch.revision} ${change.kind} ${key} ${textIn(change)}`);
    }
  }

  #result(process: WorkerProcess, result: Result): void {
    const now = this.now;
    const { clock } = process;
    if (this.#tell !== null)
      this.tell(
        `${process.name} ran ${result.id}@${result.tick - this.epoch} ${result.token} ${result.start - clock.wallOffsetMs - this.epoch} ${result.detached ? 'detached' : ''}`,
      );
    this.#mix(`${result.id}${result.tick}${result.token}${result.detached}${now}`);
    const start = result.start - clock.wallOffsetMs - this.epoch;
    // Run, from start or to end, with a clock that was wrong: its tick is that of another time.
    if (Math.abs(clock.wallOffsetMs) > 500 || start > now || start < now - LONGEST_RUN_MS) return;
    this.accounts.add(result, start, now);
  }

  #committed(name: string, link: Link, call: CommitCall, outcome: Commit): void {
    inspectCommit(this, { name, lease: link.granted, call, outcome });
  }

  /** Looks at everything once a second. */
  #watch(): void {
    this.clock.after(1000, () => this.#watch());
    for (const { name, worker, clock } of this.workers.values()) {
      if (worker.tally.unaccounted !== 0)
        this.report('I10', `${worker.tally.unaccounted} ticks of ${name} are unaccounted for`);
      if (Math.abs(clock.wallOffsetMs) > 500) this.distort();
    }
    if (!this.#isFair()) this.#fairSince = this.now;
    for (const [id, { exists, term, vacantSince }] of this.ownership.jobsets) {
      const vacantMs = this.now - Math.max(vacantSince, this.#fairSince);
      if (exists && term === null && vacantMs > VACANT_MS)
        this.report('I6', `${id} is free for ${vacantMs.toFixed(0)} ms with a sound worker about`);
    }
  }

  /** Some wall clock is wrong now, or was until now. */
  distort(): void {
    const spans = this.accounts.distorted;
    const last = spans.at(-1);
    if (last !== undefined && last.to > this.now) last.to = this.now + LASTING_MS;
    else spans.push({ from: this.now - 1000, to: this.now + LASTING_MS });
  }

  /** The store serves, and some worker has had nothing to complain of for a while. */
  #isFair(): boolean {
    if (this.etcd.isDown || this.etcd.isFull) return false;
    for (const process of this.workers.values()) {
      if (process.isLeaving || !process.clock.isRunning || !process.link.isSound) continue;
      if ((this.#sickUntil.get(process) ?? 0) <= this.now) return true;
    }
    return false;
  }

  #mix(text: string): void {
    let { hash } = this;
    for (let i = 0; i < text.length; i += 1)
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.hash = hash;
  }
}
