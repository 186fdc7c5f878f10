/**
 * What this worker sees of the ledger: which jobsets there are and who holds each. Two watches fed in,
 * one picture out, and a call for each jobset that looks different now.
 */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, Entry, Revision } from '../shared/coordination/kv.ts';
import { ownershipIn, type Refusal, type Sight } from '../shared/coordination/ledger.ts';
import {
  decodeJobset,
  decodePlacement,
  isNewerRecord,
  type Placement,
} from '../shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Jobset } from '../shared/domain/jobset.ts';

/** The record of a jobset that waits. */
interface Waiter {
  readonly jobset: Jobset;
  readonly revision: Revision;
}

const NOTHING: Sight = { revision: 0, ownRevision: 0, owner: null, at: 0 };
const VACANT = { worker: null, holdMs: 0 };
const ANYWHERE: Placement = { zone: null, avoid: [], waiting: null, moveTo: null };

export class Sightings {
  readonly #keys: Keys;
  readonly #on: { readonly change: (id: JobsetId) => void; readonly wentBack: () => void };
  readonly #sights = new Map<JobsetId, Sight>();
  /** Those that nothing is known of any more, and of which nobody was told. */
  readonly #gone = new Set<JobsetId>();
  /** Of those alone that not everybody may or should run. */
  readonly #placements = new Map<JobsetId, Placement>();
  /** Of those alone that wait: whoever takes one writes it anew. */
  readonly #waiters = new Map<JobsetId, Waiter>();
  /** How long claimers wait with a jobset that was taken away from a worker by force. */
  readonly #holdsMs = new Map<JobsetId, number>();
  readonly #heldBy = new Map<WorkerId, number>();
  #newest: Revision = 0;
  /** What the watch of jobsets has told reaches up to here. */
  #jobsetsAt: Revision = 0;
  #sawOwners = false;
  #sawJobsets = false;

  constructor(
    keys: Keys,
    on: {
      readonly change: (id: JobsetId) => void;
      /** Revisions have begun again lower: what was known by them means nothing any more. */
      readonly wentBack: () => void;
    },
  ) {
    this.#keys = keys;
    this.#on = on;
  }

  /**
   * Before both pictures have come, a jobset that is held would look free; and once changes were missed, a
   * token may be another one's in a store that was restored.
   */
  get isComplete(): boolean {
    return this.#sawOwners && this.#sawJobsets;
  }

  /** The latest revision that watches and transactions have shown. */
  get newest(): Revision {
    return this.#newest;
  }

  of(id: JobsetId): Sight {
    return this.#sights.get(id) ?? NOTHING;
  }

  placementOf(id: JobsetId): Placement {
    return this.#placements.get(id) ?? ANYWHERE;
  }

  /** Its record at this revision; null when it does not wait, or has changed. */
  waiterOf(id: JobsetId, revision: Revision): Jobset | null {
    const waiter = this.#waiters.get(id);
    return waiter?.revision === revision ? waiter.jobset : null;
  }

  holdMsOf(id: JobsetId): number {
    return this.#holdsMs.get(id) ?? 0;
  }

  /** How many jobsets it holds. */
  heldBy(worker: WorkerId): number {
    return this.#heldBy.get(worker) ?? 0;
  }

