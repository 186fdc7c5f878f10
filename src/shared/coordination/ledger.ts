/**
 * The protocol of the pool, written once, above the store port: register, claim, beat, release;
 * what an admin writes is in publishing.ts. Each step is one compare-and-set transaction; the race that it wins stands beside it.
 *
 * The token of a claim is the modRevision of `own/<jobset>`. Only claims and releases write that key,
 * so a token holds for exactly one term and grows from term to term, and each write that a worker makes
 * about a jobset is conditional on it: a worker that was paused can change nothing, whatever it believes.
 */

import type { CheckDefinition, JobsetId, WorkerId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { Beat, WorkerRecord } from '../domain/jobset.ts';
import type { Random } from '../runtime/random.ts';
import { isUnavailable } from './backoff.ts';
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
import { decodeOwnership, encodeBeat, encodeOwnership, encodeWorker } from './records.ts';

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

/** `claimed: null` comes with what stood in the way. */
export type ClaimOutcome =
  | { readonly claimed: ClaimedJobset }
  | { readonly claimed: null; readonly sight: Sight };

export interface BeatOutcome {
  /** False: the registration is gone, and with it every claim. */
  readonly registered: boolean;
  /** Those of the given claims that are somebody else's or nobody's now. */
  readonly lost: readonly Claim[];
}

/** Leaves room for the registration's condition and for writes that ride along. */
const CLAIMS_PER_BEAT = 120;

const revisionOf = (entries: readonly Entry[] | undefined): Revision =>
  entries?.[0]?.modRevision ?? 0;

export class Ledger {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly #random: Random;

  constructor(options: {
    readonly store: KeyValueStore;
    readonly keys: Keys;
    readonly random: Random;
  }) {
    this.store = options.store;
    this.keys = options.keys;
    this.#random = options.random;
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
  async claim(jobset: JobsetId, seen: Sight, by: Registration): Promise<ClaimOutcome> {
    const own = this.keys.owner(jobset);
    const nonce = this.#random.uuid();
    const value = encodeOwnership({ worker: by.worker.id, nonce });
    const when = [
      { key: own, modRevision: seen.ownRevision },
      { key: this.keys.jobset(jobset), modRevision: seen.revision },
      this.#isRegistered(by),
    ];
    const put: Write = { kind: 'put', key: own, value, lease: by.lease.id };
    const content = this.#content(jobset);
    const settled = await this.#settled(nonce, jobset, () =>
      this.store.commit(when, [put, ...content], content.slice(0, 2)),
    );
    if (settled.succeeded) return { claimed: await this.#claimed(jobset, settled.reads) };
    const sight = sightOf(settled);
    const isAsSeen = sight.ownRevision === seen.ownRevision && sight.revision === seen.revision;
    if (!isAsSeen) return { claimed: null, sight };
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
    return { claim: { jobset, token, revision }, definitions: decodeDefinitions(reads[2] ?? []) };
  }

  /**
   * Says that the worker lives, if all that it believes to hold is still its own, and names what is
   * not. The lease must have been renewed just before: a store may answer a renewal of a lease that
   * has ended, and this transaction is what catches that lie.
   */
  async beat(by: Registration, beat: Beat, claims: readonly Claim[]): Promise<BeatOutcome> {
    const put: Write = {
      kind: 'put',
      key: this.keys.beat(by.worker.id),
      value: encodeBeat(beat),
      lease: by.lease.id,
    };
    const lost: Claim[] = [];
    for (let at = 0; at === 0 || at < claims.length; at += CLAIMS_PER_BEAT) {
      const part = claims.slice(at, at + CLAIMS_PER_BEAT);
      const outcome = await this.#beatFor(by, part, at === 0 ? [put] : []);
      if (!outcome.registered) return outcome;
      lost.push(...outcome.lost);
    }
    return { registered: true, lost };
  }

  /**
   * Hands a jobset back. The race: the claim was lost meanwhile and another holds it; then its key has
   * another revision, and nothing is written.
   */
  async release(claim: Claim): Promise<void> {
    const nonce = this.#random.uuid();
    const value = encodeOwnership({ worker: null, nonce });
    const put: Write = { kind: 'put', key: this.keys.owner(claim.jobset), value };
    await this.#settled(nonce, claim.jobset, () =>
      this.store.commit([this.#holds(claim)], [put], [{ kind: 'get', key: put.key }]),
    );
  }

  /** Tells the others not to offer this worker anything; null when the registration is gone. */
  async announceDraining(by: Registration): Promise<Registration | null> {
    const worker: WorkerRecord = { ...by.worker, state: 'draining' };
    const key = this.keys.worker(worker.id);
    const put: Write = { kind: 'put', key, value: encodeWorker(worker), lease: by.lease.id };
    const { succeeded, revision } = await this.store.commit([this.#isRegistered(by)], [put]);
    return succeeded ? { worker, lease: by.lease, revision } : null;
  }

  async #beatFor(
    by: Registration,
    claims: readonly Claim[],
    writes: Write[],
  ): Promise<BeatOutcome> {
    const gets = claims.map((claim): Read => ({ kind: 'get', key: this.keys.owner(claim.jobset) }));
    const registration: Read = { kind: 'get', key: this.keys.worker(by.worker.id) };
    const when = [this.#isRegistered(by), ...claims.map((claim) => this.#holds(claim))];
    const { succeeded, reads } = await this.store.commit(when, writes, [registration, ...gets]);
    if (succeeded) return { registered: true, lost: [] };
    const lost = claims.filter((claim, i) => revisionOf(reads[i + 1]) !== claim.token);
    // By the lease, not by the revision: announcing a drain writes the record anew.
    return { registered: reads[0]?.[0]?.lease === by.lease.id, lost };
  }

  /**
   * The outcome of a commit that puts `own/<jobset>` with a nonce. When the answer was lost, or says
   * no because the store's client sent it twice, the key itself tells: our nonce there means that it
   * was written, and what was read with it is read again. Without it, the error stands.
   */
  async #settled(nonce: string, jobset: JobsetId, send: () => Promise<Commit>): Promise<Commit> {
    const sent = await send().catch((error: unknown) => {
      if (isUnavailable(error)) return error as WatcherError;
      throw error;
    });
    const isAnswer = !(sent instanceof WatcherError);
    if (isAnswer && (sent.succeeded || !hasNonce(sent.reads[0], nonce))) return sent;
    const back = await this.store.commit([], this.#content(jobset));
    if (hasNonce(back.reads[0], nonce)) return { ...back, succeeded: true };
    if (isAnswer) return sent;
    throw sent;
  }

  async #claimed(jobset: JobsetId, reads: Commit['reads']): Promise<ClaimedJobset> {
    const claim = { jobset, token: revisionOf(reads[0]), revision: revisionOf(reads[1]) };
    try {
      return { claim, definitions: decodeDefinitions(reads[2] ?? []) };
    } catch (error) {
      await this.release(claim);
      throw error;
    }
  }

  /** Owner, record and definitions, in this order. */
  #content(jobset: JobsetId): Read[] {
    return [
      { kind: 'get', key: this.keys.owner(jobset) },
      { kind: 'get', key: this.keys.jobset(jobset) },
      { kind: 'list', prefix: this.keys.definitions(jobset) },
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
export const ownerIn = (own: Entry): WorkerId | null => {
  try {
    return decodeOwnership(own).worker;
  } catch {
    return 'unreadable' as WorkerId;
  }
};
