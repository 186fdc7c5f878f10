/**
 * Jobs that come and go by the API, whoever leads: `jobs add`, `jobs remove`, `jobs release` → **api-jobs** →
 * the ledger. Those that are added stand in jobsets of their own, so that the folder's publisher leaves them
 * alone; all else about these is as for any jobset. Each step is one compare-and-set transaction; whoever loses
 * looks again. The copy of the ledger says where to look, and the transaction whether that was right.
 */

import type { CheckDefinition, CheckId, JobsetId, WorkerId } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import { JOBSET_SIZE } from '../domain/jobset.ts';
import type { JobPlace, RefusedJob } from '../domain/pool-views.ts';
import { type HostOptions, hostFor, type Member, readJobset, zoneOf } from './api-hosts.ts';
import { isUnavailable } from './backoff.ts';
import { decodeDefinitions } from './definitions.ts';
import { rewritten, withdrawn } from './jobset-writes.ts';
import type { Condition, Entry, Read, Revision, Write } from './kv.ts';
import { ownerIn } from './ledger.ts';
import { readable } from './ledger-rows.ts';
import { decodeJobset, decodePlaces, decodeWorker, encodePlaces } from './records.ts';
import { releaseWrites } from './suspects.ts';

export interface Added {
  readonly added: readonly JobPlace[];
  readonly refused: readonly RefusedJob[];
}

/** Less than a caller waits for an answer. */
const PATIENCE_MS = 4_000;
/** Between two looks, on average: whoever was quicker has had time to be done. */
const LOOK_AGAIN_MS = 20;

export class ApiJobs {
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /**
   * Gives each a place, as many at a time as one jobset has room for. `worker` runs them first; when
   * it dies they are claimed like any others. Throws WCH_USAGE when there is no such worker, and
   * WCH_STORE_UNAVAILABLE or WCH_STORE_FULL, when nothing has been added.
   */
  async add(definitions: readonly CheckDefinition[], worker: WorkerId | null): Promise<Added> {
    const added: JobPlace[] = [];
    const refused: RefusedJob[] = [];
    const until = this.#options.clock.monotonicMs() + PATIENCE_MS;
    let left = definitions;
    try {
      while (left.length > 0) {
        const round = await this.#addSome(left, worker, until);
        added.push(...round.added);
        refused.push(...round.refused);
        const done = new Set([...round.added, ...round.refused].map(({ check }) => check));
        left = left.filter(({ key }) => !done.has(key));
        if (done.size === 0) await this.#lookAgainSoon();
      }
    } catch (error) {
      if (!(error instanceof WatcherError) || added.length === 0) throw error;
      for (const { key } of left) refused.push({ check: key, why: error.message });
    }
    return { added, refused };
  }

  /**
   * Takes a job away, and with the last one its jobset. Null when it is gone, else why it stays. The
   * races: the jobset is changed or split meanwhile, and its revision has moved on; it is claimed
   * meanwhile, and the claim's key goes with the rest.
   */
  async remove({ id, key }: Pick<CheckDefinition, 'id' | 'key'>): Promise<string | null> {
    const { view } = this.#options;
    const until = this.#options.clock.monotonicMs() + PATIENCE_MS;
    for (let tries = 0; ; tries += 1) {
      await this.#lookedUp(until);
      const where = (await view.jobsetsOf([id])).get(id);
      // Gone after a try of ours: that one has done it, or somebody else.
      if (where === undefined) return tries > 0 ? null : `no check is named ${key}`;
      const outcome = await this.#takeFrom(where, id);
      if (outcome === 'of the folder')
        return `${key} stands in the spec folder: take it out of its file there`;
      if (outcome === 'removed') return null;
      await this.#lookAgainSoon();
    }
  }

  /**
   * Lets a job run that waits or is quarantined, with all of its jobset: anybody may claim it, and
   * nothing is held against its jobs. Null when that is so, else why not. The races: the leader finds a
   * place for it meanwhile, or the publisher changes it, and its revision has moved on.
   */
  async release({ id, key }: Pick<CheckDefinition, 'id' | 'key'>): Promise<string | null> {
    const { view } = this.#options;
    const until = this.#options.clock.monotonicMs() + PATIENCE_MS;
    for (let tries = 0; ; tries += 1) {
      await this.#lookedUp(until);
      const where = (await view.jobsetsOf([id])).get(id);
      if (where === undefined) return `no check is named ${key}`;
      const outcome = await this.#letGo(where, id);
      if (outcome === 'released') return null;
      // After a try of ours: that one has done it, or somebody else.
      if (outcome === 'waits not')
        return tries > 0 ? null : `${key} waits for nothing and is not quarantined`;
      await this.#lookAgainSoon();
    }
  }

