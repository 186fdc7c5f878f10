/** What can be done to both of two stores, and what of the answers can be compared: see differential.ts. */

import type {
  Change,
  Entry,
  KeyValueStore,
  Lease,
  Operation,
  Read,
  Revision,
} from '../../src/shared/coordination/kv.ts';

/** Under each prefix that is watched there is one. */
const TOUCHED = ['a/touched', 'b/touched'];
export const SHORT_TTL_MS = 2000;

/** One of the two. Revisions are compared as distances from `base`, leases by the order of grants. */
export interface Side {
  readonly store: KeyValueStore;
  readonly prefix: string;
  readonly base: Revision;
  readonly leases: Lease[];
  readonly watches: Watched[];
  /** Forgets what was before the second of its three revisions. */
  compact(): Promise<void>;
  pass(ms: number): Promise<void>;
}

interface Watched {
  readonly told: unknown[];
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

export interface Step {
  readonly name: string;
  /** All that there is must have been told before. */
  readonly isAfterAllIsTold?: boolean;
  readonly on: (side: Side) => Promise<unknown>;
}

export const seenEntry = (side: Side, { key, value, modRevision, lease }: Entry): unknown => [
  key.slice(side.prefix.length),
  value.length > 100 ? value.length : value.toString(),
  modRevision - side.base,
  side.leases.findIndex(({ id }) => id === lease),
];

const seenChange = (side: Side, change: Change): unknown =>
  change.kind === 'put'
    ? seenEntry(side, change.entry)
    : ['deleted', change.key.slice(side.prefix.length), change.modRevision - side.base];

export const watchOn = (side: Side, prefix: string, after: Revision): Watched => {
  const [told, stop]: [unknown[], AbortController] = [[], new AbortController()];
  const done = (async () => {
    const from = side.base + after;
    for await (const event of side.store.watch(side.prefix + prefix, from, stop.signal))
      if (event.kind === 'gap') told.push('gap');
      else told.push(...event.changes.map((change) => seenChange(side, change)));
  })();
  return { told, stop, done };
};

/** An operation on either side: keys without its prefix, a lease by its number. */
export type Plan =
  | { readonly kind: 'get' | 'list' | 'delete'; readonly key: string }
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string;
      readonly lease: number | null;
    };

export const many = (count: number): Plan[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'put', key: `b/${i}`, value: '', lease: null }));

export const text = (value: unknown): string => JSON.stringify(value)?.slice(0, 2000) ?? 'nothing';

const operationOn = (side: Side, plan: Plan): Operation => {
  const key = side.prefix + plan.key;
  if (plan.kind === 'list') return { kind: 'list', prefix: key };
  if (plan.kind !== 'put') return { kind: plan.kind, key };
  const lease = plan.lease === null ? undefined : side.leases[plan.lease]?.id;
  const value = Buffer.from(plan.value);
  return { kind: 'put', key, value, ...(lease === undefined ? {} : { lease }) };
};

export const commitOn = async (
  side: Side,
  when: readonly (readonly [key: string, distance: Revision])[],
  branches: { readonly operations: readonly Plan[]; readonly otherwise?: readonly Plan[] },
): Promise<unknown> => {
  const { operations, otherwise = [] } = branches;
  const { succeeded, revision, reads } = await side.store.commit(
    when.map(([key, distance]) => ({
      key: side.prefix + key,
      modRevision: distance === 0 ? 0 : side.base + distance,
    })),
    operations.map((plan) => operationOn(side, plan)),
    otherwise.map((plan) => operationOn(side, plan) as Read),
  );
  const seen = reads.map((entries) => entries.map((entry) => seenEntry(side, entry)));
  return [succeeded, revision - side.base, seen];
};

export const touch: Step = {
  name: 'touch',
  on: (side) =>
    commitOn(side, [], {
      operations: TOUCHED.map((key) => ({ kind: 'put', key, value: '', lease: null })),
    }),
};

export const allStand: Step = {
  name: 'snapshot',
  on: async (side) => {
    const { entries, revision } = await side.store.snapshot(side.prefix);
    return [entries.map((entry) => seenEntry(side, entry)), revision - side.base];
  },
};

export const compact: Step = {
  name: 'compact',
  isAfterAllIsTold: true,
  on: (side) => side.compact(),
};
export const pass = (ms: number): Step => ({ name: `pass ${ms}`, on: (side) => side.pass(ms) });

export const grant = (ttlMs: number): Step => ({
  name: 'grant',
  on: async (side) => {
    const lease = await side.store.lease(ttlMs);
    // Two that run out at once may do so in either order: a slow sequence has one.
    if (ttlMs === SHORT_TTL_MS && side.leases.length > 0) return lease.revoke();
    side.leases.push(lease);
    return lease.ttlMs;
  },
});
export const renew = (which: number): Step => ({
  name: `renew ${which}`,
  on: async (side) => (await side.leases[which]?.renew())?.ttlMs,
});
export const revoke = (which: number): Step => ({
  name: `revoke ${which}`,
  on: async (side) => side.leases[which]?.revoke(),
});
export const stopWatch = (which: number): Step => ({
  name: `stop watch ${which}`,
  isAfterAllIsTold: true,
  on: async (side) => {
    side.watches[which]?.stop.abort();
    await side.watches[which]?.done;
  },
});

export const end = async ({ watches, leases }: Side): Promise<void> => {
  for (const { stop } of watches) stop.abort();
  await Promise.all(watches.map(({ done }) => done));
  for (const lease of leases) await lease.revoke().catch(() => undefined);
};
