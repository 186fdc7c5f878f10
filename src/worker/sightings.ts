/**
 * What this worker sees of the ledger: which jobsets there are and who holds each. Two watches fed in,
 * one picture out, and a call for each jobset that looks different now.
 */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, Entry, Revision } from '../shared/coordination/kv.ts';
import { ownerIn, type Sight } from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';

const NOTHING: Sight = { revision: 0, ownRevision: 0, owner: null, at: 0 };

export class Sightings {
  readonly #keys: Keys;
  readonly #onChange: (id: JobsetId) => void;
  readonly #sights = new Map<JobsetId, Sight>();
  #sawOwners = false;
  #sawJobsets = false;

  constructor(keys: Keys, onChange: (id: JobsetId) => void) {
    this.#keys = keys;
    this.#onChange = onChange;
  }

  /** Before both pictures have come, a jobset that is held would look free. */
  get isComplete(): boolean {
    return this.#sawOwners && this.#sawJobsets;
  }

  of(id: JobsetId): Sight {
    return this.#sights.get(id) ?? NOTHING;
  }

  /** Calls for every jobset again. */
  recall(): void {
    if (this.isComplete) for (const id of this.#sights.keys()) this.#onChange(id);
  }

  /** What a transaction has shown is newer than any watch. */
  learn(id: JobsetId, sight: Sight): void {
    this.#see(id, sight);
  }

  ownersAre(entries: readonly Entry[], revision: Revision): void {
    const absent = new Set(this.#sights.keys());
    for (const entry of entries) {
      absent.delete(this.#keys.ownedJobsetOf(entry.key));
      this.#owned(entry);
    }
    for (const id of absent) this.#disowned(id, revision);
    this.#sawOwners = true;
    this.recall();
  }

  ownersChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#owned(change.entry);
      else this.#disowned(this.#keys.ownedJobsetOf(change.key), change.modRevision);
    }
  }

  jobsetsAre(entries: readonly Entry[]): void {
    const absent = new Set(this.#sights.keys());
    for (const entry of entries) {
      const id = this.#keys.jobsetOf(entry.key);
      absent.delete(id);
      this.#see(id, { ...this.of(id), revision: entry.modRevision });
    }
    for (const id of absent) this.#see(id, { ...this.of(id), revision: 0 });
    this.#sawJobsets = true;
    this.recall();
  }

  jobsetsChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      const isPut = change.kind === 'put';
      const id = this.#keys.jobsetOf(isPut ? change.entry.key : change.key);
      this.#see(id, { ...this.of(id), revision: isPut ? change.entry.modRevision : 0 });
    }
  }

  #owned(entry: Entry): void {
    const id = this.#keys.ownedJobsetOf(entry.key);
    const at = entry.modRevision;
    const known = this.of(id);
    if (at > known.at) this.#see(id, { ...known, ownRevision: at, owner: ownerIn(entry), at });
  }

  #disowned(id: JobsetId, at: Revision): void {
    const known = this.of(id);
    if (at > known.at) this.#see(id, { ...known, ownRevision: 0, owner: null, at });
  }

  #see(id: JobsetId, sight: Sight): void {
    if (sight.revision === 0 && sight.ownRevision === 0) this.#sights.delete(id);
    else this.#sights.set(id, sight);
    if (this.isComplete) this.#onChange(id);
  }
}
