/**
 * The protocol of the pool, written once, above the store port: register, claim, release. The heartbeat
 * is in beating.ts, the split in splitting.ts, what an admin writes in publishing.ts. Each step is one
 * compare-and-set transaction; the race that it wins stands beside it.
 *
 * The token of a claim is the modRevision of `own/<jobset>`. Only claims and releases write that key,
 * so a token holds for exactly one term and grows from term to term, and each write that a worker makes
 * about a jobset is conditional on it: a worker that was paused can change nothing, whatever it believes.
 */

import type { CheckDefinition, JobsetId, WorkerId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { Checkpoint, Handover, Jobset, Ownership, WorkerRecord } from '../domain/jobset.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { isAway } from './backoff.ts';
import { decodeDefinitions } from './definitions.ts';
import type { Keys } from './keys.ts';
import type {
  Commit,
  Condition,
  Entry,
  KeyValueStore,
  Lease,
  Read,
  Revision,
  Write,
} from './kv.ts';
import {
  decodeJobset,
  decodeOwnership,
  encodeCheckpoint,
  encodeJobset,
  encodeOwnership,
  encodeWorker,
} from './records.ts';
import { Stops } from './stops.ts';
import { type Traces, tracesIn } from './suspects.ts';

/** A worker's place in the pool: its record, written at `revision` under its lease. */
export interface Registration {
  readonly worker: WorkerRecord;
  readonly lease: Lease;
  readonly revision: Revision;
}

/** A right to run a jobset. */
export interface Claim {
  readonly jobset: JobsetId;
  readonly token: Revision;
  /** Of `jobset/<id>` when its definitions were read. */
  readonly revision: Revision;
}

export interface ClaimedJobset {
  readonly claim: Claim;
  readonly definitions: readonly CheckDefinition[];
  /** Null when the jobset was held already and only its content is new. */
  readonly handover: Handover | null;
  /** Of whoever held it before; null with `handover`. */
  readonly traces: Traces | null;
}

/** A jobset as somebody sees it: a watch late at times, a transaction as it is. */
export interface Sight {
  /** Of `jobset/<id>`; 0 when there is none. */
  readonly revision: Revision;
  /** Of `own/<id>`; 0 when there is none. */
  readonly ownRevision: Revision;
  /** Null when nobody holds it. */
  readonly owner: WorkerId | null;
  /** The store's revision at which the owner was seen. */
  readonly at: Revision;
}

export interface Vacancy extends Sight {
  /** Its record when it stands in the waiting queue: it leaves the queue with the claim. */
  readonly waiter?: Jobset | null;
}

/** What stood in the way of a claim. */
export interface Refusal {
  readonly claimed: null;
  readonly sight: Sight;
  readonly own: Entry | undefined;
  readonly record: Entry | undefined;
}

export type ClaimOutcome = { readonly claimed: ClaimedJobset } | Refusal;

const revisionOf = (entries: readonly Entry[] | undefined): Revision =>
  entries?.[0]?.modRevision ?? 0;

export class Ledger {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly #stops: Stops;
  readonly random: Random;

  constructor(options: {
    readonly store: KeyValueStore;
    readonly keys: Keys;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    this.store = options.store;
    this.keys = options.keys;
    this.#stops = new Stops(options);
    this.random = options.random;
  }

  /**
   * Puts the worker's record under its lease. A worker's id is fresh with each process, so a record
   * that is there already is this one's own, written by an attempt whose answer was lost.
   */
  async register(worker: WorkerRecord, lease: Lease): Promise<Registration> {
    const key = this.keys.worker(worker.id);
    const put: Write = { kind: 'put', key, value: encodeWorker(worker), lease: lease.id };
    const { revision } = await this.store.commit([], [put]);
    return { worker, lease, revision };
  }

  /**
   * Takes a jobset that nobody holds, and reads its definitions in the same transaction. The races: two
   * claimants saw the same `own` revision, and only the first write finds it; the publisher changes or
   * deletes the jobset meanwhile, and the condition on its revision fails; this worker's lease ends
   * meanwhile, and its registration is gone: WCH_LEASE_LOST. A jobset that cannot be read is handed
   * back and throws WCH_RECORD.
   */
  async claim(jobset: JobsetId, seen: Vacancy, by: Registration): Promise<ClaimOutcome> {
    const own = this.keys.owner(jobset);
    const nonce = this.random.uuid();
    const value = encodeOwnership({ worker: by.worker.id, nonce, holdMs: 0 });
    const when = [
      { key: own, modRevision: seen.ownRevision },
      { key: this.keys.jobset(jobset), modRevision: seen.revision },
      this.#isRegistered(by),
    ];
    const writes: Write[] = [{ kind: 'put', key: own, value, lease: by.lease.id }];
    if (seen.waiter) writes.push(this.#placed(seen.waiter));
    const content = this.#content(jobset);
    const settled = await this.#settled(nonce, jobset, () =>
      this.store.commit(when, [...writes, ...content], content.slice(0, 2)),
    );
    if (settled.succeeded)
      return { claimed: await this.#claimed(jobset, settled.reads, seen.ownRevision !== 0) };
    const sight = sightOf(settled);
    const isAsSeen = sight.ownRevision === seen.ownRevision && sight.revision === seen.revision;
    const [held, record] = settled.reads.map(([entry]) => entry);
    if (!isAsSeen) return { claimed: null, sight, own: held, record };
    throw new WatcherError('WCH_LEASE_LOST', `${by.worker.id} is no longer registered`);
  }

  /** The jobset's content now; null when the claim has been lost or the jobset deleted. */
  async reload(claim: Claim): Promise<ClaimedJobset | null> {
    const { jobset, token } = claim;
    const { succeeded, reads } = await this.store.commit(
      [this.#holds(claim)],
      this.#content(jobset),
    );
    const revision = revisionOf(reads[1]);
    if (!succeeded || revision === 0) return null;
    const definitions = decodeDefinitions(reads[2] ?? []);
    const claimed = { jobset, token, revision };
    return { claim: claimed, definitions, handover: null, traces: null };
  }

  /**
   * Hands a jobset back, with what its next owner must know; null leaves what is known as it stands. The
   * race: the claim was lost meanwhile and another holds it; then its key has another revision, and
   * nothing is written.
   */
  async release(claim: Claim, handover: Handover | null): Promise<void> {
    const { jobset } = claim;
    const nonce = this.random.uuid();
    const own = this.keys.owner(jobset);
    const vacant = encodeOwnership({ worker: null, nonce, holdMs: 0 });
    const writes: Write[] = [{ kind: 'put', key: own, value: vacant }];
    if (handover !== null) writes.push(this.#handedOver(jobset, handover));
    await this.#settled(nonce, jobset, () =>
      this.store.commit([this.#holds(claim)], writes, [{ kind: 'get', key: own }]),
    );
  }

  /** Tells the others what this worker takes; null when the registration is gone. */
  async present(by: Registration, state: WorkerRecord['state']): Promise<Registration | null> {
    const worker: WorkerRecord = { ...by.worker, state };
    const key = this.keys.worker(worker.id);
    const put: Write = { kind: 'put', key, value: encodeWorker(worker), lease: by.lease.id };
    const { succeeded, revision } = await this.store.commit([this.#isRegistered(by)], [put]);
    return succeeded ? { worker, lease: by.lease, revision } : null;
  }

  /**
   * The outcome of a commit that puts `own/<jobset>` with a nonce. When the answer was lost, or says
   * no because the store's client sent it twice, the key itself tells: our nonce there means that it
   * was written, and what was read with it is read again. Without it, the error stands.
   */
  async #settled(nonce: string, jobset: JobsetId, send: () => Promise<Commit>): Promise<Commit> {
    const sent = await send().catch((error: unknown) => {
      if (isAway(error)) return error as WatcherError;
      throw error;
    });
    const isAnswer = !(sent instanceof WatcherError);
    if (isAnswer && (sent.succeeded || !hasNonce(sent.reads[0], nonce))) return sent;
    const back = await this.store.commit([], this.#content(jobset));
    if (hasNonce(back.reads[0], nonce)) return { ...back, succeeded: true };
    if (isAnswer) return sent;
    throw sent;
  }

  async #claimed(
    jobset: JobsetId,
    reads: Commit['reads'],
    hadOwner: boolean,
  ): Promise<ClaimedJobset> {
    const claim = { jobset, token: revisionOf(reads[0]), revision: revisionOf(reads[1]) };
    try {
      for (const record of reads[1] ?? []) decodeJobset(jobset, record);
      const definitions = decodeDefinitions(reads[2] ?? []);
      const [checkpoint, suspects] = [reads[3]?.[0], reads[4]?.[0]];
      const handover = await this.#stops.of(jobset, checkpoint);
      return { claim, definitions, handover, traces: tracesIn(hadOwner, checkpoint, suspects) };
    } catch (error) {
      await this.release(claim, null);
      throw error;
    }
  }

  /** It waits no more, and an order that nobody obeyed is over. */
  #placed(waiter: Jobset): Write {
    const value = encodeJobset({ ...waiter, waiting: null, moveTo: null });
    return { kind: 'put', key: this.keys.jobset(waiter.id), value };
  }

  #handedOver(jobset: JobsetId, { progress, states }: Handover): Write {
    const checkpoint: Checkpoint = { worker: null, progress, states };
    const value = encodeCheckpoint(checkpoint);
    return { kind: 'put', key: this.keys.checkpoint(jobset), value };
  }

  /** Owner, record, definitions, checkpoint and suspects, in this order. */
  #content(jobset: JobsetId): Read[] {
    return [
      { kind: 'get', key: this.keys.owner(jobset) },
      { kind: 'get', key: this.keys.jobset(jobset) },
      { kind: 'list', prefix: this.keys.definitions(jobset) },
      { kind: 'get', key: this.keys.checkpoint(jobset) },
      { kind: 'get', key: this.keys.suspects(jobset) },
    ];
  }

  #holds(claim: Claim): Condition {
    return { key: this.keys.owner(claim.jobset), modRevision: claim.token };
  }

  #isRegistered(by: Registration): Condition {
    return { key: this.keys.worker(by.worker.id), modRevision: by.revision };
  }
}

const hasNonce = (entries: readonly Entry[] | undefined, nonce: string): boolean => {
  const entry = entries?.[0];
  return entry !== undefined && decodeOwnership(entry).nonce === nonce;
};

/** Of a transaction that read the owner and then the jobset. */
const sightOf = ({ reads, revision }: Commit): Sight => {
  const own = reads[0]?.[0];
  return {
    revision: revisionOf(reads[1]),
    ownRevision: own?.modRevision ?? 0,
    owner: own ? ownerIn(own) : null,
    at: revision,
  };
};

/** Who holds the jobset, says its `own` key; a record that only a newer watcher can read is held. */
export const ownershipIn = (own: Entry): Pick<Ownership, 'worker' | 'holdMs'> => {
  try {
    return decodeOwnership(own);
  } catch {
    return { worker: 'unreadable' as WorkerId, holdMs: 0 };
  }
};

export const ownerIn = (own: Entry): WorkerId | null => ownershipIn(own).worker;
