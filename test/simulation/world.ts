/**
 * A whole pool on virtual time: several workers, two admins, one etcd, one folder, and whatever happens
 * to them. One seed decides everything, so a world can be lived again.
 */

import { Keys } from '../../src/shared/coordination/keys.ts';
import { type Commit, type Entry, keyOf } from '../../src/shared/coordination/kv.ts';
import type { JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { ScalingEmission } from '../../src/shared/domain/delivery.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Accounts } from './accounts.ts';
import { Circumstances } from './circumstances.ts';
import { type Batch, Etcd } from './etcd.ts';
import { Folder } from './folder.ts';
import { Health } from './health.ts';
import { inspectCommit } from './inspection.ts';
import { type CommitCall, Link } from './link.ts';
import { Ownership, type Span } from './ownership.ts';
import { ProcessClock } from './process-clock.ts';
import { AdminProcess, type SimulatedProcess, WorkerProcess } from './processes.ts';
import { publish } from './publish.ts';
import { type Pool, Shortage } from './shortage.ts';
import { Strain } from './strain.ts';
import { Targets } from './targets.ts';
import { type Tell, textIn, toldLog } from './telling.ts';
import { Watchman } from './watchman.ts';

export interface Violation {
  readonly rule: string;
  readonly what: string;
  /** World time, ms. */
  readonly at: number;
}

/** More tell nothing new. */
const MOST_VIOLATIONS = 8;
export const ADMINS = 2;
/** Between the clocks of two machines that are kept right. */
const SKEW_MS = 1000;
/** With the longest pause in it. */
const LONGEST_RUN_MS = 70_000;
/** After it has died of a check. */
const REPLACED_MS = 3000;

export class World {
  readonly random: Random;
  readonly clock = new ManualClock();
  readonly epoch = this.clock.now();
  readonly keys = new Keys();
  readonly etcd: Etcd;
  readonly folder: Folder;
  readonly ownership: Ownership;
  readonly circumstances: Circumstances;
  readonly health: Health;
  readonly accounts: Accounts;
  readonly workers = new Map<string, WorkerProcess>();
  readonly admins = new Map<string, AdminProcess>();
  readonly violations: Violation[] = [];
  /** Everything that happened, in one number. */
  hash = 0;
  failedClaims = 0;
  /** How many workers there should be. */
  readonly size: number;
  readonly targets: Targets;
  readonly strain: Strain;
  readonly shortage = new Shortage((rule, what) => this.report(rule, what));
  readonly #watchman: Watchman;
  readonly #tell: Tell | null;
  #born = 0;
  /** Since when something has been wrong with the whole pool; null when nothing is. */
  #storm: Span | null = null;

  constructor(seed: number, tell: Tell | null = null) {
    this.#tell = tell;
    this.random = seededRandom(seed);
    this.size = 3 + Math.floor(this.random.next() * 5);
    this.targets = new Targets(this.random);
    this.strain = new Strain(this.keys, this.random);
    this.folder = new Folder(this.random);
    const now = () => this.clock.monotonicMs();
    this.ownership = new Ownership(this.keys, now, (rule, what) => this.report(rule, what));
    this.etcd = new Etcd(this.clock, (batch) => this.#see(batch));
    this.circumstances = new Circumstances(now);
    this.health = new Health(this.circumstances, now);
    this.accounts = new Accounts({
      folder: this.folder,
      ownership: this.ownership,
      circumstances: this.circumstances,
      epoch: this.epoch,
      report: (rule, what) => this.report(rule, what),
    });
    this.#watchman = new Watchman(this);
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
    this.#watchman.begin();
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
    const process: WorkerProcess = new WorkerProcess({
      ...options,
      capacity: this.strain.capacity,
      mode: this.strain.mode,
      target: (key) => this.#answer(process, key),
      onResult: (worker, result) => this.#result(worker, result),
    });
    this.workers.set(process.name, process);
    options.link.onDeath = () => this.kill(process);
    this.health.begin(process);
    return process;
  }

  startAdmin(): AdminProcess {
    const options = this.#machine('a');
    const announce = (emission: ScalingEmission) => this.shortage.announce(emission);
    const process = new AdminProcess({
      ...options,
      catalogue: this.folder.catalogue,
      announce,
    });
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

  /** It may find ticks that have passed meanwhile. */
  cameBack(process: SimulatedProcess): void {
    this.circumstances.witnesses.get(process.name as WorkerId)?.cameBackAt.push(this.now);
  }

  #answer(process: WorkerProcess, key: string): { readonly afterMs: number } {
    const answer = this.targets.answer(key);
    if (!answer.kills) return answer;
    this.tell(`${process.name} dies of ${key}`);
    this.kill(process);
    this.clock.after(REPLACED_MS, () => {
      if (this.workers.size < this.size) this.startWorker();
    });
    return answer;
  }

  /** What is in quarantine is looked at by a person, and changed. */
  release(): void {
    for (const id of this.ownership.quarantined) {
      const check = this.folder.checks.get(id);
      if (check !== undefined) this.folder.edit(check);
    }
    this.offerFolder();
  }

  /** The store is another one, with these entries. */
  restarted(entries: readonly Entry[]): void {
    this.ownership.restart(entries);
    const record = entries.find(({ key }) => key === this.keys.scaling);
    this.shortage.restart(record !== undefined && episodeIn(record) !== null);
  }

  get isAtRest(): boolean {
    return this.strain.isOver(this.ownership, this.workers.keys());
  }

  beginStorm(): void {
    this.#storm ??= { from: this.now, to: Number.POSITIVE_INFINITY };
    if (!this.circumstances.disturbed.includes(this.#storm))
      this.circumstances.disturbed.push(this.#storm);
    if (this.strain.isCramped) this.circumstances.beginCrowd();
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

  get pool(): Pool {
    const { now, ownership } = this;
    return { now, waitingJobs: ownership.waitingJobs, soundSince: this.#watchman.ledSince };
  }

  #see(batch: Batch): void {
    this.ownership.see(batch);
    this.shortage.look(this.pool);
    for (const change of batch.changes) {
      const key = keyOf(change);
      this.strain.see(change);
      if (key === this.keys.scaling && change.kind === 'put')
        this.shortage.verdict(episodeIn(change.entry), this.pool);
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
    const due = result.tick - this.epoch;
    const { distorted } = this.circumstances;
    if (Math.abs(clock.wallOffsetMs) > 500 || start > now || start < now - LONGEST_RUN_MS) {
      // Run, from start or to end, with a clock that was wrong: its tick is that of another time, or had
      // to wait for a place until the clock was wrong, and nobody knows when it was run.
      if (due < now && due > now - LONGEST_RUN_MS) distorted.push({ from: due, to: now });
      return;
    }
    // It fell due by a clock that was wrong, and had to wait for a place until that was right again.
    if (due > start + SKEW_MS) return void distorted.push({ from: start, to: now });
    this.accounts.add(result, start, now);
  }

  #committed(name: string, link: Link, call: CommitCall, outcome: Commit): void {
    inspectCommit(this, { name, lease: link.granted, call, outcome });
  }

  #mix(text: string): void {
    let { hash } = this;
    for (let i = 0; i < text.length; i += 1)
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.hash = hash;
  }
}

/** Null: the limit is not hit. */
const episodeIn = ({ value }: Entry): unknown => JSON.parse(value.toString()).episode;
