/**
 * The store in etcd: ledger → **store** → calls and watches → members. It keeps the port's promises over
 * a client library that does not: every guard stands in etcd/, beside the fault that it is for.
 */

import type { IRangeResponse } from 'etcd3';
import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { Calls, closedError } from './etcd/calls.ts';
import { Epoch } from './etcd/epoch.ts';
import { isAnswerTooLong } from './etcd/errors.ts';
import { EtcdLease } from './etcd/lease.ts';
import { type EtcdConnection, Members } from './etcd/members.ts';
import { Watch, type WatchTiming } from './etcd/watch.ts';
import { entryOf, keyAfter, rangeOf, readsOf, transactionOf } from './etcd/wire.ts';
import type {
  ChangedSince,
  Commit,
  Condition,
  Entry,
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
  readonly timing?: Partial<EtcdTiming>;
}

/** Keys in one answer. A page that is longer than what we accept is asked for again, in smaller ones. */
const PAGE_KEYS = 1000;
/** Of a listing that is overtaken by compaction. */
const LISTING_TRIES = 3;

interface Listing {
  readonly entries: readonly Entry[];
  readonly total: number;
  readonly revision: Revision;
}

/**
 * Resolves once etcd has answered. Throws WCH_SETTINGS for a file that cannot be read, and
 * WCH_STORE_UNAVAILABLE when no member answers: `retryable` unless it is for the user to mend.
 */
export const openEtcdStore = async (options: EtcdStoreOptions): Promise<KeyValueStore> => {
  if (options.endpoints.length === 0)
    throw new WatcherError('WCH_SETTINGS', 'no endpoint of etcd is given');
  const store = new EtcdStore(options);
  try {
    await store.connect();
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
};

class EtcdStore implements KeyValueStore {
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
    this.#calls = new Calls(this.#callMembers, clock, this.#closed.signal);
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
    const plan = { what: 'a commit', withinMs: this.#timing.callMs, repeatable };
    const request = transactionOf(when, then, otherwise);
    const mark = this.#epoch.mark();
    const answer = await this.#calls.ask(plan, ({ kv }, options) => kv.txn(request, options));
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    this.#callMembers[Symbol.dispose]();
    this.#watchMembers[Symbol.dispose]();
  }

  /** All pages at the revision of the first; from the start when compaction overtakes them. */
  async #list(prefix: string, minModRevision: Revision): Promise<Listing> {
    this.#requireOpen();
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#pages(prefix, minModRevision);
      } catch (error) {
        const isCompacted = error instanceof WatcherError && error.code === 'WCH_STORE_COMPACTED';
        if (!isCompacted) throw error;
        if (tries >= LISTING_TRIES)
          throw new WatcherError('WCH_STORE_UNAVAILABLE', error.message, {
            cause: error,
            retryable: true,
          });
      }
    }
  }

  async #pages(prefix: string, minModRevision: Revision): Promise<Listing> {
    const entries: Entry[] = [];
    const { key: start, range_end } = rangeOf(prefix);
    let [key, revision, total]: [Buffer, Revision, number] = [start, 0, 0];
    for (let limit = PAGE_KEYS; ; ) {
      const request = { key, range_end, revision, limit, min_mod_revision: minModRevision };
      const page = await this.#page(request).catch((error: unknown) => {
        if (limit === 1 || !isAnswerTooLong(error)) throw error;
        return null;
      });
      if (page === null) {
        limit = Math.ceil(limit / 8);
        continue;
      }
      if (revision === 0) {
        revision = Number(page.header.revision);
        total = Number(page.count);
      }
      for (const kv of page.kvs) entries.push(entryOf(kv));
      const last = entries.at(-1);
      if (!page.more || last === undefined) return { entries, total, revision };
      key = keyAfter(last.key);
    }
  }

  async #page(request: {
    key: Buffer;
    range_end: Buffer;
    revision: Revision;
    limit: number;
    min_mod_revision: Revision;
  }): Promise<IRangeResponse> {
    const plan = { what: 'a listing', withinMs: this.#timing.readMs, repeatable: true };
    const mark = this.#epoch.mark();
    const page = await this.#calls.ask(plan, ({ kv }, options) => kv.range(request, options));
    this.#epoch.observe(mark, page.header);
    return page;
  }

  /** The cheapest question that a majority of the members must answer. */
  async #verify(): Promise<void> {
    const plan = { what: 'asking for etcd', withinMs: this.#timing.callMs, repeatable: true };
    const key = Buffer.from(this.#options.readableKey ?? '\0');
    const request = { key, count_only: true };
    const mark = this.#epoch.mark();
    const { header } = await this.#calls.ask(plan, ({ kv }, options) => kv.range(request, options));
    this.#epoch.observe(mark, header);
  }

  #requireOpen(): void {
    if (this.#closed.signal.aborted) throw closedError();
  }
}
