/**
 * Answers about the pool: the copy of the ledger, joined at request time with what no process keeps a
 * copy of, heartbeats and the keys of checks: view + store → **reading** → http routes. While the
 * store is away it answers from the copy alone, and says so.
 */

import type { CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import type { Jobset, Waiting } from '../domain/jobset.ts';
import type {
  Freshness,
  JobsetView,
  LedgerPage,
  LedgerSource,
  PoolMembers,
  ScalingView,
  WaitingJob,
} from '../domain/pool-views.ts';
import { isQueued } from '../rules/scaling.ts';
import type { Clock } from '../runtime/clock.ts';
import { TimeSlice } from '../runtime/time-slice.ts';
import { isUnavailable } from './backoff.ts';
import { decodeDefinitions } from './definitions.ts';
import type { Keys } from './keys.ts';
import type { Entry, KeyValueStore, Read, Revision } from './kv.ts';
import { ownerIn } from './ledger.ts';
import { jobsetView, readable, workerView } from './ledger-rows.ts';
import type { LedgerView } from './ledger-view.ts';
import { decodeJobset, decodeLeader, decodeScaling } from './records.ts';

export interface LedgerReadingOptions {
  readonly view: LedgerView;
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly idOf: (check: string) => CheckId;
  /** Keys that this process knows by itself: all that there are while the store is away. */
  readonly keyOf: (id: CheckId) => string | null;
}

/** Of one transaction: a jobset's chunks may be as large as a request. */
const READS_AT_ONCE = 16;
/** Of the waiting queue: what is beyond is told by its number. */
const JOBSETS_SHOWN = 50;
/** That long after a read has failed no other is tried: each would take its whole deadline. */
const RETRY_MS = 1_000;

/** What the copy has of a jobset. */
interface Sight {
  readonly id: JobsetId;
  readonly record: Entry;
  readonly own: Entry | null;
  readonly owner: WorkerId | null;
}

/** What stands in the waiting queue. */
type Queued = Jobset & { readonly waiting: Waiting };

/** What a page needs besides. */
interface Extras {
  readonly keys: ReadonlyMap<CheckId, string>;
  readonly beats: ReadonlyMap<WorkerId, Entry>;
}

interface SeenBeat {
  readonly revision: Revision;
  /** When it was seen first, monotonic. */
  readonly at: number;
}

export class LedgerReading implements LedgerSource {
  readonly #options: LedgerReadingOptions;
  /** Monotonic; of the last read, if that failed. */
  #failedAt: number | null = null;
  #seenBeats: ReadonlyMap<WorkerId, SeenBeat> = new Map();

  constructor(options: LedgerReadingOptions) {
    this.#options = options;
  }

  async page({ after, limit }: { after: string | null; limit: number }): Promise<LedgerPage> {
    const ids = this.#options.view.jobsetsAfter(after, limit + 1);
    const shown = ids.slice(0, limit);
    const next = ids.length > limit ? (shown.at(-1) ?? null) : null;
    return { ...(await this.#pageOf(shown)), next };
  }

  async find(check: string): Promise<LedgerPage | null> {
    const { view, idOf } = this.#options;
    const id = idOf(check);
    const jobset = (await view.jobsetsOf([id])).get(id);
    return jobset === undefined ? null : this.#pageOf([jobset]);
  }

  async jobset(id: string): Promise<JobsetView | null> {
    const { jobsets } = await this.#pageOf([id as JobsetId]);
    return jobsets[0] ?? null;
  }

  async members(): Promise<PoolMembers> {
    const { store, keys, view } = this.#options;
    const snapshot = await this.#ask(() => store.snapshot(keys.beats));
    const beats = new Map(snapshot?.entries.map((entry) => [entry.key, entry]));
    const seen = new Map<WorkerId, SeenBeat>();
    const workers = view.workers.map((record) => {
      const id = keys.workerOf(record.key);
      const beat = beats.get(keys.beat(id)) ?? null;
      const known = this.#seenBeats.get(id);
      const isKnown = known !== undefined && (beat === null || beat.modRevision === known.revision);
      const sight = isKnown ? known : beat && { revision: beat.modRevision, at: this.#now };
      if (sight) seen.set(id, sight);
      return workerView(id, {
        record,
        beat,
        unchangedForMs: isKnown ? Math.round(this.#now - known.at) : null,
      });
    });
    this.#seenBeats = seen;
    const { leader: entry } = view;
    const leader = entry && (readable(() => decodeLeader(entry))?.id ?? null);
    return { ...this.#freshness(), leader, workers };
  }

  async scaling(): Promise<ScalingView> {
    const { view, keys, clock, keyOf } = this.#options;
    const { scaling: entry } = view;
    const queue = await this.#queue();
    const shown = queue.slice(0, JOBSETS_SHOWN).map(({ id }) => keys.definitions(id));
    const chunks = await this.#ask(() =>
      this.#read(shown.map((prefix): Read => ({ kind: 'list', prefix }))),
    );
    const names = await this.#keysIn(chunks ?? []);
    const now = clock.now();
    const jobs = queue.slice(0, JOBSETS_SHOWN).flatMap(({ id, jobs: ids, waiting }) =>
      ids.map((job): WaitingJob => {
        const { reason, since, by } = waiting;
        const check = names.get(job) ?? keyOf(job);
        return { id: job, check, jobset: id, reason, since, by, ageMs: Math.max(0, now - since) };
      }),
    );
    const count = (isCounted: (one: Queued) => boolean): number =>
      queue.filter(isCounted).reduce((sum, one) => sum + one.jobs.length, 0);
    return {
      ...this.#freshness(),
      level: entry && readable(() => decodeScaling(entry)),
      waitingJobs: count(({ waiting }) => isQueued(waiting)),
      quarantinedJobs: count(({ waiting }) => !isQueued(waiting)),
      jobs,
    };
  }

  /** In the order in which they wait; those in quarantine, which wait for a person, last. */
  async #queue(): Promise<readonly Queued[]> {
    const { view, keys } = this.#options;
    const found = (await view.waiting()).flatMap((entry): Queued[] => {
      const jobset = readable(() => decodeJobset(keys.jobsetOf(entry.key), entry));
      return jobset === null || jobset.waiting === null ? [] : [jobset as Queued];
    });
    const rankOf = ({ waiting }: Queued): number => (isQueued(waiting) ? 0 : 1);
    return found.sort((a, b) => rankOf(a) - rankOf(b) || a.waiting.since - b.waiting.since);
  }

  /** Of those that there are, as the copy is now: it may move on while the store is asked. */
  async #pageOf(ids: readonly JobsetId[]): Promise<LedgerPage> {
    const { view, keyOf } = this.#options;
    const sights = ids.flatMap((id): Sight[] => {
      const record = view.jobset(id);
      const own = view.owner(id);
      return record === null ? [] : [{ id, record, own, owner: own && ownerIn(own) }];
    });
    const { keys, beats } = await this.#extras(sights);
    const jobsets = sights.map(({ id, record, own, owner }) => {
      const beat = (owner && beats.get(owner)) ?? null;
      return jobsetView(id, { record, own, beat, keyOf: (job) => keys.get(job) ?? keyOf(job) });
    });
    const unreadable = jobsets.filter((jobset) => jobset.unreadable !== null).length;
    return { ...this.#freshness(), jobsets, unreadable, next: null };
  }

  async #extras(sights: readonly Sight[]): Promise<Extras> {
    const { keys } = this.#options;
    const owners = [...new Set(sights.flatMap(({ owner }) => owner ?? []))];
    const beatOf = owners.map((id): Read => ({ kind: 'get', key: keys.beat(id) }));
    const chunksOf = sights.map(({ id }): Read => ({ kind: 'list', prefix: keys.definitions(id) }));
    const answers = (await this.#ask(() => this.#read([...beatOf, ...chunksOf]))) ?? [];
    const beats = new Map<WorkerId, Entry>();
    owners.forEach((id, i) => {
      const beat = answers[i]?.[0];
      if (beat) beats.set(id, beat);
    });
    return { keys: await this.#keysIn(answers.slice(owners.length)), beats };
  }

  /** Of the checks whose definitions these are. */
  async #keysIn(answers: readonly (readonly Entry[])[]): Promise<ReadonlyMap<CheckId, string>> {
    const keyOf = new Map<CheckId, string>();
    const slice = new TimeSlice(this.#options.clock);
    for (const chunks of answers) {
      if (slice.isSpent) await slice.rest();
      for (const { id, key } of readable(() => decodeDefinitions(chunks)) ?? []) keyOf.set(id, key);
    }
    return keyOf;
  }

  async #read(reads: readonly Read[]): Promise<(readonly Entry[])[]> {
    const answers: (readonly Entry[])[] = [];
    for (let at = 0; at < reads.length; at += READS_AT_ONCE) {
      const commit = await this.#options.store.commit([], reads.slice(at, at + READS_AT_ONCE));
      answers.push(...commit.reads);
    }
    return answers;
  }

  /** Null when the store cannot be asked. */
  async #ask<T>(read: () => Promise<T>): Promise<T | null> {
    if (this.#failedAt !== null && this.#now - this.#failedAt < RETRY_MS) return null;
    try {
      const answer = await read();
      this.#failedAt = null;
      return answer;
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#failedAt = this.#now;
      return null;
    }
  }

  #freshness(): Freshness {
    const since = this.#options.view.staleSince ?? this.#failedAt;
    if (since === null) return { stale: false, staleForMs: 0 };
    return { stale: true, staleForMs: Math.round(this.#now - since) };
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
