/** Several workers and one ledger on virtual time, without checks: who holds what, and who runs what. */

import { digestOf } from '../../src/shared/coordination/definitions.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import type { Entry } from '../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import { decodeJobset, encodeJobset } from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Handover, Jobset } from '../../src/shared/domain/jobset.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Claimer } from '../../src/worker/claimer.ts';
import type { HeldJobset, Workload } from '../../src/worker/workload.ts';
import { NO_LOAD } from './builders.ts';
import { FaultyStore } from './faulty-store.ts';
import { ManualClock } from './manual-clock.ts';
import { seededRandom } from './seeded-random.ts';

const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };

/** A workload that only writes down what it is told. */
export class RecordingWorkload implements Workload {
  readonly held = new Map<JobsetId, HeldJobset>();
  /** Up to when everything is done. */
  through = 0;
  /** `+<jobset>` and `-<jobset>`, in order. */
  readonly log: string[] = [];
  /** What `drop` waits for: runs in flight. */
  quiet: (id: JobsetId) => Promise<void> = async () => {};

  hold(jobset: HeldJobset): void {
    this.held.set(jobset.claim.jobset, jobset);
    this.log.push(`+${jobset.claim.jobset}`);
  }

  async drop(id: JobsetId): Promise<Handover> {
    this.held.delete(id);
    this.log.push(`-${id}`);
    await this.quiet(id);
    return this.setAside();
  }

  async setAside(): Promise<Handover> {
    return { progress: this.progress(), states: {} };
  }

  putBack(): void {}

  progress() {
    return { through: this.through, open: [], left: {} };
  }

  states() {
    return {};
  }
}

export interface Member {
  readonly id: string;
  readonly claimer: Claimer;
  readonly workload: RecordingWorkload;
  /** This worker's own way to the store. */
  readonly network: FaultyStore;
  /** Whether it takes nothing more while others have room. */
  readonly load: { isFull: boolean };
}

export const aPool = (seed = 1) => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const random = seededRandom(seed);
  const publishing = new Publishing({ store, keys });

  const join = (id: string): Member => {
    const network = new FaultyStore(store);
    const workload = new RecordingWorkload();
    const load = { isFull: false };
    const claimer = new Claimer({
      clock,
      random,
      log: silentLog,
      ledger: new Ledger({ store: network, keys, clock, random }),
      workload,
      worker: {
        id: id as WorkerId,
        state: 'up',
        capacity: { places: 256, jobs: null },
        host: id,
        zone: null,
        version: '0.0.0',
        listen: null,
        started: 0,
      },
      timing: LEASE_TIMING,
      mode: 'rebalance',
      caution: { take: async () => {}, forget: () => {} },
      graceMs: 5_000,
      drainMs: 25_000,
      checks: () => 0,
      load: () => NO_LOAD,
      isFull: () => load.isFull,
      isStuck: () => false,
      onHeld: () => {},
      onDetached: () => {},
    });
    claimer.start();
    return { id, claimer, workload, network, load };
  };

  const standing = async (id: string) => {
    for await (const entry of publishing.jobsets()) if (entry.jobset.id === id) return entry;
    return null;
  };

  return {
    clock,
    store,
    keys,
    random,
    join,
    publish: async (id: string, definitions: readonly CheckDefinition[]): Promise<void> => {
      const old = await standing(id);
      const digest = digestOf(definitions);
      const jobset = {
        old,
        id: id as JobsetId,
        source: 'folder',
        zone: null,
        digest,
        definitions,
      } as const;
      await publishing.replace(jobset, TERM);
    },
    /** As the leader writes it. */
    place: async (id: string, order: Partial<Pick<Jobset, 'waiting' | 'moveTo'>>) => {
      const key = keys.jobset(id as JobsetId);
      const { entries } = await store.snapshot(key);
      const jobset = decodeJobset(id as JobsetId, entries[0] as Entry);
      await store.commit([], [{ kind: 'put', key, value: encodeJobset({ ...jobset, ...order }) }]);
    },
    withdraw: async (id: string): Promise<void> => {
      const old = await standing(id);
      if (old !== null) await publishing.withdraw(old, TERM);
    },
    /** Who owns each jobset, says the ledger. */
    owners: async (): Promise<Record<string, string | null>> => {
      const { entries } = await store.snapshot(keys.owners);
      return Object.fromEntries(
        entries.map((entry) => [
          keys.ownedJobsetOf(entry.key),
          JSON.parse(entry.value.toString()).worker,
        ]),
      );
    },
  };
};
