/**
 * What the leader writes about who runs what: judgement → **placement** → claim. It never claims for
 * anybody: it says in a jobset's record who is to run it, or makes vacant what somebody cannot run.
 *
 * The races. Another admin leads: the term's condition fails. A worker claims, splits or hands the jobset
 * back, or the publisher changes it: `jobset` or `own` has another revision, nothing is written, and the
 * leader looks anew. The answer is lost: what was written is read back. It was not, and nobody can be
 * asked: the next picture shows it.
 */

import type { CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import type { Checkpoint, Jobset, Suspects, Waiting } from '../domain/jobset.ts';
import type { Random } from '../runtime/random.ts';
import { isUnavailable } from './backoff.ts';
import { decodeDefinitions } from './definitions.ts';
import type { Term } from './election.ts';
import { rewritten } from './jobset-writes.ts';
import type { Keys } from './keys.ts';
import type { Commit, Condition, Entry, KeyValueStore, Read, Revision, Write } from './kv.ts';
import {
  decodeCheckpoint,
  decodeJobset,
  decodeSuspects,
  encodeCheckpoint,
  encodeJobset,
  encodeOwnership,
  encodeSuspects,
} from './records.ts';

/** A jobset as the leader's picture shows it. */
export interface SeenJobset {
  readonly id: JobsetId;
  readonly revision: Revision;
  readonly ownRevision: Revision;
}

export interface Placed {
  readonly written: boolean;
  /** Of the jobset's record now; 0 when it is gone. */
  readonly revision: Revision;
}

export interface Evicted {
  readonly id: WorkerId;
  /** Of its registration. */
  readonly revision: Revision;
  readonly holds: readonly Pick<SeenJobset, 'id' | 'ownRevision'>[];
}

type Order = Pick<Jobset, 'waiting' | 'moveTo'>;

/** Each is a condition and a write, beside those of the term and the worker. */
const VACATED_AT_ONCE = 100;

export class Placement {
  readonly #store: KeyValueStore;
  readonly #keys: Keys;
  readonly #random: Random;

  constructor(options: {
    readonly store: KeyValueStore;
    readonly keys: Keys;
    readonly random: Random;
  }) {
    this.#store = options.store;
    this.#keys = options.keys;
    this.#random = options.random;
  }

  /** It is to run there, and waits no more. */
  order(seen: SeenJobset, to: WorkerId, term: Term): Promise<Placed> {
    return this.#write(seen, { waiting: null, moveTo: to }, term);
  }

  /** It neither waits nor is to go anywhere. */
  settle(seen: SeenJobset, term: Term): Promise<Placed> {
    return this.#write(seen, { waiting: null, moveTo: null }, term);
  }

  /** Nobody takes it: it waits from now on. */
  queue(seen: SeenJobset, waiting: Waiting, term: Term): Promise<Placed> {
    return this.#write(seen, { waiting, moveTo: null }, term);
  }

  /** The first jobs of a waiting jobset go to a new one, which is to run there; the others wait on. */
  async orderFirst(
    seen: SeenJobset,
    { count, to, load }: { readonly count: number; readonly to: WorkerId; readonly load: number },
    term: Term,
  ): Promise<Placed> {
    const found = await this.#read(seen);
    if ('written' in found) return found;
    const { jobset } = found;
    const first = new Set(jobset.jobs.slice(0, count));
    const id = this.#random.uuid() as JobsetId;
    const waiting = jobset.waiting && { ...jobset.waiting, load: jobset.waiting.load - load };
    const { definitions } = found;
    const parted = Map.groupBy(definitions, (definition) => first.has(definition.id));
    const moved = { ...jobset, id, chunks: 0, waiting: null, moveTo: to };
    const keys = this.#keys;
    const writes = [
      ...rewritten(keys, { ...jobset, waiting }, parted.get(false) ?? []),
      ...rewritten(keys, moved, parted.get(true) ?? []),
      ...this.#partedWrites(found, { id, first }),
    ];
    const when = [term.condition, ...this.#asSeen(seen), ...found.when, absent(keys.jobset(id))];
    // Nobody else can have written it: its id is new.
    const isWritten = ([, entry]: readonly (Entry | undefined)[]) => entry !== undefined;
    return this.#commit(when, writes, [keys.jobset(seen.id), keys.jobset(id)], isWritten);
  }

  /**
   * Makes vacant what a worker holds and ends its registration, so that its next beat tells it. Where it
   * stopped is what its progress says. `holdMs`: how long claimers wait, as it may still be running. The
   * race: it hands something back at this moment, and all is looked at anew. What does not fit into the
   * transaction that ends the registration is vacant with its lease if not before.
   */
  async evict(worker: Evicted, holdMs: number, term: Term): Promise<boolean> {
    const key = this.#keys.worker(worker.id);
    const [first = [], ...more] = inParts(worker.holds, VACATED_AT_ONCE);
    const when = [term.condition, { key, modRevision: worker.revision }, ...this.#held(first)];
    const writes: Write[] = [{ kind: 'delete', key }, ...this.#vacancies(first, holdMs)];
    const isGone = ([entry]: readonly (Entry | undefined)[]) => entry === undefined;
    const { written } = await this.#commit(when, writes, [key], isGone);
    if (!written) return false;
    for (const part of more)
      await this.#store.commit(
        [term.condition, ...this.#held(part)],
        this.#vacancies(part, holdMs),
      );
    return true;
  }

  async #write(seen: SeenJobset, order: Order, term: Term): Promise<Placed> {
    const key = this.#keys.jobset(seen.id);
    const { reads } = await this.#store.commit([], [{ kind: 'get', key }]);
    const entry = reads[0]?.[0];
    if (entry?.modRevision !== seen.revision) return standsAt(entry);
    const value = encodeJobset({ ...decodeJobset(seen.id, entry), ...order });
    const when = [term.condition, ...this.#asSeen(seen)];
    const isWritten = ([now]: readonly (Entry | undefined)[]) => now?.value.equals(value) === true;
    return this.#commit(when, [{ kind: 'put', key, value }], [key], isWritten);
  }

  /** All that is about it, at one revision; or where it stands when it is not as it was seen. */
  async #read(seen: SeenJobset) {
    const keys = this.#keys;
    const { reads } = await this.#store.commit(
      [],
      [
        { kind: 'get', key: keys.jobset(seen.id) },
        { kind: 'list', prefix: keys.definitions(seen.id) },
        { kind: 'get', key: keys.checkpoint(seen.id) },
        { kind: 'get', key: keys.suspects(seen.id) },
      ],
    );
    const [entry, checkpoint, suspects] = [reads[0]?.[0], reads[2]?.[0], reads[3]?.[0]];
    if (entry?.modRevision !== seen.revision) return standsAt(entry);
    return {
      jobset: decodeJobset(seen.id, entry),
      definitions: decodeDefinitions(reads[1] ?? []),
      checkpoint: checkpoint && decodeCheckpoint(checkpoint),
      suspects: suspects && decodeSuspects(suspects),
      when: [
        { key: keys.checkpoint(seen.id), modRevision: checkpoint?.modRevision ?? 0 },
        { key: keys.suspects(seen.id), modRevision: suspects?.modRevision ?? 0 },
      ],
    };
  }

  /** What the next owner must know of the jobs that have gone, beside what the others' must. */
  #partedWrites(
    {
      checkpoint,
      suspects,
    }: { readonly checkpoint: Checkpoint | undefined; readonly suspects: Suspects | undefined },
    { id, first }: { readonly id: JobsetId; readonly first: ReadonlySet<CheckId> },
  ): Write[] {
    const keys = this.#keys;
    const writes: Write[] = [{ kind: 'put', key: keys.owner(id), value: this.#vacant(0) }];
    if (checkpoint !== undefined) {
      const value = encodeCheckpoint(ofJobs(checkpoint, first));
      writes.push({ kind: 'put', key: keys.checkpoint(id), value });
    }
    if (suspects !== undefined) {
      const theirs = Object.entries(suspects.jobs).filter(([job]) => first.has(job as CheckId));
      const value = encodeSuspects({ ...suspects, jobs: Object.fromEntries(theirs) });
      if (theirs.length > 0) writes.push({ kind: 'put', key: keys.suspects(id), value });
    }
    return writes;
  }

  /** `isWritten` tells by the keys, when the answer is lost or the store's client has sent it twice. */
  async #commit(
    when: readonly Condition[],
    writes: readonly Write[],
    keys: readonly string[],
    isWritten: (entries: readonly (Entry | undefined)[]) => boolean,
  ): Promise<Placed> {
    const gets = keys.map((key): Read => ({ kind: 'get', key }));
    const sent = await this.#store.commit(when, writes, gets).catch((error: unknown) => {
      if (isUnavailable(error)) return null;
      throw error;
    });
    if (sent?.succeeded) return { written: true, revision: sent.revision };
    const { reads }: Commit = sent ?? (await this.#store.commit([], gets));
    const entries = reads.map(([entry]) => entry);
    return { ...standsAt(entries[0]), written: isWritten(entries) };
  }

  #asSeen({ id, revision, ownRevision }: SeenJobset): Condition[] {
    return [
      { key: this.#keys.jobset(id), modRevision: revision },
      ...this.#held([{ id, ownRevision }]),
    ];
  }

  #held(jobsets: Evicted['holds']): Condition[] {
    return jobsets.map(({ id, ownRevision }) => ({
      key: this.#keys.owner(id),
      modRevision: ownRevision,
    }));
  }

  #vacancies(jobsets: Evicted['holds'], holdMs: number): Write[] {
    return jobsets.map(({ id }) => ({
      kind: 'put',
      key: this.#keys.owner(id),
      value: this.#vacant(holdMs),
    }));
  }

  #vacant(holdMs: number): Buffer {
    return encodeOwnership({ worker: null, nonce: this.#random.uuid(), holdMs });
  }
}

const absent = (key: string): Condition => ({ key, modRevision: 0 });

const standsAt = (entry: Entry | undefined): Placed => ({
  written: false,
  revision: entry?.modRevision ?? 0,
});

const ofJobs = (checkpoint: Checkpoint, jobs: ReadonlySet<CheckId>): Checkpoint => {
  const { progress, states } = checkpoint;
  const isTheirs = ([job]: readonly [string, unknown]): boolean => jobs.has(job as CheckId);
  return {
    ...checkpoint,
    progress: progress && { ...progress, open: progress.open.filter(isTheirs) },
    states: Object.fromEntries(Object.entries(states).filter(isTheirs)),
  };
};

const inParts = <T>(all: readonly T[], size: number): T[][] => {
  const parts: T[][] = [];
  for (let at = 0; at < all.length; at += size) parts.push(all.slice(at, at + size));
  return parts;
};
