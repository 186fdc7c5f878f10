/**
 * What the leading admin writes: jobsets with their definitions. Each jobset is one transaction, so a
 * crash between two of them leaves a ledger that is whole, and the next publish goes on from there.
 */

import type { CheckDefinition, JobsetId } from '../domain/check.ts';
import type { Jobset } from '../domain/jobset.ts';
import { decodeDefinitions, encodeDefinitions } from './definitions.ts';
import type { Term } from './election.ts';
import type { Keys } from './keys.ts';
import type { Condition, Entry, KeyValueStore, Revision, Write } from './kv.ts';
import {
  decodeFollowed,
  decodeJobset,
  encodeFollowed,
  encodeJobset,
  encodePlaces,
  isNewerRecord,
} from './records.ts';

/** A jobset as it stands, and the revision that the next write about it must find. */
export interface Published {
  readonly jobset: Jobset;
  readonly revision: Revision;
}

/**
 * `old` is null for a new jobset; its chunks beyond the new ones are deleted, and workers that could not
 * reach its endpoints are still avoided.
 */
export interface Replacement {
  readonly old: Published | null;
  readonly id: JobsetId;
  readonly source: Jobset['source'];
  readonly zone: Jobset['zone'];
  readonly digest: string;
  /** In the order of the jobs. */
  readonly definitions: readonly CheckDefinition[];
  /** Where it gives jobs their place: nobody else has given one since. */
  readonly places?: Places | undefined;
}

/** Read before the ledger is compared; each write that gives a job its place moves it on. */
export interface Places {
  revision: Revision;
}

/** What stands beside the jobsets. */
export interface Standing {
  /** Which folder the ledger follows; null when it never followed one. */
  readonly folder: string | null;
  readonly places: Places;
}

export class Publishing {
  readonly #store: KeyValueStore;
  readonly #keys: Keys;

  constructor(options: { readonly store: KeyValueStore; readonly keys: Keys }) {
    this.#store = options.store;
    this.#keys = options.keys;
  }

  /** Throws WCH_RECORD when a newer watcher leads here. */
  async standing(): Promise<Standing> {
    const { folder, places } = this.#keys;
    const gets = [folder, places].map((key) => ({ kind: 'get', key }) as const);
    const { reads } = await this.#store.commit([], gets);
    const [followed, moved] = reads.map(([entry]) => entry);
    return {
      folder: followed ? folderIn(followed) : null,
      places: { revision: moved?.modRevision ?? 0 },
    };
  }

  /** From now on the ledger is brought to this folder; false when the term is over. */
  async follow(folder: string, term: Term): Promise<boolean> {
    const put = { kind: 'put', key: this.#keys.folder, value: encodeFollowed({ folder }) } as const;
    return (await this.#store.commit([term.condition], [put])).succeeded;
  }

  /**
   * Every jobset that can be read. Throws WCH_RECORD for one of a newer watcher: its jobs would be
   * published twice. One that nobody can read runs nowhere, so its jobs find a place elsewhere.
   */
  async *jobsets(onUnreadable: (key: string) => void = () => {}): AsyncGenerator<Published> {
    const { entries } = await this.#store.snapshot(this.#keys.jobsets);
    for (const entry of entries) {
      const jobset = this.#jobsetIn(entry);
      if (jobset === null) onUnreadable(entry.key);
      else yield { jobset, revision: entry.modRevision };
    }
  }

  async definitions(id: JobsetId): Promise<CheckDefinition[]> {
    const { entries } = await this.#store.snapshot(this.#keys.definitions(id));
    return decodeDefinitions(entries);
  }

  /**
   * Writes a jobset and its definitions together; false when it is not as `old` says or the term is
   * over. The races: a worker splits the jobset meanwhile, and its revision has moved on; another
   * admin has become leader meanwhile, and the term's condition fails; somebody adds the same job
   * elsewhere, and `places` has moved on. A job in quarantine whose definition changes is another job: it
   * is free again. Definitions that were damaged and are written anew are the same as before.
   */
  async replace(replacement: Replacement, term: Term): Promise<boolean> {
    const { old, id, source, zone, digest, definitions, places } = replacement;
    const chunks = encodeDefinitions(definitions);
    const jobs = definitions.map((definition) => definition.id);
    const isFreed = old !== null && leavesQuarantine(old.jobset, digest);
    const { avoid, waiting, moveTo } = old?.jobset ?? NOWHERE_SO_FAR;
    const placing = { zone, avoid, waiting: isFreed ? null : waiting, moveTo };
    const jobset: Jobset = { id, source, jobs, digest, chunks: chunks.length, ...placing };
    const writes: Write[] = [
      { kind: 'put', key: this.#keys.jobset(id), value: encodeJobset(jobset) },
      ...chunks.map((value, i): Write => ({ kind: 'put', key: this.#keys.chunk(id, i), value })),
    ];
    for (let i = chunks.length; i < (old?.jobset.chunks ?? 0); i += 1)
      writes.push(this.#dropChunk(id, i));
    if (isFreed) writes.push({ kind: 'delete', key: this.#keys.suspects(id) });
    const conditions = [term.condition, this.#unchanged(id, old)];
    if (places) {
      conditions.push({ key: this.#keys.places, modRevision: places.revision });
      writes.push({ kind: 'put', key: this.#keys.places, value: PLACED });
    }
    const { succeeded, revision } = await this.#store.commit(conditions, writes);
    if (succeeded && places) places.revision = revision;
    return succeeded;
  }

  /**
   * Deletes a jobset with all that is about it. Its owner learns it from the watch or at its next beat.
   * The race: it is claimed at this moment; the claim finds no jobset, or its key goes with the rest.
   */
  async withdraw(old: Published, term: Term): Promise<boolean> {
    const { id, chunks } = old.jobset;
    const writes: Write[] = [
      { kind: 'delete', key: this.#keys.jobset(id) },
      { kind: 'delete', key: this.#keys.owner(id) },
      { kind: 'delete', key: this.#keys.checkpoint(id) },
      { kind: 'delete', key: this.#keys.suspects(id) },
    ];
    for (let i = 0; i < chunks; i += 1) writes.push(this.#dropChunk(id, i));
    const conditions = [term.condition, this.#unchanged(id, old)];
    return (await this.#store.commit(conditions, writes)).succeeded;
  }

  #jobsetIn(entry: Entry): Jobset | null {
    try {
      return decodeJobset(this.#keys.jobsetOf(entry.key), entry);
    } catch (error) {
      if (isNewerRecord(error)) throw error;
      return null;
    }
  }

  #unchanged(id: JobsetId, old: Published | null): Condition {
    return { key: this.#keys.jobset(id), modRevision: old?.revision ?? 0 };
  }

  #dropChunk(id: JobsetId, index: number): Write {
    return { kind: 'delete', key: this.#keys.chunk(id, index) };
  }
}

const leavesQuarantine = (old: Jobset, digest: string): boolean =>
  old.waiting?.reason === 'quarantined' && old.digest !== digest && old.digest !== DAMAGED;

/** What the audit leaves in place of a digest. */
const DAMAGED = '';

const NOWHERE_SO_FAR = { avoid: [], waiting: null, moveTo: null } as const;

/** After a lost answer the ledger is compared again, so nobody looks for whose write it was. */
const PLACED = encodePlaces({ nonce: '' });

/** Damaged, it is nobody's folder, which differs from any. */
const folderIn = (entry: Entry): string => {
  try {
    return decodeFollowed(entry).folder;
  } catch (error) {
    if (isNewerRecord(error)) throw error;
    return '';
  }
};