  /** Calls for every jobset again. */
  recall(): void {
    if (!this.isComplete) return;
    const ids = [...this.#sights.keys(), ...this.#gone];
    this.#gone.clear();
    for (const id of ids) this.#on.change(id);
  }

  /** Calls for each one that nobody holds again. */
  recallVacant(): void {
    if (!this.isComplete) return;
    for (const [id, { owner }] of this.#sights) if (owner === null) this.#on.change(id);
  }

  /** What a transaction has shown, and most watches tell only later. */
  learn(id: JobsetId, sight: Sight): void {
    this.#reach(sight.at);
    const known = this.of(id);
    const { revision } = sight.at > this.#jobsetsAt ? sight : known;
    this.#see(id, sight.at >= known.at ? { ...sight, revision } : { ...known, revision });
  }

  /**
   * What stood in the way of a claim: also that it waits now, or is left alone for a while. When it is older
   * than what the claim was made by, the store went back, and no watch has told yet: kept as what is known,
   * it would be claimed by again and again.
   */
  refused(id: JobsetId, claimedBy: Sight, { sight, own, record }: Refusal): void {
    const wentBack = sight.at < claimedBy.at;
    this.#reach(sight.at);
    if (wentBack || sight.at > this.#jobsetsAt) {
      if (record === undefined) this.#withdrawn(id);
      else this.#published(record);
    }
    if (wentBack || sight.at >= this.of(id).at) this.#own(id, own, sight.at);
  }

  /** Owners are not followed: what is known of them may be of another time, until they are told anew. */
  ownersMissed(): void {
    this.#sawOwners = false;
  }

  jobsetsMissed(): void {
    this.#sawJobsets = false;
  }

  /** A picture tells all that was true at its revision, also where a store that went back began anew. */
  ownersAre(entries: readonly Entry[], revision: Revision, wentBack: boolean): void {
    if (wentBack) this.#startOver();
    this.#reach(revision);
    const owned = new Map(entries.map((entry) => [this.#keys.ownedJobsetOf(entry.key), entry]));
    for (const id of new Set([...this.#sights.keys(), ...owned.keys()])) {
      if (this.of(id).at <= revision) this.#own(id, owned.get(id), revision);
    }
    this.#sawOwners = true;
    this.recall();
  }

  ownersChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      const isPut = change.kind === 'put';
      const id = this.#keys.ownedJobsetOf(isPut ? change.entry.key : change.key);
      const at = isPut ? change.entry.modRevision : change.modRevision;
      this.#reach(at);
      if (at > this.of(id).at) this.#own(id, isPut ? change.entry : undefined, at);
    }
  }

  jobsetsAre(entries: readonly Entry[], revision: Revision, wentBack: boolean): void {
    if (wentBack) this.#startOver();
    this.#reach(revision);
    this.#jobsetsAt = revision;
    const absent = new Set(this.#sights.keys());
    for (const entry of entries) {
      absent.delete(this.#keys.jobsetOf(entry.key));
      this.#published(entry);
    }
    for (const id of absent) this.#withdrawn(id);
    this.#sawJobsets = true;
    this.recall();
  }

  jobsetsChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#jobsetsAt = change.kind === 'put' ? change.entry.modRevision : change.modRevision;
      this.#reach(this.#jobsetsAt);
      if (change.kind === 'put') this.#published(change.entry);
      else this.#withdrawn(this.#keys.jobsetOf(change.key));
    }
  }

  #reach(revision: Revision): void {
    this.#newest = Math.max(this.#newest, revision);
  }

  /** Whatever is told from now on is newer than what was known of the store's other life. */
  #startOver(): void {
    this.#newest = 0;
    this.#jobsetsAt = 0;
    for (const [id, sight] of this.#sights) this.#sights.set(id, { ...sight, at: 0 });
    this.#on.wentBack();
  }

  /**
   * A damaged record is no jobset: the admin packs its checks into another one. Where only its list of jobs
   * is damaged, whoever claims it finds that.
   */
  #published(entry: Entry): void {
    const id = this.#keys.jobsetOf(entry.key);
    try {
      this.#place(id, entry);
    } catch (error) {
      if (!isNewerRecord(error)) return this.#withdrawn(id);
    }
    this.#see(id, { ...this.of(id), revision: entry.modRevision });
  }

  /** Most may run anywhere and go nowhere. */
  #place(id: JobsetId, entry: Entry): void {
    const placement = decodePlacement(entry);
    const { zone, avoid, waiting, moveTo } = placement;
    const jobset = waiting === null ? null : decodeJobset(id, entry);
    const isAnybodys = zone === null && avoid.length === 0 && waiting === null && moveTo === null;
    if (isAnybodys) this.#placements.delete(id);
    else this.#placements.set(id, placement);
    if (jobset === null) this.#waiters.delete(id);
    else this.#waiters.set(id, { jobset, revision: entry.modRevision });
  }

  #withdrawn(id: JobsetId): void {
    this.#placements.delete(id);
    this.#waiters.delete(id);
    this.#see(id, { ...this.of(id), revision: 0 });
  }

  #own(id: JobsetId, entry: Entry | undefined, at: Revision): void {
    const { worker: owner, holdMs } = entry === undefined ? VACANT : ownershipIn(entry);
    if (holdMs > 0) this.#holdsMs.set(id, holdMs);
    else this.#holdsMs.delete(id);
    const ownRevision = entry?.modRevision ?? 0;
    this.#see(id, { ...this.of(id), ownRevision, owner, at });
  }

  #see(id: JobsetId, sight: Sight): void {
    this.#count(this.of(id).owner, -1);
    this.#count(sight.owner, 1);
    const isGone = sight.revision === 0 && sight.ownRevision === 0;
    if (isGone) this.#sights.delete(id);
    else this.#sights.set(id, sight);
    if (this.isComplete) this.#on.change(id);
    else if (isGone) this.#gone.add(id);
  }

  #count(worker: WorkerId | null, by: 1 | -1): void {
    if (worker === null) return;
    const held = this.heldBy(worker) + by;
    if (held > 0) this.#heldBy.set(worker, held);
    else this.#heldBy.delete(worker);
  }
}
