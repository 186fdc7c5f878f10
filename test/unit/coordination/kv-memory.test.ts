/** The store in memory against a model of a few lines: any run of operations, same answers. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Change, Entry, Lease, Write } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { ManualClock, settled } from '../../support/manual-clock.ts';

/** What a store is, without any thought of speed. */
interface Model {
  revision: number;
  readonly entries: Map<string, { value: string; modRevision: number; lease: number | null }>;
  /** Deadline of each lease; infinity for none. */
  readonly deadlines: number[];
  readonly told: string[];
}

interface Real {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly leases: Lease[];
  readonly told: string[];
}

type Step =
  | {
      readonly kind: 'write';
      readonly keys: readonly string[];
      readonly value: string;
      readonly lease: number | null;
    }
  | { readonly kind: 'delete'; readonly keys: readonly string[] }
  | {
      readonly kind: 'compare';
      readonly key: string;
      readonly back: number;
      readonly value: string;
    }
  | { readonly kind: 'grant' }
  | { readonly kind: 'renew'; readonly lease: number }
  | { readonly kind: 'revoke'; readonly lease: number }
  | { readonly kind: 'pass'; readonly ms: number };

const TTL = 1000;
const LEASES = 3;
const key = fc.constantFrom('a', 'a/1', 'a/2', 'a/10', 'b', 'b/1', 'c');
const keys = fc.uniqueArray(key, { minLength: 1, maxLength: 4 });
const lease = fc.nat({ max: LEASES - 1 });
const value = fc.string({ maxLength: 3 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      keys,
      value,
      lease: fc.option(lease),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), keys }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('compare' as const),
      key,
      back: fc.nat({ max: 2 }),
      value,
    }),
  },
  fc.record({ kind: fc.constant('grant' as const) }),
  fc.record({ kind: fc.constant('renew' as const), lease }),
  fc.record({ kind: fc.constant('revoke' as const), lease }),
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat({ max: 700 }) }),
  },
);

const tell = (change: Change): string =>
  change.kind === 'put'
    ? `${change.entry.key}=${change.entry.value}@${change.entry.modRevision}`
    : `-${change.key}@${change.modRevision}`;

const put = (model: Model, at: string, text: string, by: number | null): void => {
  model.entries.set(at, { value: text, modRevision: model.revision, lease: by });
  model.told.push(`${at}=${text}@${model.revision}`);
};

const remove = (model: Model, doomed: readonly string[]): void => {
  const present = doomed.filter((at) => model.entries.has(at));
  if (present.length === 0) return;
  model.revision += 1;
  for (const at of present) {
    model.entries.delete(at);
    model.told.push(`-${at}@${model.revision}`);
  }
};

const endLease = (model: Model, ended: number): void => {
  model.deadlines[ended] = Number.NEGATIVE_INFINITY;
  const doomed = [...model.entries].filter(([, entry]) => entry.lease === ended).map(([at]) => at);
  remove(model, doomed.sort());
};

const isAlive = (model: Model, which: number): boolean =>
  (model.deadlines[which] ?? Number.NEGATIVE_INFINITY) > 0;

const passOnModel = (model: Model, ms: number): void => {
  const due = model.deadlines
    .map((left, which) => ({ left, which }))
    .filter(({ left }) => left > 0 && left <= ms)
    .sort((x, y) => x.left - y.left || x.which - y.which);
  for (const { which } of due) endLease(model, which);
  model.deadlines.forEach((left, which) => {
    if (left > 0) model.deadlines[which] = left - ms;
  });
};

/** Each step on both sides; answers that matter are compared here, the content after each step. */
const steps: {
  readonly [K in Step['kind']]: (
    model: Model,
    real: Real,
    step: Extract<Step, { kind: K }>,
  ) => Promise<void>;
} = {
  write: async (model, { store, leases }, { keys, value, lease }) => {
    const by = lease !== null && isAlive(model, lease) ? lease : null;
    const id = by === null ? undefined : leases[by]?.id;
    const under = id === undefined ? {} : { lease: id };
    model.revision += 1;
    for (const at of keys) put(model, at, value, by);
    const of = (at: string): Write => ({
      kind: 'put',
      key: at,
      value: Buffer.from(value),
      ...under,
    });
    await store.commit([], keys.map(of));
  },
  delete: async (model, { store }, { keys }) => {
    remove(model, keys);
    await store.commit(
      [],
      keys.map((at): Write => ({ kind: 'delete', key: at })),
    );
  },
  compare: async (model, { store }, { key, back, value }) => {
    const current = model.entries.get(key)?.modRevision ?? 0;
    const modRevision = Math.max(0, current - back);
    const holds = current === modRevision;
    if (holds) {
      model.revision += 1;
      put(model, key, value, null);
    }
    const write = { kind: 'put', key, value: Buffer.from(value) } as const;
    expect((await store.commit([{ key, modRevision }], [write])).succeeded).toBe(holds);
  },
  grant: async (model, { store, leases }) => {
    if (leases.length >= LEASES) return;
    model.deadlines.push(TTL);
    leases.push(await store.lease(TTL));
  },
  renew: async (model, { leases }, { lease }) => {
    const renewal = leases[lease]?.renew() ?? Promise.reject(new Error('never granted'));
    const isRenewed = await renewal.then(
      () => true,
      () => false,
    );
    expect(isRenewed).toBe(isAlive(model, lease));
    if (isRenewed) model.deadlines[lease] = TTL;
  },
  revoke: async (model, { leases }, { lease }) => {
    if (isAlive(model, lease)) endLease(model, lease);
    await leases[lease]?.revoke();
  },
  pass: async (model, { clock }, { ms }) => {
    passOnModel(model, ms);
    await clock.advance(ms);
  },
};

const run = <K extends Step['kind']>(
  model: Model,
  real: Real,
  step: Extract<Step, { kind: K }>,
): Promise<void> => steps[step.kind as K](model, real, step);

const seen = (entry: Entry): readonly unknown[] => [
  entry.key,
  entry.value.toString(),
  entry.modRevision,
];
const expected = (model: Model, prefix: string): readonly (readonly unknown[])[] =>
  [...model.entries]
    .filter(([at]) => at.startsWith(prefix))
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([at, entry]) => [at, entry.value, entry.modRevision]);

it('answers like the model, and a watch tells everything that happened, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async (todo) => {
      const clock = new ManualClock();
      const real: Real = { clock, store: new MemoryStore({ clock }), leases: [], told: [] };
      const model: Model = { revision: 1, entries: new Map(), deadlines: [], told: [] };
      const stop = new AbortController();
      const watching = (async () => {
        for await (const event of real.store.watch('', 1, stop.signal)) {
          if (event.kind === 'changes') real.told.push(...event.changes.map(tell));
        }
      })();
      for (const step of todo) {
        await run(model, real, step);
        for (const prefix of ['', 'a', 'a/1', 'b/']) {
          const { entries, revision } = await real.store.snapshot(prefix);
          expect(entries.map(seen)).toEqual(expected(model, prefix));
          expect(revision).toBe(model.revision);
        }
      }
      await settled();
      stop.abort();
      await watching;
      expect(real.told).toEqual(model.told);
    }),
    { numRuns: 300 },
  );
});
