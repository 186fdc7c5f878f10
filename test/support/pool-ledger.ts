/** What etcd says of a pool, asked by a test that stands beside it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { digestOf } from '../../src/shared/coordination/definitions.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import {
  type Change,
  type Entry,
  type KeyValueStore,
  keyOf,
} from '../../src/shared/coordination/kv.ts';
import { type EtcdStoreOptions, openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import {
  decodeJobset,
  decodeOwnership,
  decodeProgress,
  decodeScaling,
  decodeWorker,
} from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type {
  Jobset,
  Progress,
  ScalingRecord,
  WorkerRecord,
} from '../../src/shared/domain/jobset.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';

const LEADER_MS = 20_000;
/** The default one. */
const PREFIX = '/watcher/v1/';
/** No admin leads, and none has to. */
const NOBODY = { condition: { key: 'nobody/leads', modRevision: 0 } };

export interface Owner {
  readonly worker: string;
  readonly token: number;
}

export type LedgerAccess = Pick<EtcdStoreOptions, 'endpoints' | 'tls' | 'auth'>;

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

export class PoolLedger implements AsyncDisposable {
  readonly prefix = PREFIX;
  readonly keys = new Keys(PREFIX);
  readonly store: KeyValueStore;
  readonly #watching = new AbortController();

  private constructor(store: KeyValueStore) {
    this.store = store;
  }

  /** A cluster that has just been started may have no leader yet. */
  static async open(access: LedgerAccess): Promise<PoolLedger> {
    const options = {
      ...{ ...access, clock: systemClock, random: systemRandom },
      readableKey: new Keys(PREFIX).epoch,
    };
    for (const deadline = Date.now() + LEADER_MS; ; await sleep(100)) {
      const store = await openEtcdStore(options).catch((error: Error) => error);
      if (!(store instanceof Error)) return new PoolLedger(store);
      if (Date.now() > deadline) throw store;
    }
  }

  /** Of jobsets that have one. Records that tests have damaged do not count, here and below. */
  async owners(): Promise<ReadonlyMap<string, Owner>> {
    const owners = new Map<string, Owner>();
    for (const entry of await this.#list(this.keys.owners)) {
      const worker = readable(() => decodeOwnership(entry).worker);
      const jobset = this.keys.ownedJobsetOf(entry.key);
      if (worker !== null) owners.set(jobset, { worker, token: entry.modRevision });
    }
    return owners;
  }

  async jobsets(): Promise<readonly JobsetId[]> {
    return (await this.records()).map(({ id }) => id);
  }

  /** How many jobs have a place. */
  async jobs(): Promise<number> {
    return (await this.records()).reduce((sum, { jobs }) => sum + jobs.length, 0);
  }

  /** Of all jobsets. */
  async records(): Promise<readonly Jobset[]> {
    return (await this.#list(this.keys.jobsets))
      .map((entry) => readable(() => decodeJobset(this.keys.jobsetOf(entry.key), entry)))
      .filter((jobset) => jobset !== null);
  }

  /** How many jobs each worker holds, by its id. */
  async shares(): Promise<ReadonlyMap<string, number>> {
    const [owners, records] = await Promise.all([this.owners(), this.records()]);
    const shares = new Map<string, number>();
    for (const { id, jobs } of records) {
      const worker = owners.get(id)?.worker;
      if (worker !== undefined) shares.set(worker, (shares.get(worker) ?? 0) + jobs.length);
    }
    return shares;
  }

  /** What the leading admin said last of the size of the pool. */
  async scaling(): Promise<ScalingRecord | null> {
    const [entry] = await this.#list(this.keys.scaling);
    return entry === undefined ? null : decodeScaling(entry);
  }

  async workers(): Promise<readonly WorkerRecord[]> {
    return (await this.#list(this.keys.workers))
      .map((entry) => readable(() => decodeWorker(this.keys.workerOf(entry.key), entry)))
      .filter((worker) => worker !== null);
  }

  /** What the worker said last, also when it is gone. */
  async progressOf(worker: string): Promise<Progress | null> {
    const [entry] = await this.#list(this.keys.progress(worker as WorkerId));
    return entry === undefined ? null : decodeProgress(entry);
  }

  /** Without an admin: so many jobsets, each with its share of the checks. */
  async publish(definitions: readonly CheckDefinition[], jobsets: number): Promise<void> {
    const publishing = new Publishing(this);
    const each = Math.ceil(definitions.length / jobsets);
    for (let from = 0; from < definitions.length; from += each) {
      const content = definitions.slice(from, from + each);
      const id = systemRandom.uuid() as JobsetId;
      const digest = digestOf(content);
      const jobset = { old: null, id, source: 'folder', zone: null, digest } as const;
      await publishing.replace({ ...jobset, definitions: content }, NOBODY);
    }
  }

  /** Every change from the first revision of this store to its present one. */
  async changes(prefix: string): Promise<readonly Change[]> {
    const { revision } = await this.store.snapshot(prefix);
    const seen: Change[] = [];
    // Of all keys, as those that are asked for may not change for long, while heartbeats do.
    for await (const event of this.store.watch(this.prefix, 0, this.#watching.signal)) {
      if (event.kind === 'gap') throw new Error('the first revisions are gone');
      seen.push(...event.changes.filter((change) => keyOf(change).startsWith(prefix)));
      if (event.revision >= revision) break;
    }
    return seen;
  }

  /** Every change from now on, until the ledger is disposed of. */
  async record(prefix: string): Promise<readonly Change[]> {
    const seen: Change[] = [];
    const { revision } = await this.store.snapshot(prefix);
    void (async () => {
      for await (const event of this.store.watch(prefix, revision, this.#watching.signal)) {
        if (event.kind === 'gap') throw new Error('the record of changes has a gap');
        seen.push(...event.changes);
      }
    })();
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await this.store[Symbol.asyncDispose]();
  }

  async #list(prefix: string): Promise<readonly Entry[]> {
    return (await this.store.snapshot(prefix)).entries;
  }
}
