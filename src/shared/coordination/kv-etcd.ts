/**
 * The store in etcd: ledger → **store** → calls and watches → members. It keeps the port's promises over
 * a client library that does not: every guard stands in etcd/, beside the fault that it is for.
 */

import type { IRangeResponse } from 'etcd3';
import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { isLeaseLost } from './backoff.ts';
import { Calls, closedError, type Outage } from './etcd/calls.ts';
import { Epoch } from './etcd/epoch.ts';
import { askHealth, type EtcdHealth } from './etcd/health.ts';
import { EtcdLease } from './etcd/lease.ts';
import { type Listing, listAll } from './etcd/listing.ts';
import { type EtcdConnection, Members } from './etcd/members.ts';
import { DEFAULT_QUOTA_BYTES } from './etcd/warnings.ts';
import { Watch, type WatchTiming } from './etcd/watch.ts';
import { readsOf, transactionOf } from './etcd/wire.ts';
import type {
  ChangedSince,
  Commit,
  Condition,
  KeyValueStore,
  Lease,
  Operation,
  Read,
  Revision,
  Snapshot,
  WatchEvent,
} from './kv.ts';
import { checkRequest } from './kv-limits.ts';

export interface EtcdTiming extends WatchTiming {
  /** For a commit or a renewal, all tries together: a third of a lease at most. */
  readonly callMs: number;
  /** For one page of a listing. */
  readonly readMs: number;
}

/** A hanging member is given up after a second by calls, and after five by watches. */
const ETCD_TIMING: EtcdTiming = {
  callMs: 1000,
  readMs: 3000,
  confirmMs: 3000,
  quietMs: 3000,
  answerMs: 2000,
};

export interface EtcdStoreOptions extends EtcdConnection {
  readonly clock: Clock;
  readonly random: Random;
  /** A key that the user may read; asked for to see whether etcd is there. It need not exist. */
  readonly readableKey?: string;
  /** What etcd runs with, for its health. */
  readonly quotaBytes?: number;
  readonly timing?: Partial<EtcdTiming>;
}

export interface EtcdStore extends KeyValueStore {
  /** What its members say about themselves; one that is away is said to be. */
  health(): Promise<EtcdHealth>;
  /** Null while etcd answers: since when it does not, and why. */
  readonly outage: Outage | null;
}

/**
 * Resolves once etcd has answered. Throws WCH_SETTINGS for a file that cannot be read or used, and
 * WCH_STORE_UNAVAILABLE when no member answers: `retryable` unless it is for the user to mend.
 */
