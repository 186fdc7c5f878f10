/** A ledger to be damaged and audited: everything in it is written as the protocol writes it. */

import { Audit } from '../../../src/admin/audit.ts';
import { takePicture } from '../../../src/admin/sweep-picture.ts';
import type { RepairReason } from '../../../src/admin/sweep-repair.ts';
import { sendBeat } from '../../../src/shared/coordination/beating.ts';
import {
  decodeDefinitions,
  digestOf,
  encodeDefinitions,
} from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Commit, KeyValueStore, Operation } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { type Claim, Ledger, type Registration } from '../../../src/shared/coordination/ledger.ts';
import { encodeJobset } from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset } from '../../../src/shared/domain/jobset.ts';
import type { Log } from '../../../src/shared/runtime/log.ts';
import { aCheck, NO_LOAD } from '../../support/builders.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

export const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };

export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export const recordingLog = (): Log & { readonly lines: Line[] } => {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Line['fields'] = {}) => {
      lines.push({ level, message, fields });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
};

export const named = (...names: readonly string[]): CheckDefinition[] =>
  names.map((name) => aCheck(name));

export const aLedger = () => {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const random = seededRandom(1);
  const ledger = new Ledger({ store, keys, clock, random });
  const log = recordingLog();
  const repairs: RepairReason[] = [];
  const onRepaired = (reason: RepairReason) => {
    repairs.push(reason);
  };

  const write = (...operations: readonly Operation[]) => store.commit([], operations);
  const put = (key: string, value: object | Buffer | string, lease?: string) =>
    write({
      kind: 'put',
      key,
      value: Buffer.isBuffer(value)
        ? value
        : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
      ...(lease === undefined ? {} : { lease }),
    });
  const drop = (key: string) => write({ kind: 'delete', key });
  const get = async (key: string) => (await store.commit([], [{ kind: 'get', key }])).reads[0]?.[0];

  let beats = 0;
  return {
    clock,
    store,
    keys,
    ledger,
    log,
    put,
    drop,
    get,
    /** As the audits told of them. */
    repairs,
    auditOn: (through: KeyValueStore = store) =>
      new Audit({ store: through, keys, clock, log, onRepaired }),
    picture: () => takePicture({ store, keys, clock }, new Map()),

    /** As the publisher writes it. */
    publish: async (
      id: string,
      definitions: readonly CheckDefinition[],
      overrides: Partial<Jobset> = {},
    ): Promise<void> => {
      const chunks = encodeDefinitions(definitions);
      const jobset = encodeJobset({
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
      });
      await write(
        { kind: 'put', key: keys.jobset(id as JobsetId), value: jobset },
        ...chunks.map(
          (value, i): Operation => ({ kind: 'put', key: keys.chunk(id as JobsetId, i), value }),
        ),
      );
    },

    join: async (id: string): Promise<Registration> => {
      const lease = await store.lease(6000);
      const record = {
        state: 'up',
        capacity: { places: 256, jobs: null },
        host: id,
        version: '0',
        zone: null,
        listen: null,
        started: 0,
      };
      return ledger.register({ ...record, id: id as WorkerId } as Registration['worker'], lease);
    },

    claim: async (id: string, by: Registration): Promise<Claim | null> => {
      const jobset = id as JobsetId;
      const { reads, revision } = await store.commit(
        [],
        [
          { kind: 'get', key: keys.jobset(jobset) },
          { kind: 'get', key: keys.owner(jobset) },
        ],
      );
      const [at, own] = [reads[0]?.[0]?.modRevision ?? 0, reads[1]?.[0]?.modRevision ?? 0];
      const sight = { revision: at, ownRevision: own, owner: null, at: revision };
      const { claimed } = await ledger.claim(jobset, sight, by);
      return claimed?.claim ?? null;
    },

    beat: async (by: Registration, claims: readonly Claim[]): Promise<void> => {
      beats += 1;
      const beat = { seq: beats, at: clock.now(), owned: claims.length, checks: 0, load: NO_LOAD };
      const progress = { through: clock.now(), open: [], left: {} };
      const checkpoints = new Map(
        claims.map(({ jobset }) => [jobset, { worker: by.worker.id, progress: null, states: {} }]),
      );
      await sendBeat(ledger, by, { beat, progress, checkpoints, claims, after: 0 });
    },

    /** Which jobs stand in each jobset, by the names of their checks. */
    content: async (): Promise<Record<string, string[]>> => {
      const { jobsets, chunks } = await takePicture({ store, keys, clock }, new Map());
      return Object.fromEntries(
        [...jobsets].map(([id]) => [
          id,
          decodeDefinitions(chunks.get(id) ?? []).map(({ key }) => key),
        ]),
      );
    },

    /** All keys but the prefix. */
    allKeys: async (): Promise<string[]> => {
      const { entries } = await store.snapshot('');
      return entries.map(({ key }) => key.slice('/watcher/v1/'.length));
    },
    revision: async () => (await store.snapshot('none')).revision,
  };
};

export type AuditedLedger = ReturnType<typeof aLedger>;

/** The store as the audit sees it, with something done before each of its calls. */
export const meddled = (
  store: KeyValueStore,
  between: () => Promise<void>,
  around: (then: readonly Operation[], commit: () => Promise<Commit>) => Promise<Commit> = (
    _,
    commit,
  ) => commit(),
): KeyValueStore => ({
  snapshot: async (prefix) => {
    await between();
    return store.snapshot(prefix);
  },
  commit: async (when, then, otherwise) => {
    await between();
    return around(then, () => store.commit(when, then, otherwise));
  },
  changes: store.changes.bind(store),
  watch: store.watch.bind(store),
  lease: store.lease.bind(store),
  [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
});
