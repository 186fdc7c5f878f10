/** What the tests of the store in etcd share: opening it on servers of their own, and following it. */

import { expect } from 'vitest';
import type { KeyValueStore, Revision, WatchEvent } from '../../src/shared/coordination/kv.ts';
import {
  type EtcdStore,
  type EtcdStoreOptions,
  openEtcdStore,
} from '../../src/shared/coordination/kv-etcd.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { programOf } from './debian-packages.ts';
import { type Etcd, type EtcdOptions, startEtcd } from './etcd.ts';

export const hasEtcd = (await programOf('etcd')) !== null;

export const start = async (options?: EtcdOptions): Promise<Etcd> => {
  const etcd = await startEtcd(options);
  if (etcd === null) throw new Error('no etcd');
  return etcd;
};

/** For tests that are not about deadlines: they run beside others, on machines with few cores. */
export const PATIENT = { timing: { callMs: 5000, readMs: 10_000 } } as const;

/** Asks the first endpoint first. */
export const open = (
  endpoints: readonly string[],
  options: Partial<EtcdStoreOptions> = {},
): Promise<EtcdStore> =>
  openEtcdStore({
    endpoints,
    clock: systemClock,
    random: { ...systemRandom, next: () => 0 },
    ...options,
  });

export const put = (key: string, value = '') =>
  ({ kind: 'put', key, value: Buffer.from(value) }) as const;

export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );

export const outage = (retryable: boolean, message = '') =>
  expect.objectContaining({
    code: 'WCH_STORE_UNAVAILABLE',
    retryable,
    message: expect.stringContaining(message),
  });

const toldBy = (event: WatchEvent): string[] =>
  event.kind === 'gap'
    ? ['gap']
    : event.changes.map((change) => (change.kind === 'put' ? `${change.entry.value}` : 'deleted'));

/** `told` grows: the values put under the prefix, `deleted`, or `gap`. */
export const follow = (
  store: KeyValueStore,
  prefix: string,
  { after, signal }: { readonly after: Revision; readonly signal?: AbortSignal },
) => {
  const told: string[] = [];
  const done = (async () => {
    for await (const event of store.watch(prefix, after, signal ?? new AbortController().signal))
      told.push(...toldBy(event));
  })();
  return { told, done };
};
