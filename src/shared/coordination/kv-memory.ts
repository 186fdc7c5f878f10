/**
 * The store in memory, on the Clock: what one process runs on without etcd, and what every test of
 * the protocol runs on. It has etcd's semantics and etcd's limits, so nothing above it can tell.
 */

import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { HISTORY_LIMITS, History, type HistoryLimits } from './history.ts';
import type {
  Change,
  ChangedSince,
  Commit,
  Condition,
  Entry,
  KeyValueStore,
  Lease,
  LeaseId,
  Operation,
  Read,
  Revision,
  Snapshot,
  WatchEvent,
  Write,
} from './kv.ts';
import { checkRequest } from './kv-limits.ts';
import { MemoryLease } from './memory-lease.ts';
import { MemoryQuota } from './memory-quota.ts';
import { SortedMap } from './sorted-map.ts';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly history?: HistoryLimits;
  /** Past it the store is full. Default: without bound. */
  readonly quotaBytes?: number;
}

/** One event carries at most about this many changes, so that a late watcher sees no giant one. */
const EVENT_CHANGES = 1000;

const isWrite = (operation: Operation): operation is Write =>
  operation.kind === 'put' || operation.kind === 'delete';

export class MemoryStore implements KeyValueStore {
  readonly #clock: Clock;
  readonly #entries = new SortedMap<Entry>();
  readonly #leases = new Map<LeaseId, MemoryLease>();
  readonly #history: History;
  readonly #quota: MemoryQuota;
  /** Watches that have read all there is and wait for more. */
  readonly #waiting = new Set<() => void>();
  /** As in etcd, an empty store is at revision 1. */
  #revision: Revision = 1;
  #leaseCount = 0;
  #closed = false;

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#history = new History(this.#revision + 1, options.history ?? HISTORY_LIMITS);
    this.#quota = new MemoryQuota(options.quotaBytes ?? Number.POSITIVE_INFINITY);
  }

  /** What an operator does when the store is full. */
  makeRoom(quotaBytes: number): void {
    this.#quota.extend(quotaBytes);
  }

  async snapshot(prefix: string): Promise<Snapshot> {
    this.#requireOpen();
    return { entries: this.#entries.withPrefix(prefix), revision: this.#revision };
  }

  async changes(prefix: string, since: Revision): Promise<ChangedSince> {
    const { entries, revision } = await this.snapshot(prefix);
    const changed = entries.filter((entry) => entry.modRevision > since);
    return { changed, total: entries.length, revision };
  }

  async commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise: readonly Read[] = [],
  ): Promise<Commit> {
    this.#requireOpen();
    checkRequest(when, then, otherwise);
    this.#quota.requireRoomFor(then);
    const succeeded = when.every(
      ({ key, modRevision }) => (this.#entries.get(key)?.modRevision ?? 0) === modRevision,
    );
    const reads = succeeded ? this.#apply(then) : otherwise.map((read) => this.#read(read));
    return { succeeded, revision: this.#revision, reads };
  }

  async *watch(prefix: string, after: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    let next = after + 1;
    while (!signal.aborted && !this.#closed) {
      if (next < this.#history.first) return yield { kind: 'gap' };
      const read = this.#history.read(next, prefix, EVENT_CHANGES);
      next = read.next;
      if (read.changes.length > 0)
        yield { kind: 'changes', changes: read.changes, revision: next - 1 };
      else await this.#nextCommit(signal);
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#requireOpen();
    this.#quota.requireRoomForLease();
    this.#leaseCount += 1;
    const lease = new MemoryLease(`lease-${this.#leaseCount}`, ttlMs, this.#clock, (ended) => {
      this.#leases.delete(ended.id);
      this.#record([...ended.keys].sort().flatMap((key) => this.#delete(key, this.#revision + 1)));
    });
    this.#leases.set(lease.id, lease);
    return lease;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const lease of this.#leases.values()) lease.dispose();
    this.#wakeAll();
  }

  #apply(operations: readonly Operation[]): (readonly Entry[])[] {
    for (const operation of operations) this.#requireLease(operation);
    const revision = this.#revision + 1;
    const changes: Change[] = [];
    const reads: (readonly Entry[])[] = [];
    for (const operation of operations) {
      if (!isWrite(operation)) reads.push(this.#read(operation));
      else if (operation.kind === 'put') changes.push(this.#put(operation, revision));
      else changes.push(...this.#delete(operation.key, revision));
    }
    this.#record(changes);
    return reads;
  }

  #read(read: Read): readonly Entry[] {
    if (read.kind === 'list') return this.#entries.withPrefix(read.prefix);
    const entry = this.#entries.get(read.key);
    return entry === undefined ? [] : [entry];
  }

  #put(write: Extract<Write, { kind: 'put' }>, modRevision: Revision): Change {
    this.#detach(write.key);
    const lease = write.lease ?? null;
    if (lease !== null) this.#leases.get(lease)?.keys.add(write.key);
    const entry: Entry = { key: write.key, value: write.value, modRevision, lease };
    this.#quota.count(this.#entries.get(write.key), entry);
    this.#entries.set(write.key, entry);
    return { kind: 'put', entry };
  }

  #delete(key: string, modRevision: Revision): Change[] {
    this.#detach(key);
    this.#quota.count(this.#entries.get(key), undefined);
    return this.#entries.delete(key) ? [{ kind: 'delete', key, modRevision }] : [];
  }

  #detach(key: string): void {
    const lease = this.#entries.get(key)?.lease;
    if (lease) this.#leases.get(lease)?.keys.delete(key);
  }

  #record(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#revision += 1;
    this.#history.append(changes);
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #nextCommit(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(wake);
        resolve();
      };
      signal.addEventListener('abort', wake);
      this.#waiting.add(wake);
    });
  }

  #requireLease(operation: Operation): void {
    if (operation.kind !== 'put' || operation.lease === undefined) return;
    if (this.#leases.has(operation.lease)) return;
    throw new WatcherError(
      'WCH_LEASE_LOST',
      `${operation.lease} has ended: ${operation.key} is not put`,
    );
  }

  #requireOpen(): void {
    if (this.#closed)
      throw new WatcherError('WCH_STORE_UNAVAILABLE', 'the store in memory is closed');
  }
}
