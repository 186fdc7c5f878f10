/** Every key of the ledger, its builder and its parser side by side. */

import type { JobsetId, WorkerId } from '../domain/check.ts';

const DEFAULT_PREFIX = '/watcher/v1/';

/** `<prefix><kind>/<id>`, and for definitions `/<n>` behind it. */
export class Keys {
  /** All keys of one kind. */
  readonly jobsets: string;
  readonly owners: string;
  readonly workers: string;
  /** The leading admin. */
  readonly leader: string;
  readonly #beats: string;
  readonly #definitions: string;

  constructor(prefix: string = DEFAULT_PREFIX) {
    this.jobsets = `${prefix}jobset/`;
    this.owners = `${prefix}own/`;
    this.workers = `${prefix}worker/`;
    this.leader = `${prefix}admin/leader`;
    this.#beats = `${prefix}hb/`;
    this.#definitions = `${prefix}def/`;
  }

  jobset(id: JobsetId): string {
    return this.jobsets + id;
  }

  jobsetOf(key: string): JobsetId {
    return key.slice(this.jobsets.length) as JobsetId;
  }

  owner(id: JobsetId): string {
    return this.owners + id;
  }

  ownedJobsetOf(key: string): JobsetId {
    return key.slice(this.owners.length) as JobsetId;
  }

  worker(id: WorkerId): string {
    return this.workers + id;
  }

  beat(id: WorkerId): string {
    return this.#beats + id;
  }

  /** Prefix of a jobset's chunks; key order is chunk order up to ten chunks, which is plenty. */
  definitions(id: JobsetId): string {
    return `${this.#definitions}${id}/`;
  }

  chunk(id: JobsetId, index: number): string {
    return this.definitions(id) + index;
  }
}