  /** As many as one transaction can add, and those that no transaction can. */
  async #addSome(
    definitions: readonly CheckDefinition[],
    worker: WorkerId | null,
    until: number,
  ): Promise<Added> {
    const places = await this.#lookedUp(until);
    const member = worker === null ? null : await this.#member(worker);
    const refused: RefusedJob[] = [];
    const standing = await this.#options.view.jobsetsOf(definitions.map(({ id }) => id));
    const fit = definitions.filter((definition) => {
      const where = standing.get(definition.id);
      const why = where === undefined ? outside(definition, member) : this.#standsIn(where);
      if (why !== null) refused.push({ check: definition.key, why });
      return why === null;
    });
    return { added: await this.#place(fit, member, places), refused };
  }

  async #takeFrom(where: JobsetId, id: CheckId): Promise<'removed' | 'of the folder' | 'missed'> {
    const { keys, store } = this.#options;
    const { record, chunks } = await readJobset(this.#options, where);
    const jobset = record && decodeJobset(where, record);
    if (record === null || !jobset?.jobs.includes(id)) return 'missed';
    if (jobset.source === 'folder') return 'of the folder';
    const rest = decodeDefinitions(chunks).filter((definition) => definition.id !== id);
    const unchanged = { key: record.key, modRevision: record.modRevision };
    const writes = rest.length > 0 ? rewritten(keys, jobset, rest) : withdrawn(keys, jobset);
    const { succeeded } = await store.commit([unchanged], writes);
    return succeeded ? 'removed' : 'missed';
  }

  async #letGo(where: JobsetId, id: CheckId): Promise<'released' | 'waits not' | 'missed'> {
    const { store } = this.#options;
    const { record } = await readJobset(this.#options, where);
    const jobset = record && decodeJobset(where, record);
    if (record === null || !jobset?.jobs.includes(id)) return 'missed';
    if (jobset.waiting === null) return 'waits not';
    const unchanged = { key: record.key, modRevision: record.modRevision };
    const { succeeded } = await store.commit([unchanged], releaseWrites(this.#options, jobset));
    return succeeded ? 'released' : 'missed';
  }

  /**
   * The revision of `places`, once the copy of the ledger knows all that has been placed by then. A
   * transaction that finds `places` at it knows that nobody has given a new job its place since: of two
   * that add the same check, or of a folder that is published meanwhile, one comes second and looks again.
   */
  async #lookedUp(until: number): Promise<Revision> {
    const { view, clock } = this.#options;
    const revision = (await this.#places())?.modRevision ?? 0;
    for (; clock.monotonicMs() < until; await this.#lookAgainSoon()) {
      // What moves `places` writes a jobset in the same transaction, so the copy gets there.
      if (view.at >= revision) return revision;
    }
    const why = 'the ledger changes faster than this process can follow; try again, or ask another';
    throw new WatcherError('WCH_STORE_UNAVAILABLE', why, { retryable: true });
  }

  #standsIn(id: JobsetId): string {
    const { view } = this.#options;
    const record = view.jobset(id);
    const jobset = record && readable(() => decodeJobset(id, record));
    const by = jobset?.source === 'folder' ? 'the spec folder' : 'jobs add';
    const own = view.owner(id);
    const owner = own && ownerIn(own);
    return `it is there already, by ${by}, in jobset ${id} of ${owner ?? 'no worker yet'}`;
  }

  /** Those that have got a place, from the first on; none when somebody else was quicker. */
  async #place(
    all: readonly CheckDefinition[],
    member: Member | null,
    places: Revision,
  ): Promise<JobPlace[]> {
    const [first] = all;
    if (first === undefined) return [];
    const { keys } = this.#options;
    const zone = zoneOf(first);
    const host = await hostFor(this.#options, zone, member);
    const others = all.findIndex((definition) => zoneOf(definition) !== zone);
    const room = JOBSET_SIZE - host.definitions.length;
    const some = all.slice(0, others === -1 ? room : Math.min(room, others));
    const writes = rewritten(keys, host.jobset, [...host.definitions, ...some]);
    const when = [{ key: keys.places, modRevision: places }, ...host.conditions];
    if (!(await this.#commit(when, [...host.claim, ...writes]))) return [];
    return some.map(({ key }) => ({ check: key, jobset: host.jobset.id, worker: host.owner }));
  }

  async #member(id: WorkerId): Promise<Member> {
    const { store, keys } = this.#options;
    const { reads } = await store.commit([], [{ kind: 'get', key: keys.worker(id) }]);
    const entry = reads[0]?.[0];
    const known = 'run `watcher workers` for those that there are';
    if (entry === undefined)
      throw new WatcherError('WCH_USAGE', `no worker is called ${id}; ${known}`);
    const record = decodeWorker(id, entry);
    if (record.state === 'up') return { record, entry };
    throw new WatcherError('WCH_USAGE', `worker ${id} is about to leave; ${known}`);
  }

  async #places(): Promise<Entry | undefined> {
    const { reads } = await this.#options.store.commit([], [this.#readPlaces]);
    return reads[0]?.[0];
  }

  get #readPlaces(): Read {
    return { kind: 'get', key: this.#options.keys.places };
  }

  /**
   * Writes and moves `places`; false when it did not. An answer that was lost, or that says no because
   * the store's client has sent it twice, is settled by who moved `places` last. When another has since,
   * nobody can tell: the next look finds the jobs where they stand.
   */
  async #commit(when: readonly Condition[], writes: readonly Write[]): Promise<boolean> {
    const { store, keys, random } = this.#options;
    const nonce = random.uuid();
    const turn: Write = { kind: 'put', key: keys.places, value: encodePlaces({ nonce }) };
    try {
      const { succeeded, reads } = await store.commit(when, [turn, ...writes], [this.#readPlaces]);
      return succeeded || hasNonce(reads[0]?.[0], nonce);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      if (hasNonce(await this.#places(), nonce)) return true;
      throw error;
    }
  }

  #lookAgainSoon(): Promise<void> {
    const { clock, random } = this.#options;
    return clock.sleep(2 * LOOK_AGAIN_MS * random.next());
  }
}

const hasNonce = (entry: Entry | undefined, nonce: string): boolean =>
  entry !== undefined && readable(() => decodePlaces(entry))?.nonce === nonce;

/** Why the named worker cannot run it; null when it can. */
const outside = (definition: CheckDefinition, member: Member | null): string | null => {
  const zone = zoneOf(definition);
  if (member === null || zone === null || zone === member.record.zone) return null;
  return `it runs in zone ${zone} only, where worker ${member.record.id} is not`;
};
