/**
 * Who has owned what, and when, as the store knows it: the truth that processes only learn late. It is
 * fed with every change of the store and says what no change may do.
 */

import type { Keys } from '../../src/shared/coordination/keys.ts';
import type { Change, Entry, LeaseId } from '../../src/shared/coordination/kv.ts';
import type { CheckId, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Batch } from './etcd.ts';

/** From a claim to its end; times are the world's. */
export interface Term {
  readonly worker: WorkerId;
  /** Comes again in a store that was restored. */
  readonly token: string;
  readonly lease: LeaseId | null;
  readonly from: number;
  to: number;
  /** It did not end by its owner's doing or by its lease's time. */
  isCutShort: boolean;
  /** The owner claimed again what it held: as far as others are concerned, one term. */
  readonly before: Term | null;
}

export interface Standing {
  jobs: readonly CheckId[];
  /** False once the jobset has been deleted. */
  exists: boolean;
  /** Null while nobody owns it. */
  term: Term | null;
  vacantSince: number;
  /** All there have been, the latest last. */
  readonly terms: Term[];
}

export type Report = (rule: string, what: string) => void;

export class Ownership {
  readonly jobsets = new Map<JobsetId, Standing>();
  readonly jobsetOf = new Map<CheckId, JobsetId>();
  /** When each check was written, in whatever jobset. */
  readonly writtenAt = new Map<CheckId, number[]>();
  /** Leases that the store ended before their time. */
  readonly endedEarly = new Set<LeaseId>();
  claims = 0;
  leader: { readonly lease: LeaseId | null } | null = null;
  readonly #keys: Keys;
  readonly #now: () => number;
  readonly #report: Report;

  constructor(keys: Keys, now: () => number, report: Report) {
    this.#keys = keys;
    this.#now = now;
    this.#report = report;
  }

  see({ changes }: Batch): void {
    for (const change of changes) {
      const key = change.kind === 'put' ? change.entry.key : change.key;
      if (key.startsWith(this.#keys.owners)) this.#owner(this.#keys.ownedJobsetOf(key), change);
      else if (key.startsWith(this.#keys.jobsets)) this.#jobset(this.#keys.jobsetOf(key), change);
      else if (key === this.#keys.leader) this.#leads(change);
    }
    for (const change of changes) {
      const key = change.kind === 'put' ? change.entry.key : change.key;
      if (key.startsWith(this.#keys.jobsets)) this.#checkPlaces(this.#keys.jobsetOf(key));
    }
  }

  /** The store is another one: whatever was true is over, and what it holds is told anew. */
  restart(entries: readonly Entry[]): void {
    for (const standing of this.jobsets.values()) {
      this.#end(standing, true);
      standing.exists = false;
      standing.jobs = [];
    }
    this.jobsetOf.clear();
    this.leader = null;
    for (const entry of entries)
      this.see({ revision: entry.modRevision, changes: [{ kind: 'put', entry }] });
  }

  of(id: JobsetId): Standing {
    let standing = this.jobsets.get(id);
    if (standing === undefined) {
      standing = {
        jobs: [],
        exists: false,
        term: null,
        vacantSince: this.#now(),
        terms: [],
      };
      this.jobsets.set(id, standing);
    }
    return standing;
  }

  #owner(id: JobsetId, change: Change): void {
    const standing = this.of(id);
    const owner = change.kind === 'put' ? ownerIn(change.entry) : null;
    const held = standing.term;
    const lease = standing.term?.lease ?? null;
    const isEarly = change.kind === 'delete' && lease !== null && this.endedEarly.has(lease);
    const isRenewed = held !== null && held.worker === owner;
    if (!isRenewed) this.#end(standing, isEarly || !standing.exists);
    if (owner === null || change.kind !== 'put') return;
    if (held !== null && !isRenewed)
      this.#report('I2', `${id} was taken from its owner by ${owner}`);
    const { entry } = change;
    const term = {
      worker: owner,
      token: String(entry.modRevision),
      lease: entry.lease,
      from: this.#now(),
      to: Number.POSITIVE_INFINITY,
      isCutShort: false,
      before: isRenewed ? held : null,
    };
    standing.term = term;
    standing.terms.push(term);
    this.claims += 1;
    if (entry.lease === null) this.#report('I2', `${id} is owned without a lease`);
  }

  #end(standing: Standing, isCutShort: boolean): void {
    if (standing.term === null) return;
    for (let term: Term | null = standing.term; term !== null; term = term.before) {
      term.to = this.#now();
      term.isCutShort = isCutShort;
    }
    standing.term = null;
    standing.vacantSince = this.#now();
  }

  #jobset(id: JobsetId, change: Change): void {
    const standing = this.of(id);
    for (const job of standing.jobs) if (this.jobsetOf.get(job) === id) this.jobsetOf.delete(job);
    const record = change.kind === 'put' ? JSON.parse(change.entry.value.toString()) : null;
    if (record !== null && !standing.exists) standing.vacantSince = this.#now();
    standing.exists = record !== null;
    standing.jobs = record?.jobs ?? [];
    for (const job of standing.jobs) this.#wrote(job);
    if (standing.term !== null && !standing.exists) standing.term.isCutShort = true;
  }

  #wrote(job: CheckId): void {
    const before = this.writtenAt.get(job);
    if (before === undefined) this.writtenAt.set(job, [this.#now()]);
    else before.push(this.#now());
  }

  /** After all changes of a revision: a job may move from one jobset to another in one of them. */
  #checkPlaces(id: JobsetId): void {
    for (const job of this.of(id).jobs) {
      const other = this.jobsetOf.get(job);
      if (other !== undefined && other !== id)
        this.#report('I7', `${job} stands in ${other} and in ${id}`);
      this.jobsetOf.set(job, id);
    }
  }

  #leads(change: Change): void {
    if (change.kind === 'put' && this.leader !== null)
      this.#report('I15', 'a leader was put in the place of another');
    this.leader = change.kind === 'put' ? { lease: change.entry.lease } : null;
  }
}

const ownerIn = (entry: Entry): WorkerId | null => JSON.parse(entry.value.toString()).worker;
