/**
 * Four watches → **the picture of the fleet** → judgement. It is a hint, as every watch is: what is
 * decided by it is written by conditions on the revisions that it has seen. Each change costs the same,
 * however many workers and jobsets there are.
 */

import { follow } from '../shared/coordination/feed.ts';
import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, Entry, KeyValueStore, Revision } from '../shared/coordination/kv.ts';
import { ownerIn } from '../shared/coordination/ledger.ts';
import { decodeBeat, decodeJobset, decodeWorker } from '../shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { Beat, Jobset, WorkerRecord } from '../shared/domain/jobset.ts';
import { STUCK_MS } from '../shared/rules/load.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Fleet, FleetJobset, FleetWorker } from './fleet.ts';

export interface FleetPictureOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly onChange: () => void;
  /** A worker is gone that has not said that it leaves. */
  readonly onLost: () => void;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
/** What its keys say; the record is missing while it is not registered. */
interface Known extends Omit<Writable<FleetWorker>, 'record' | 'holds'> {
  record: WorkerRecord | null;
  readonly holds: Set<JobsetId>;
}
type Registered = Known & { record: WorkerRecord };

interface Own {
  readonly owner: WorkerId | null;
  readonly ownRevision: Revision;
}

const UNOWNED: Own = { owner: null, ownRevision: 0 };

/** One kind of key: what is to be done with each of them. */
interface Fold {
  readonly prefix: string;
  readonly ids: () => Iterable<string>;
  readonly put: (id: string, entry: Entry) => void;
  readonly drop: (id: string) => void;
}

export class FleetPicture implements Fleet {
  readonly workers = new Map<WorkerId, Registered>();
  readonly jobsets = new Map<JobsetId, FleetJobset>();
  readonly waiting = new Map<JobsetId, Jobset>();
  readonly claimedWaiting = new Set<JobsetId>();
  readonly vacant = new Set<JobsetId>();
  readonly ordered = new Set<JobsetId>();
  jobs = 0;
  readonly #options: FleetPictureOptions;
  /** Also those that only hold something, or whose beat came before their record. */
  readonly #known = new Map<WorkerId, Known>();
  readonly #owners = new Map<JobsetId, Own>();
  /** Of those that wait, also while somebody holds them. */
  readonly #waitingRecords = new Map<JobsetId, Jobset>();
  readonly #missing: Set<Fold>;
  readonly #folds: readonly Fold[];

  constructor(options: FleetPictureOptions) {
    this.#options = options;
    this.#folds = this.#allFolds(options.keys);
    this.#missing = new Set(this.#folds);
  }

  /** Before each kind has been seen, what is held would look free. */
  get isComplete(): boolean {
    return this.#missing.size === 0;
  }

