/**
 * What this worker sees of the ledger: which jobsets there are and who holds each. Two watches fed in,
 * one picture out, and a call for each jobset that looks different now.
 */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, Entry, Revision } from '../shared/coordination/kv.ts';
import { ownerIn, type Sight } from '../shared/coordination/ledger.ts';
import { decodeJobset, decodeOwnership, isNewerRecord } from '../shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Jobset } from '../shared/domain/jobset.ts';

/** Who should run a jobset, says its record. */
export type Placement = Pick<Jobset, 'zone' | 'avoid'>;

const NOTHING: Sight = { revision: 0, ownRevision: 0, owner: null, at: 0 };
const ANYWHERE: Placement = { zone: null, avoid: [] };

export class Sightings {
  readonly #keys: Keys;
  readonly #on: { readonly change: (id: JobsetId) => void; readonly wentBack: () => void };
  readonly #sights = new Map<JobsetId, Sight>();
  /** Of those alone that not everybody may or should run. */
  readonly #placements = new Map<JobsetId, Placement>();
  /** How long claimers wait with a jobset that was taken away from a worker by force. */
  readonly #holdsMs = new Map<JobsetId, number>();
  readonly #heldBy = new Map<WorkerId, number>();
  /** Of the last picture or change: what comes later with less is of a store that went back. */
  #ownersAt: Revision = 0;
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

  /** Before both pictures have come, a jobset that is held would look free. */
  get isComplete(): boolean {
    return this.#sawOwners && this.#sawJobsets;
  }

  of(id: JobsetId): Sight {
    return this.#sights.get(id) ?? NOTHING;
  }

  placementOf(id: JobsetId): Placement {
    return this.#placements.get(id) ?? ANYWHERE;
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
    if (this.isComplete) for (const id of this.#sights.keys()) this.#on.change(id);
  }

  /** What a transaction has shown is newer than any watch. */
  learn(id: JobsetId, sight: Sight): void {
    this.#see(id, sight);
  }

  /** A picture tells all that was true at its revision, also where a store that went back began anew. */
  ownersAre(entries: readonly Entry[], revision: Revision): void {
    const wentBack = revision < this.#ownersAt;
    this.#ownersAt = revision;
    if (wentBack) this.#on.wentBack();
    const owned = new Map(entries.map((entry) => [this.#keys.ownedJobsetOf(entry.key), entry]));
    for (const id of new Set([...this.#sights.keys(), ...owned.keys()])) {
      const known = this.of(id);
      if (known.at > revision && !wentBack) continue;
      this.#own(id, owned.get(id), revision);
    }
    this.#sawOwners = true;
    this.recall();
  }

  ownersChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      const isPut = change.kind === 'put';
      const id = this.#keys.ownedJobsetOf(isPut ? change.entry.key : change.key);
      const at = isPut ? change.entry.modRevision : change.modRevision;
      this.#ownersAt = at;
      if (at > this.of(id).at) this.#own(id, isPut ? change.entry : undefined, at);
    }
  }

  jobsetsAre(entries: readonly Entry[], revision: Revision): void {
    if (revision < this.#jobsetsAt) this.#on.wentBack();
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
      if (change.kind === 'put') this.#published(change.entry);
      else this.#withdrawn(this.#keys.jobsetOf(change.key));
    }
  }

  /** A damaged record is no jobset: the admin packs its checks into another one. */
  #published(entry: Entry): void {
    const id = this.#keys.jobsetOf(entry.key);
    try {
      const { zone, avoid } = decodeJobset(id, entry);
      if (zone === null && avoid.length === 0) this.#placements.delete(id);
      else this.#placements.set(id, { zone, avoid });
    } catch (error) {
      if (!isNewerRecord(error)) return this.#withdrawn(id);
    }
    this.#see(id, { ...this.of(id), revision: entry.modRevision });
  }

  #withdrawn(id: JobsetId): void {
    this.#placements.delete(id);
    this.#see(id, { ...this.of(id), revision: 0 });
  }

  #own(id: JobsetId, entry: Entry | undefined, at: Revision): void {
    const holdMs = entry === undefined ? 0 : holdMsIn(entry);
    if (holdMs > 0) this.#holdsMs.set(id, holdMs);
    else this.#holdsMs.delete(id);
    const ownRevision = entry?.modRevision ?? 0;
    const owner = entry === undefined ? null : ownerIn(entry);
    this.#see(id, { ...this.of(id), ownRevision, owner, at });
  }

  #see(id: JobsetId, sight: Sight): void {
    this.#count(this.of(id).owner, -1);
    this.#count(sight.owner, 1);
    if (sight.revision === 0 && sight.ownRevision === 0) this.#sights.delete(id);
    else this.#sights.set(id, sight);
    if (this.isComplete) this.#on.change(id);
  }

  #count(worker: WorkerId | null, by: 1 | -1): void {
    if (worker === null) return;
    const held = this.heldBy(worker) + by;
    if (held > 0) this.#heldBy.set(worker, held);
    else this.#heldBy.delete(worker);
  }
}

const holdMsIn = (entry: Entry): number => {
  try {
    return decodeOwnership(entry).holdMs;
  } catch {
    return 0;
  }
};
