/** A worker whose store was wiped, or restored from older data: revisions, and with them tokens, begin again. */

import { beforeEach, expect, it } from 'vitest';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Operation } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import { encodeOwnership } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { aCheck } from '../../support/builders.ts';
import { aPool, type Member } from '../../support/pool.ts';

const JOBSET = 'js' as JobsetId;
const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };
const keys = new Keys();
const definitions = [aCheck('a')];

let pool: ReturnType<typeof aPool>;
let member: Member;
let store: MemoryStore;

beforeEach(async () => {
  pool = aPool();
  // So that no revision of the store after it comes near to a token.
  for (let n = 0; n < 1000; n += 1)
    await pool.store.commit([], [{ kind: 'put', key: 'noise', value: Buffer.alloc(1) }]);
  await pool.publish(JOBSET, definitions);
  member = pool.join('w1');
  await pool.clock.advance(5000);
  expect([...member.workload.held.keys()]).toEqual([JOBSET]);
  store = new MemoryStore({ clock: pool.clock });
});

const publish = (): Promise<boolean> => {
  const content = { old: null, id: JOBSET, source: 'folder', zone: null } as const;
  const replacement = { ...content, digest: digestOf(definitions), definitions };
  return new Publishing({ store, keys }).replace(replacement, TERM);
};

it('runs on what a wiped store does not know, until it is published anew', async () => {
  await member.network.becomes(store);
  await pool.clock.advance(8000);
  await publish();
  await pool.clock.advance(20_000);
  expect(member.workload.log).toEqual([`+${JOBSET}`, `+${JOBSET}`]);
});

it('runs on what an older copy says is its own, under a token of before', async () => {
  await publish();
  const { id } = await store.lease(5_000);
  const value = encodeOwnership({ worker: member.id as WorkerId, nonce: 'n', holdMs: 0 });
  await store.commit([], [{ kind: 'put', key: keys.owner(JOBSET), value, lease: id }]);
  await member.network.becomes(store);
  await pool.clock.advance(10_000);
  expect(member.workload.log).toEqual([`+${JOBSET}`, `+${JOBSET}`]);
});

it('gives up in the end what nobody publishes anew', async () => {
  await member.network.becomes(store);
  await pool.clock.advance(10_000);
  expect(member.workload.log).toEqual([`+${JOBSET}`]);
  await pool.clock.advance(10_000);
  expect(member.workload.log).toEqual([`+${JOBSET}`, `-${JOBSET}`]);
});

it('gives up what another one has, though under a token that is less than its own was', async () => {
  await publish();
  const other = await store.lease(3_600_000);
  const value = encodeOwnership({ worker: 'other' as WorkerId, nonce: 'n', holdMs: 0 });
  await store.commit([], [{ kind: 'put', key: keys.owner(JOBSET), value, lease: other.id }]);
  await member.network.becomes(store);
  await pool.clock.advance(10_000);
  expect(member.workload.log).toEqual([`+${JOBSET}`, `-${JOBSET}`]);
});

const revisionOf = async (key: string): Promise<number> =>
  (await pool.store.snapshot(key)).entries[0]?.modRevision ?? 0;

/** Until the next revision is this one. */
const fillUpTo = async (next: number): Promise<void> => {
  while ((await store.commit([], [])).revision < next - 1)
    await store.commit([], [{ kind: 'put', key: 'noise', value: Buffer.alloc(1) }]);
};

/** An older copy of the store, in which another one has since got the jobset under a given token. */
const restoredWith = async (token: number): Promise<void> => {
  await fillUpTo(await revisionOf(keys.jobset(JOBSET)));
  await publish();
  await fillUpTo(token);
  const { id } = await store.lease(3_600_000);
  const value = encodeOwnership({ worker: 'other' as WorkerId, nonce: 'n', holdMs: 0 });
  await store.commit([], [{ kind: 'put', key: keys.owner(JOBSET), value, lease: id }]);
};

const ownerNow = async (): Promise<unknown> => {
  const { entries } = await store.snapshot(keys.owner(JOBSET));
  return JSON.parse(`${entries[0]?.value}`).worker;
};

it('takes nothing from who has it now under the token that was its own before', async () => {
  await restoredWith(await revisionOf(keys.owner(JOBSET)));
  await member.network.becomes(store);
  await pool.clock.advance(10_000);
  expect(await ownerNow()).toBe('other');
  expect(member.workload.log).toEqual([`+${JOBSET}`, `-${JOBSET}`]);
});

it('takes nothing by what it saw before its watches lost their place', async () => {
  const next = pool.join('w2');
  await pool.clock.advance(1_000);
  next.network.nextFault = (then) => (isClaim(then) ? 'request' : null);
  await pool.clock.until(member.claimer.drain());
  await pool.clock.advance(3_000);
  await restoredWith(await revisionOf(keys.owner(JOBSET)));
  const seen = Promise.withResolvers<void>();
  next.network.beforeSnapshot = seen.promise;
  await next.network.becomes(store);
  await pool.clock.advance(3_000);
  next.network.nextFault = null;
  await pool.clock.advance(5_000);
  seen.resolve();
  await pool.clock.advance(2_000);
  expect(await ownerNow()).toBe('other');
});

const isClaim = (then: readonly Operation[]): boolean =>
  then.some((write) => write.kind === 'put' && write.key === keys.owner(JOBSET));
