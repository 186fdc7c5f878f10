/**
 * The store port: keys, revisions, compare-and-set, leases, watch. It is low on purpose: the
 * claim protocol stands once, above it. Two adapters (memory, etcd), one contract suite, in which
 * each sentence below is a test.
 */

/** Grows by one with each commit, or end of a lease, that changes a key. */
export type Revision = number;
export type LeaseId = string;

export interface Entry {
  readonly key: string;
  /** Never changed in place, neither by the store nor by its callers. */
  readonly value: Buffer;
  /** Revision of the key's last write. */
  readonly modRevision: Revision;
  /** Null when the key outlives every lease. A put without a lease detaches the key from its old one. */
  readonly lease: LeaseId | null;
}

export interface Snapshot {
  /** In key order, all read at `revision`. */
  readonly entries: readonly Entry[];
  readonly revision: Revision;
}

/** Holds when the key's last write is exactly that revision (0: the key is absent). */
export interface Condition {
  readonly key: string;
  readonly modRevision: Revision;
}

export type Read =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'list'; readonly prefix: string };
export type Write =
  | { readonly kind: 'put'; readonly key: string; readonly value: Buffer; readonly lease?: LeaseId }
  /** Of an absent key: changes nothing. */
  | { readonly kind: 'delete'; readonly key: string };
export type Operation = Read | Write;

export interface Commit {
  readonly succeeded: boolean;
  /** The store's revision after the commit; the modRevision of everything that it put. */
  readonly revision: Revision;
  /** One list of entries for each read of the branch taken, in order; empty when nothing is there. */
  readonly reads: readonly (readonly Entry[])[];
}

export type Change =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision };

export const keyOf = (change: Change): string =>
  change.kind === 'put' ? change.entry.key : change.key;

/**
 * `changes`: one or more whole revisions, never a part of one; `revision` is the last of them.
 * `gap`: changes may have been lost (compaction, restart), and the watch has ended: take a snapshot
 * and watch from there.
 */
export type WatchEvent =
  | { readonly kind: 'changes'; readonly changes: readonly Change[]; readonly revision: Revision }
  | { readonly kind: 'gap' };

/** What has changed after a revision. A `total` that differs from one's own count tells of deletions. */
export interface ChangedSince {
  readonly changed: readonly Entry[];
  /** Number of keys under the prefix, changed or not. */
  readonly total: number;
  readonly revision: Revision;
}

export interface Lease {
  readonly id: LeaseId;
  /** As granted; the store may have raised what was asked. */
  readonly ttlMs: number;
  /**
   * `sentAt` is monotonic and taken before sending: authority lasts until sentAt + ttlMs - margin.
   * Throws WCH_LEASE_LOST when the lease is gone, WCH_STORE_UNAVAILABLE when nobody can tell.
   */
  renew(): Promise<{ readonly ttlMs: number; readonly sentAt: number }>;
  /** Deletes the lease's keys at once, in one revision, as its expiry does. Of a lost lease: nothing. */
  revoke(): Promise<void>;
}

/**
 * A store whose room is used up is *full* until its operator makes some: deletions alone do not end
 * it. A commit with a put, whether its conditions hold or not, and a grant then throw WCH_STORE_FULL and
 * change nothing; reads, watches, deletions, renewals, revokes and the end of leases go on. Of the
 * commits that were under way when it became full, one that throws this may have been written: read
 * back by a nonce.
 */
export interface KeyValueStore extends AsyncDisposable {
  snapshot(prefix: string): Promise<Snapshot>;
  changes(prefix: string, since: Revision): Promise<ChangedSince>;
  /**
   * All or nothing, operations in order: `then` when every condition holds, else `otherwise`. Keys
   * of writes must be distinct. Throws, having written nothing, WCH_STORE_LIMIT past LIMITS and
   * WCH_LEASE_LOST for a put under a lease that is gone; WCH_STORE_FULL, see above;
   * WCH_STORE_UNAVAILABLE (retryable) when the outcome is unknown: read back by a nonce. An adapter
   * that repeats a commit whose answer was lost may report `succeeded: false` although it was written:
   * read back by a nonce then too.
   */
  commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit>;
  /**
   * Changes with a revision after `after`, in order, until the signal aborts or the store is
   * disposed of. `after` itself may lie in the future.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchEvent>;
  /** Keys put under it live until it is revoked or `ttlMs` have passed without a renewal. */
  lease(ttlMs: number): Promise<Lease>;
}

/**
 * etcd's defaults, part of the contract: the memory store enforces them too. `operations` bounds the
 * conditions and each branch; a request's bytes are its keys, its values and OPERATION_BYTES each.
 */
export const LIMITS = { operations: 128, requestBytes: 1.5 * 1024 * 1024 } as const;
export const OPERATION_BYTES = 64;