  /** Follows until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, random } = this.#options;
    const feeds = this.#folds.map((fold) =>
      follow(
        {
          ...{ store, clock, random, prefix: fold.prefix },
          onSnapshot: (entries) => this.#show(fold, entries),
          onChanges: (changes) => this.#change(fold, changes),
        },
        signal,
      ),
    );
    await Promise.all(feeds);
  }

  #allFolds(keys: Keys): readonly Fold[] {
    return [
      {
        prefix: keys.workers,
        ids: () => this.workers.keys(),
        put: (id, entry) => this.#register(id as WorkerId, entry),
        drop: (id) => this.#unregister(id as WorkerId),
      },
      {
        prefix: keys.beats,
        ids: () => this.#known.keys(),
        put: (id, entry) =>
          this.#beat(
            id as WorkerId,
            readable(() => decodeBeat(entry)),
          ),
        drop: (id) => this.#beat(id as WorkerId, null),
      },
      {
        prefix: keys.owners,
        ids: () => this.#owners.keys(),
        put: (id, entry) => {
          this.#own(id as JobsetId, { owner: ownerIn(entry), ownRevision: entry.modRevision });
        },
        drop: (id) => this.#own(id as JobsetId, null),
      },
      {
        prefix: keys.jobsets,
        ids: () => this.jobsets.keys(),
        put: (id, entry) => this.#publish(id as JobsetId, entry),
        drop: (id) => this.#withdraw(id as JobsetId),
      },
    ];
  }

  #show(fold: Fold, entries: readonly Entry[]): void {
    const absent = new Set(fold.ids());
    for (const entry of entries) {
      const id = entry.key.slice(fold.prefix.length);
      absent.delete(id);
      fold.put(id, entry);
    }
    for (const id of absent) fold.drop(id);
    this.#missing.delete(fold);
    this.#options.onChange();
  }

  #change(fold: Fold, changes: readonly Change[]): void {
    for (const change of changes) {
      const { key } = change.kind === 'put' ? change.entry : change;
      const id = key.slice(fold.prefix.length);
      if (change.kind === 'put') fold.put(id, change.entry);
      else fold.drop(id);
    }
    this.#options.onChange();
  }

  /** One that only a newer watcher can read is nobody to reckon with. */
  #register(id: WorkerId, entry: Entry): void {
    const record = readable(() => decodeWorker(id, entry));
    if (record === null) return this.#unregister(id);
    const known = this.#worker(id);
    if (known.record === null)
      known.since = this.isComplete ? this.#options.clock.monotonicMs() : Number.NEGATIVE_INFINITY;
    this.workers.set(id, Object.assign(known, { record, revision: entry.modRevision }));
  }

  #unregister(id: WorkerId): void {
    const known = this.workers.get(id);
    if (known === undefined) return;
    if (known.record.state !== 'draining') this.#options.onLost();
    this.workers.delete(id);
    this.#forgetIdle(id, Object.assign(known, { record: null }));
  }

  #beat(id: WorkerId, beat: Beat | null): void {
    const known = this.#worker(id);
    const isStuck = beat !== null && beat.load.overdueMs > STUCK_MS;
    if (!isStuck) known.stuckBeats = 0;
    else if (known.beat?.seq !== beat.seq) known.stuckBeats += 1;
    known.beat = beat;
    if (beat === null) this.#forgetIdle(id, known);
  }

  #publish(id: JobsetId, entry: Entry): void {
    const record = readable(() => decodeJobset(id, entry));
    if (record === null) return this.#withdraw(id);
    const { jobs, zone, avoid, waiting, moveTo } = record;
    const revision = entry.modRevision;
    const old = this.jobsets.get(id);
    const since = old?.revision === revision ? old.since : this.#options.clock.monotonicMs();
    if (waiting === null) this.#waitingRecords.delete(id);
    else this.#waitingRecords.set(id, record);
    const content = { id, jobs: jobs.length, zone, avoid, waiting, moveTo, revision, since };
    this.#replace(old, owned(content, this.#owners.get(id) ?? UNOWNED));
  }

  #withdraw(id: JobsetId): void {
    const old = this.jobsets.get(id);
    this.#waitingRecords.delete(id);
    if (old === undefined) return;
    this.#account(old, -1);
    this.jobsets.delete(id);
  }

  #own(id: JobsetId, own: Own | null): void {
    if (own === null) this.#owners.delete(id);
    else this.#owners.set(id, own);
    const old = this.jobsets.get(id);
    const next = own ?? UNOWNED;
    if (old === undefined || old.ownRevision === next.ownRevision) return;
    const since = this.#options.clock.monotonicMs();
    this.#replace(old, owned({ ...old, since }, next));
  }

  #replace(old: FleetJobset | undefined, next: FleetJobset): void {
    if (old !== undefined) this.#account(old, -1);
    this.jobsets.set(next.id, next);
    this.#account(next, 1);
  }

  /** Into all sums, or out of them. */
  #account(jobset: FleetJobset, sign: 1 | -1): void {
    const { id, jobs, owner, moveTo, isOrdered } = jobset;
    const count = sign * jobs;
    this.jobs += count;
    for (const index of [this.waiting, this.claimedWaiting, this.vacant, this.ordered])
      index.delete(id);
    if (sign > 0) this.#index(jobset);
    if (isOrdered && moveTo !== null) {
      const target = this.#worker(moveTo);
      target.coming += count;
      this.#forgetIdle(moveTo, target);
    }
    if (owner === null) return;
    const holder = this.#worker(owner);
    holder.jobs += count;
    if (isOrdered) holder.going += count;
    if (sign > 0) holder.holds.add(id);
    else holder.holds.delete(id);
    this.#forgetIdle(owner, holder);
  }

  #index({ id, owner, isOrdered }: FleetJobset): void {
    const record = this.#waitingRecords.get(id);
    if (isOrdered) this.ordered.add(id);
    if (record !== undefined && owner === null) this.waiting.set(id, record);
    else if (record !== undefined) this.claimedWaiting.add(id);
    else if (owner === null && !isOrdered) this.vacant.add(id);
  }

  #worker(id: WorkerId): Known {
    const known = this.#known.get(id) ?? {
      ...{ record: null, revision: 0, since: 0, beat: null, stuckBeats: 0 },
      ...{ holds: new Set<JobsetId>(), jobs: 0, coming: 0, going: 0 },
    };
    this.#known.set(id, known);
    return known;
  }

  #forgetIdle(id: WorkerId, { record, beat, holds, coming }: Known): void {
    if (record === null && beat === null && holds.size === 0 && coming === 0)
      this.#known.delete(id);
  }
}

type Content = Omit<FleetJobset, keyof Own | 'isOrdered'>;

/** An order that is older than the claim has been obeyed, or somebody else was quicker. */
const owned = (content: Content, { owner, ownRevision }: Own): FleetJobset => {
  const { moveTo, revision } = content;
  const isOpen = owner === null || (owner !== moveTo && revision > ownRevision);
  const isOrdered = moveTo !== null && isOpen;
  return { ...content, owner, ownRevision, isOrdered };
};

/** A damaged record says nothing, and one of a newer watcher nothing to this one. */
const readable = <T>(decode: () => T): T | null => {
  try {
    return decode();
  } catch {
    return null;
  }
};
