/**
 * Who has owned what, and when, as the store knows it: the truth that processes only learn late. It is
 * fed with every change of the store and says what no change may do.
 */

import type { Keys } from '../../src/shared/coordination/keys.ts';
import {
  type Change,
  type Entry,
  keyOf,
  type LeaseId,
  type Revision,
} from '../../src/shared/coordination/kv.ts';
import type { CheckId, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type {
  Jobset,
  Ownership as OwnershipRecord,
  Suspects,
  Suspicion,
  Waiting,
} from '../../src/shared/domain/jobset.ts';
import { ALONE_FROM } from '../../src/shared/rules/suspicion.ts';
import type { Batch } from './etcd.ts';

/** Times are the world's. */
export interface Span {
  readonly from: number;
  to: number;
}

/** From a claim to its end. */
export interface Term extends Span {
  readonly jobset: JobsetId;
  readonly worker: WorkerId;
  /** Comes again in a store that was restored. */
  readonly token: string;
  readonly lease: LeaseId | null;
  /** It did not end by its owner's doing or by its lease's time. */
  isCutShort: boolean;
  /** The owner claimed again what it held: as far as others are concerned, one term. */
  readonly before: Term | null;
}

export interface Standing {
  jobs: readonly CheckId[];
  /** As it stood at each revision of its record. */
  readonly contents: Map<Revision, readonly CheckId[]>;
  /** False once the jobset has been deleted. */
  exists: boolean;
  /** It stands in the waiting queue. */
  waiting: Waiting | null;
  /** Who is to run it, said the leader. */
  moveTo: WorkerId | null;
  /** Jobs that run only alone. */
  suspected: readonly CheckId[];
  /** Null while nobody owns it. */
  term: Term | null;
  /** Since when somebody may claim it. */
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
  /** While workers may have died of it, and its runs wait until it can be alone. */
  readonly suspectedIn = new Map<CheckId, Span[]>();
  /** All jobsets in which it has stood. */
  readonly #homes = new Map<CheckId, Set<JobsetId>>();
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
    const { owners, jobsets, leader, allSuspects } = this.#keys;
    const seen = new Set<JobsetId>();
    for (const change of changes) {
      const key = keyOf(change);
      if (key === leader) this.#leads(change);
      if (key.startsWith(allSuspects)) this.#suspects(change);
      const prefix = [owners, jobsets].find((one) => key.startsWith(one));
      if (prefix === undefined) continue;
      const id = key.slice(prefix.length) as JobsetId;
      seen.add(id);
      if (prefix === owners) this.#owner(id, change);
      else this.#jobset(id, change);
    }
    for (const id of seen) this.#checkPlaces(id);
    for (const id of seen) this.#checkQueue(id);
  }

  /** Jobs that wait for a place, without those that no place would help. */
  get waitingJobs(): number {
    let jobs = 0;
    for (const standing of this.jobsets.values())
      if (standing.exists && standing.waiting !== null && standing.waiting.reason !== 'quarantined')
        jobs += standing.jobs.length;
    return jobs;
  }

  get quarantined(): readonly CheckId[] {
    const all = [...this.jobsets.values()];
    return all.flatMap(({ exists, waiting, jobs }) =>
      exists && waiting?.reason === 'quarantined' ? jobs : [],
    );
  }

  /** The store is another one: whatever was true is over, and what it holds is told anew. */
  restart(entries: readonly Entry[]): void {
    for (const standing of this.jobsets.values()) {
      this.#end(standing, true);
      standing.exists = false;
      standing.jobs = [];
      standing.waiting = null;
      standing.moveTo = null;
    }
    this.jobsetOf.clear();
    for (const job of this.suspectedIn.keys()) this.#acquit(job);
    this.leader = null;
    for (const entry of entries)
      this.see({ revision: entry.modRevision, changes: [{ kind: 'put', entry }] });
  }

  of(id: JobsetId): Standing {
    let standing = this.jobsets.get(id);
    if (standing === undefined) {
      standing = {
        jobs: [],
        contents: new Map(),
        exists: false,
        waiting: null,
        moveTo: null,
        suspected: [],
        term: null,
        vacantSince: this.#now(),
        terms: [],
      };
      this.jobsets.set(id, standing);
    }
    return standing;
  }

  /** Of the worker that had it under this token, in whichever jobset it stood then. */
  termOf(job: CheckId, { worker, token }: Pick<Term, 'worker' | 'token'>): Term | undefined {
    const terms = this.termsOf(job).filter(
      (term) => term.token === token && term.worker === worker,
    );
    return terms.sort((a, b) => a.from - b.from).at(-1);
  }

  /** Of all jobsets in which it has stood. */
  termsOf(job: CheckId): readonly Term[] {
    return [...(this.#homes.get(job) ?? [])].flatMap((id) => this.of(id).terms);
  }

  #owner(id: JobsetId, change: Change): void {
    const standing = this.of(id);
    const { worker: owner, holdMs } = change.kind === 'put' ? ownershipIn(change.entry) : FREE;
    const held = standing.term;
    const lease = standing.term?.lease ?? null;
    const isEarly = change.kind === 'delete' && lease !== null && this.endedEarly.has(lease);
    const isRenewed = held !== null && held.worker === owner;
    // Whoever has lost it by force learns so by its next beat.
    const isForced = owner === null && holdMs > 0;
    if (!isRenewed) this.#end(standing, isEarly || isForced || !standing.exists);
    if (isForced) standing.vacantSince = this.#now() + holdMs;
    if (owner === null || change.kind !== 'put') return;
    if (held !== null && !isRenewed)
      this.#report('I2', `${id} was taken from its owner by ${owner}`);
    const { entry } = change;
    const term = {
      jobset: id,
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
    const record = change.kind === 'put' ? jobsetIn(change.entry) : NO_JOBSET;
    const { jobs, waiting, moveTo } = record;
    const exists = record !== NO_JOBSET;
    const isFreed = waiting === null && standing.waiting !== null;
    // Whoever may claim it now is another; what was taken by force is left alone as long as before.
    if (standing.exists !== exists || isFreed || standing.moveTo !== moveTo)
      standing.vacantSince = Math.max(standing.vacantSince, this.#now());
    Object.assign(standing, { exists, jobs, waiting, moveTo });
    if (change.kind === 'put') standing.contents.set(change.entry.modRevision, jobs);
    for (const job of jobs) this.#wrote(id, job);
    if (standing.term !== null && !standing.exists) standing.term.isCutShort = true;
  }

  #suspects(change: Change): void {
    const { id, jobs } = suspectsIn(change, this.#keys);
    for (const job of this.of(id).suspected) if (!jobs.includes(job)) this.#acquit(job);
    this.of(id).suspected = jobs;
    for (const job of jobs) {
      const spans = this.suspectedIn.get(job) ?? [];
      this.suspectedIn.set(job, spans);
      if (spans.at(-1)?.to !== Number.POSITIVE_INFINITY)
        spans.push({ from: this.#now(), to: Number.POSITIVE_INFINITY });
    }
  }

  #acquit(job: CheckId): void {
    const last = this.suspectedIn.get(job)?.at(-1);
    if (last !== undefined) last.to = Math.min(last.to, this.#now());
  }

  #wrote(id: JobsetId, job: CheckId): void {
    const homes = this.#homes.get(job);
    if (homes === undefined) this.#homes.set(job, new Set([id]));
    else homes.add(id);

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

  /** Nobody runs what waits for a place. */
  #checkQueue(id: JobsetId): void {
    const { term, waiting } = this.of(id);
    if (term !== null && waiting !== null)
      this.#report('W28', `${id} is owned by ${term.worker} and waits (${waiting.reason})`);
  }

  #leads(change: Change): void {
    if (change.kind === 'put' && this.leader !== null)
      this.#report('I15', 'a leader was put in the place of another');
    this.leader = change.kind === 'put' ? { lease: change.entry.lease } : null;
  }
}

const NO_JOBSET: Pick<Jobset, 'jobs' | 'waiting' | 'moveTo'> = {
  jobs: [],
  waiting: null,
  moveTo: null,
};

const FREE: Pick<OwnershipRecord, 'worker' | 'holdMs'> = { worker: null, holdMs: 0 };

const suspectsIn = (change: Change, keys: Keys) => {
  const key = keyOf(change);
  const id = key.slice(keys.allSuspects.length) as JobsetId;
  if (change.kind !== 'put') return { id, jobs: [] };
  const { jobs }: Suspects = JSON.parse(change.entry.value.toString());
  const all = Object.entries(jobs) as [CheckId, Suspicion][];
  return { id, jobs: all.filter(([, { deaths }]) => deaths >= ALONE_FROM).map(([job]) => job) };
};

const ownershipIn = (entry: Entry): OwnershipRecord => JSON.parse(entry.value.toString());
const jobsetIn = (entry: Entry): Jobset => JSON.parse(entry.value.toString());
