/**
 * What the leading admin writes: jobsets with their definitions. Each jobset is one transaction, so a
 * crash between two of them leaves a ledger that is whole, and the next publish goes on from there.
 */

import type { CheckDefinition, JobsetId } from '../domain/check.ts';
import type { Jobset } from '../domain/jobset.ts';
import { decodeDefinitions, encodeDefinitions } from './definitions.ts';
import type { Term } from './election.ts';
import type { Keys } from './keys.ts';
import type { KeyValueStore, Revision, Write } from './kv.ts';
import { decodeJobset, encodeJobset } from './records.ts';

/** A jobset as it stands, and the revision that the next write about it must find. */
export interface Published {
  readonly jobset: Jobset;
  readonly revision: Revision;
}

/** `old` is null for a new jobset; its chunks beyond the new ones are deleted. */
export interface Replacement {
  readonly old: Published | null;
  readonly id: JobsetId;
  readonly source: Jobset['source'];
  readonly digest: string;
  /** In the order of the jobs. */
  readonly definitions: readonly CheckDefinition[];
}

export class Publishing {
  readonly #store: KeyValueStore;
  readonly #keys: Keys;

  constructor(options: { readonly store: KeyValueStore; readonly keys: Keys }) {
    this.#store = options.store;
    this.#keys = options.keys;
  }

  /** Every jobset that this version understands; those of a newer one are nobody's business here. */
  async *jobsets(): AsyncGenerator<Published> {
    const { entries } = await this.#store.snapshot(this.#keys.jobsets);
    for (const entry of entries) {
      const jobset = decodeJobset(this.#keys.jobsetOf(entry.key), entry);
      yield { jobset, revision: entry.modRevision };
    }
  }

  async definitions(id: JobsetId): Promise<CheckDefinition[]> {
    const { entries } = await this.#store.snapshot(this.#keys.definitions(id));
    return decodeDefinitions(entries);
  }

  /**
   * Writes a jobset and its definitions together; false when it is not as `old` says or the term is
   * over. The races: a worker splits the jobset meanwhile, and its revision has moved on; another
   * admin has become leader meanwhile, and the term's condition fails.
   */
  async replace(replacement: Replacement, term: Term): Promise<boolean> {
    const { old, id, source, digest, definitions } = replacement;
    const chunks = encodeDefinitions(definitions);
    const jobs = definitions.map((definition) => definition.id);
    const jobset: Jobset = { id, source, jobs, digest, chunks: chunks.length };
    const writes: Write[] = [
      { kind: 'put', key: this.#keys.jobset(id), value: encodeJobset(jobset) },
      ...chunks.map((value, i): Write => ({ kind: 'put', key: this.#keys.chunk(id, i), value })),
    ];
    for (let i = chunks.length; i < (old?.jobset.chunks ?? 0); i += 1)
      writes.push(this.#dropChunk(id, i));
    return this.#commit(id, old, writes, term);
  }

  /**
   * Deletes a jobset with all that is about it. Its owner learns it from the watch or at its next beat.
   * The race: it is claimed at this moment; the claim finds no jobset, or its key goes with the rest.
   */
  async withdraw({ jobset, revision }: Published, term: Term): Promise<boolean> {
    const { id } = jobset;
    const writes: Write[] = [
      { kind: 'delete', key: this.#keys.jobset(id) },
      { kind: 'delete', key: this.#keys.owner(id) },
    ];
    for (let i = 0; i < jobset.chunks; i += 1) writes.push(this.#dropChunk(id, i));
    return this.#commit(id, { jobset, revision }, writes, term);
  }

  async #commit(
    id: JobsetId,
    old: Published | null,
    writes: Write[],
    term: Term,
  ): Promise<boolean> {
    const unchanged = { key: this.#keys.jobset(id), modRevision: old?.revision ?? 0 };
    const { succeeded } = await this.#store.commit([term.condition, unchanged], writes);
    return succeeded;
  }

  #dropChunk(id: JobsetId, index: number): Write {
    return { kind: 'delete', key: this.#keys.chunk(id, index) };
  }
}
