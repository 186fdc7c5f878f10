/** Records of the ledger written by hand, for tests of whoever reads them. */

import { checkIdOf } from '../../src/shared/config/check-id.ts';
import { digestOf, encodeDefinitions } from '../../src/shared/coordination/definitions.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import type { Commit, KeyValueStore, Write } from '../../src/shared/coordination/kv.ts';
import {
  encodeBeat,
  encodeJobset,
  encodeLeader,
  encodeOwnership,
  encodeWorker,
} from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Jobset, WorkerLoad, WorkerRecord } from '../../src/shared/domain/jobset.ts';
import { aCheck, NO_LOAD } from './builders.ts';

/** With the id that its key really has. */
export const namedCheck = (key: string): CheckDefinition => ({
  ...aCheck(key),
  id: checkIdOf(key),
});

export const writtenLedger = (store: KeyValueStore, keys = new Keys()) => {
  const commit = async (...then: Write[]): Promise<Commit> => {
    const done = await store.commit([], then);
    if (!done.succeeded) throw new Error('nothing stood in the way');
    return done;
  };
  const put = (key: string, value: Buffer, lease?: string) =>
    commit({ kind: 'put', key, value, ...(lease === undefined ? {} : { lease }) });

  const writesOf = (
    id: string,
    checks: readonly string[],
    overrides: Partial<Jobset> = {},
  ): Write[] => {
    const definitions = checks.map(namedCheck);
    const chunks = encodeDefinitions(definitions);
    const jobset: Jobset = {
      id: id as JobsetId,
      source: 'folder',
      jobs: definitions.map((definition) => definition.id),
      digest: digestOf(definitions),
      chunks: chunks.length,
      zone: null,
      avoid: [],
      waiting: null,
      moveTo: null,
      ...overrides,
    };
    return [
      { kind: 'put', key: keys.jobset(jobset.id), value: encodeJobset(jobset) },
      ...chunks.map((value, i): Write => ({ kind: 'put', key: keys.chunk(jobset.id, i), value })),
    ];
  };

  return {
    keys,
    put,
    drop: (key: string) => commit({ kind: 'delete', key }),
    jobset: (
      id: string,
      checks: readonly string[],
      overrides: Partial<Jobset> = {},
      ...also: Write[]
    ) => commit(...writesOf(id, checks, overrides), ...also),
    /** All of one into another, in one transaction. */
    merge: (from: string, into: string, checks: readonly string[]) =>
      commit(
        { kind: 'delete', key: keys.jobset(from as JobsetId) },
        { kind: 'delete', key: keys.chunk(from as JobsetId, 0) },
        ...writesOf(into, checks),
      ),
    owns: (worker: string | null, jobset: string, lease?: string) => {
      const value = encodeOwnership({ worker: worker as WorkerId | null, nonce: 'n', holdMs: 0 });
      return put(keys.owner(jobset as JobsetId), value, lease);
    },
    worker: (id: string, overrides: Partial<WorkerRecord> = {}, lease?: string) => {
      const record: WorkerRecord = {
        id: id as WorkerId,
        state: 'up',
        capacity: { places: 256, jobs: null },
        host: `host of ${id}`,
        version: '1.2.3',
        zone: null,
        listen: null,
        started: Date.UTC(2026, 0, 1),
        ...overrides,
      };
      return put(keys.worker(record.id), encodeWorker(record), lease);
    },
    beat: (worker: string, at: number, seq = 1, load: Partial<WorkerLoad> = {}) =>
      put(
        keys.beat(worker as WorkerId),
        encodeBeat({ seq, at, owned: 2, checks: 3, load: { ...NO_LOAD, ...load } }),
      ),
    leads: (id: string) => put(keys.leader, encodeLeader({ id })),
  };
};