export const openEtcdStore = async (options: EtcdStoreOptions): Promise<EtcdStore> => {
  if (options.endpoints.length === 0)
    throw new WatcherError('WCH_SETTINGS', 'no endpoint of etcd is given');
  const store = new Store(options);
  try {
    await store.connect();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
};

/** Etcd does not say which key it refuses. */
const whatOf = (operations: readonly Operation[]): string => {
  const [first] = operations;
  if (first === undefined) return 'a commit';
  const key = first.kind === 'list' ? first.prefix : first.key;
  return operations.length === 1
    ? `a commit about ${key}`
    : `a commit about ${key} and ${operations.length - 1} more`;
};

class Store implements EtcdStore {
  readonly #options: EtcdStoreOptions;
  readonly #timing: EtcdTiming;
  readonly #closed = new AbortController();
  readonly #epoch = new Epoch();
  /**
   * Two sets of clients: a call that fails makes the library close the connections of its client, and
   * streams on them would linger, half dead, until the next ping.
   */
  readonly #callMembers: Members;
  readonly #watchMembers: Members;
  readonly #calls: Calls;

  constructor(options: EtcdStoreOptions) {
    this.#options = options;
    this.#timing = { ...ETCD_TIMING, ...options.timing };
    const { clock, random, endpoints } = options;
    const membersFor = (purpose: string): Members =>
      new Members(options, {
        purpose,
        first: Math.floor(random.next() * endpoints.length),
        callMs: this.#timing.callMs,
        now: clock.now,
      });
    this.#callMembers = membersFor('calls');
    this.#watchMembers = membersFor('watch');
    this.#calls = new Calls({
      members: this.#callMembers,
      clock,
      epoch: this.#epoch,
      closed: this.#closed.signal,
    });
  }

  get outage(): Outage | null {
    return this.#calls.outage;
  }

  /** Asks each member at most once. */
  async connect(): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#verify();
      } catch (error) {
        const isFinal = !(error instanceof WatcherError && error.retryable);
        if (isFinal || tries >= this.#callMembers.size) throw error;
      }
    }
  }

  async snapshot(prefix: string): Promise<Snapshot> {
    const { entries, revision } = await this.#list(prefix, 0);
    return { entries, revision };
  }

  async changes(prefix: string, since: Revision): Promise<ChangedSince> {
    const { entries, total, revision } = await this.#list(prefix, since + 1);
    return { changed: entries, total, revision };
  }

  async commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise: readonly Read[] = [],
  ): Promise<Commit> {
    this.#requireOpen();
    checkRequest(when, then, otherwise);
    const repeatable = then.every(({ kind }) => kind === 'get' || kind === 'list');
    const plan = { what: whatOf(then), withinMs: this.#timing.callMs, repeatable };
    const request = transactionOf(when, then, otherwise);
    const mark = this.#epoch.mark();
    const answer = await this.#calls
      .ask(plan, ({ kv }, options) => kv.txn(request, options))
      .catch((error: unknown) => this.#confirmed(error));
    this.#epoch.observe(mark, answer.header);
    const { succeeded, header } = answer;
    return { succeeded, revision: Number(header.revision), reads: readsOf(answer) };
  }

  /** The epoch that counts is the one of this moment, in which `after` was learnt. */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { clock, random } = this.#options;
    const options = {
      members: this.#watchMembers,
      epoch: this.#epoch,
      clock,
      random,
      timing: this.#timing,
      verify: () => this.#verify(),
    };
    const ended = AbortSignal.any([signal, this.#closed.signal]);
    return new Watch(options, prefix, after, ended).run();
  }

  async lease(ttlMs: number): Promise<Lease> {
    this.#requireOpen();
    const { callMs } = this.#timing;
    // A grant whose answer was lost is asked for again: the first one ends by itself, with no key on it.
    const plan = { what: 'asking for a lease', withinMs: callMs, repeatable: true };
    const epochEnded = this.#epoch.ended;
    const granted = await this.#calls.ask(plan, ({ leaseClient }, options) =>
      leaseClient.leaseGrant({ TTL: Math.ceil(ttlMs / 1000) }, options),
    );
    return new EtcdLease({
      id: granted.ID,
      ttlMs: Number(granted.TTL) * 1000,
      calls: this.#calls,
      clock: this.#options.clock,
      callMs,
      epochEnded,
    });
  }

  health(): Promise<EtcdHealth> {
    const { clock, quotaBytes = DEFAULT_QUOTA_BYTES } = this.#options;
    return askHealth({
      connection: this.#options,
      clock,
      callMs: this.#timing.callMs,
      quotaBytes,
      epoch: this.#epoch,
      closed: this.#closed.signal,
      readFirst: () => this.#count(1),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#callMembers[Symbol.dispose]();
    this.#watchMembers[Symbol.dispose]();
  }

  /** That there is no such lease may be the word of another cluster, and such answers do not show it. */
  async #confirmed(error: unknown): Promise<never> {
    if (isLeaseLost(error)) await this.#verify();
    throw error;
  }

  #list(prefix: string, minModRevision: Revision): Promise<Listing> {
    this.#requireOpen();
    const plan = { what: `listing ${prefix}`, withinMs: this.#timing.readMs, repeatable: true };
    return listAll(prefix, minModRevision, async (request) => {
      const mark = this.#epoch.mark();
      const page = await this.#calls.ask(plan, ({ kv }, options) => kv.range(request, options));
      this.#epoch.observe(mark, page.header);
      return page;
    });
  }

  /** The cheapest question that a majority of the members must answer. */
  async #verify(): Promise<void> {
    const mark = this.#epoch.mark();
    const { header } = await this.#count(0);
    this.#epoch.observe(mark, header);
  }

  /** At a revision; 0 is the present one. */
  #count(revision: Revision): Promise<IRangeResponse> {
    const plan = { what: 'asking for etcd', withinMs: this.#timing.callMs, repeatable: true };
    const key = Buffer.from(this.#options.readableKey ?? '\0');
    const request = { key, revision, count_only: true };
    return this.#calls.ask(plan, ({ kv }, options) => kv.range(request, options));
  }

  #requireOpen(): void {
    if (this.#closed.signal.aborted) throw closedError();
  }
}
