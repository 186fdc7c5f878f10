/** Every key of the ledger, its builder and its parser side by side. */

import type { JobsetId, WorkerId } from '../domain/check.ts';

const DEFAULT_PREFIX = '/watcher/v1/';

/** `<prefix><kind>/<id>`, and for definitions `/<n>` behind it. */
export class Keys {
  /** All keys of one kind. */
  readonly jobsets: string;
  readonly owners: string;
  readonly workers: string;
  /** What the next owner of each jobset must know. */
  readonly checkpoints: string;
  /** What each worker has done, also of workers that are gone. */
  readonly progresses: string;
  readonly beats: string;
  /** Jobs that their workers may have died of, by jobset. */
  readonly allSuspects: string;
  /** Of all jobsets. */
  readonly allDefinitions: string;
  /** The leading admin. */
  readonly leader: string;
  /** Which life of the store this is. */
  readonly epoch: string;
  /** Moved by each transaction that gives a new job its place. */
  readonly places: string;
  /** Which folder the ledger follows. */
  readonly folder: string;
  /** What the leader says of the pool's capacity. */
  readonly scaling: string;

  constructor(prefix: string = DEFAULT_PREFIX) {
    this.jobsets = `${prefix}jobset/`;
    this.owners = `${prefix}own/`;
    this.workers = `${prefix}worker/`;
    this.checkpoints = `${prefix}ck/`;
    this.progresses = `${prefix}progress/`;
    this.beats = `${prefix}hb/`;
    this.allSuspects = `${prefix}suspects/`;
    this.allDefinitions = `${prefix}def/`;
    this.leader = `${prefix}admin/leader`;
    this.epoch = `${prefix}meta/epoch`;
    this.places = `${prefix}meta/places`;
    this.folder = `${prefix}meta/folder`;
    this.scaling = `${prefix}scaling`;
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

  workerOf(key: string): WorkerId {
    return key.slice(this.workers.length) as WorkerId;
  }

  checkpoint(id: JobsetId): string {
    return this.checkpoints + id;
  }

  progress(id: WorkerId): string {
    return this.progresses + id;
  }

  beat(id: WorkerId): string {
    return this.beats + id;
  }

  suspects(id: JobsetId): string {
    return this.allSuspects + id;
  }

  /** Prefix of a jobset's chunks. */
  definitions(id: JobsetId): string {
    return `${this.allDefinitions}${id}/`;
  }

  chunk(id: JobsetId, index: number): string {
    return this.definitions(id) + index;
  }
}
