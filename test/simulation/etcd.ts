/**
 * The one store of a simulated pool: the memory store of the product, with what can happen to an etcd
 * cluster as a whole. It is down (its leases stand still, and restart in full when it is back), full,
 * compacted, restored from an older copy; it ends leases early and lengthens others.
 *
 * It keeps every change that has ever been made: that is how watches of the simulated processes are
 * fed, how an older copy is restored, and what the invariants are checked against.
 */

import type {
  Change,
  ChangedSince,
  Commit,
  Condition,
  Lease,
  LeaseId,
  Operation,
  Read,
  Revision,
  Snapshot,
} from '../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import { ProcessClock, type WorldClock } from './process-clock.ts';

/** All that one revision changed. */
export interface Batch {
  readonly revision: Revision;
  readonly changes: readonly Change[];
}

/** A watch of some process. */
export interface Follower {
  offer(batch: Batch): void;
  /** Whether it has been offered what it has not handed over yet. */
  readonly lags: boolean;
  /** Changes were forgotten. */
  lose(): void;
}

const revisionOf = (change: Change): Revision =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;

const full = (): WatcherError => new WatcherError('WCH_STORE_FULL', 'database space exceeded');

export class Etcd {
  /** Nobody gets an answer. */
  isDown = false;
  /** No writes and no leases; reads, deletions and renewals pass. */
  isFull = false;
  #isFilling = false;
  /** Which life of the store this is. */
  epoch = 0;
  readonly followers = new Set<Follower>();
  readonly #clock: ProcessClock;
  readonly #onBatch: (batch: Batch) => void;
  #memory: MemoryStore;
  #hub = new AbortController();
  #batches: Batch[] = [];
  /** The first revision that watches can still ask for. */
  #kept: Revision = 0;
  #leases = new Map<LeaseId, Lease>();
  #leasesGranted = 0;

  constructor(world: WorldClock, onBatch: (batch: Batch) => void) {
    this.#clock = new ProcessClock(world);
    this.#onBatch = onBatch;
    this.#memory = new MemoryStore({ clock: this.#clock });
    this.#follow(this.#memory, 1);
  }

  get revision(): Revision {
    return this.#batches.at(-1)?.revision ?? 1;
  }

  snapshot(prefix: string): Promise<Snapshot> {
    return this.#memory.snapshot(prefix);
  }

  changes(prefix: string, since: Revision): Promise<ChangedSince> {
    return this.#memory.changes(prefix, since);
  }

  async commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit> {
    const puts = then.some(({ kind }) => kind === 'put');
    if (this.isFull && puts && !this.#isFilling) throw full();
    const outcome = await this.#memory.commit(when, then, otherwise);
    if (!this.isFull || !this.#isFilling || !puts) return outcome;
    // The one that crosses the quota is written, and answered as if it were not.
    this.#isFilling = false;
    throw full();
  }

  async grant(ttlMs: number): Promise<Lease> {
    if (this.isFull) throw full();
    const lease = await this.#memory.lease(ttlMs);
    this.#leasesGranted += 1;
    this.#leases.set(lease.id, lease);
    return lease;
  }

  /** What a watch that starts after a revision is told first; null when that is forgotten. */
  since(after: Revision): readonly Batch[] | null {
    if (after + 1 < this.#kept) return null;
    let from = this.#batches.length;
    while (from > 0 && (this.#batches[from - 1]?.revision ?? 0) > after) from -= 1;
    return this.#batches.slice(from);
  }

  goDown(): void {
    this.isDown = true;
    this.#clock.suspend();
  }

  async comeBack(): Promise<void> {
    this.isDown = false;
    this.#clock.resume(true);
    await this.restartLeases();
  }

  /** A new leader does not know how much of each TTL has passed. */
  async restartLeases(): Promise<void> {
    for (const [id, lease] of this.#leases)
      await lease.renew().catch(() => this.#leases.delete(id));
  }

  /** Etcd before 3.5.13 could end leases that were renewed; so can an operator. */
  async endEarly(id: LeaseId): Promise<void> {
    await this.#leases.get(id)?.revoke();
    this.#leases.delete(id);
  }

  fill(): void {
    this.isFull = true;
    this.#isFilling = true;
  }

  compact(): void {
    this.#kept = this.revision + 1;
    for (const follower of this.followers) if (follower.lags) follower.lose();
  }

  /** Etcd is restored as it was at a revision: whoever still calls it finds another epoch. */
  async restore(revision: Revision): Promise<void> {
    this.#hub.abort();
    this.epoch += 1;
    this.#batches = this.#batches.filter((batch) => batch.revision <= revision);
    const memory = new MemoryStore({ clock: this.#clock });
    const leases = new Map<LeaseId, Lease>();
    const live = await this.#liveAt();
    for (let n = 0; n < this.#leasesGranted; n += 1) {
      const lease = await memory.lease(LEASE_TTL_MS);
      if (live.has(lease.id)) leases.set(lease.id, lease);
      else await lease.revoke();
    }
    for (const { changes } of this.#batches) {
      await memory.commit(
        [],
        changes.map((change): Operation => {
          if (change.kind === 'delete') return { kind: 'delete', key: change.key };
          const { key, value, lease } = change.entry;
          const isLive = lease !== null && leases.has(lease);
          return { kind: 'put', key, value, ...(isLive ? { lease } : {}) };
        }),
      );
    }
    await this.#memory[Symbol.asyncDispose]();
    this.#memory = memory;
    this.#leases = leases;
    this.#hub = new AbortController();
    this.#kept = this.revision + 1;
    this.#follow(memory, this.revision);
  }

  /** Leases that have keys in what is kept of the past. */
  async #liveAt(): Promise<Set<LeaseId>> {
    const leaseOf = new Map<string, LeaseId | null>();
    for (const { changes } of this.#batches)
      for (const change of changes) {
        if (change.kind === 'put') leaseOf.set(change.entry.key, change.entry.lease);
        else leaseOf.delete(change.key);
      }
    return new Set([...leaseOf.values()].filter((lease) => lease !== null));
  }

  #follow(memory: MemoryStore, after: Revision): void {
    const { signal } = this.#hub;
    void (async () => {
      for await (const event of memory.watch('', after, signal)) {
        if (event.kind === 'gap') throw new Error('the simulation reads too slowly');
        for (const batch of batchesOf(event.changes)) {
          this.#batches.push(batch);
          this.#onBatch(batch);
          for (const follower of this.followers) follower.offer(batch);
        }
      }
    })();
  }
}

/** Of leases that come back with an older copy. */
const LEASE_TTL_MS = 6000;

const batchesOf = (changes: readonly Change[]): Batch[] => {
  const batches: { revision: Revision; changes: Change[] }[] = [];
  for (const change of changes) {
    const revision = revisionOf(change);
    const last = batches.at(-1);
    if (last?.revision === revision) last.changes.push(change);
    else batches.push({ revision, changes: [change] });
  }
  return batches;
};
