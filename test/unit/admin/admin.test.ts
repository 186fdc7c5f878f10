import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { Admin } from '../../../src/admin/admin.ts';
import { Audit } from '../../../src/admin/audit.ts';
import { Publisher } from '../../../src/admin/publisher.ts';
import { KEEP_MS } from '../../../src/admin/takeover-rule.ts';
import { HOLD_MS } from '../../../src/admin/vanish-rule.ts';
import { Election } from '../../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { LIMITS } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import type { CheckDefinition } from '../../../src/shared/domain/check.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { aCatalogue } from '../../support/fleet.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();
const checks = (count: number): CheckDefinition[] =>
  Array.from({ length: count }, (_, n) => aCheck(`host-${n}`));

describe('the admin', () => {
  let clock: ManualClock;
  let store: MemoryStore;

  /** What admins warned of, in order. */
  let warnings: string[];
  const join = (id: string) => {
    const log = { ...silentLog, warn: (message: string) => warnings.push(message) };
    const network = new FaultyStore(store);
    const random = seededRandom(1);
    const publishing = new Publishing({ store: network, keys });
    const admin = new Admin({
      election: new Election({ store: network, keys, clock, random, timing: LEASE_TIMING, id }),
      publisher: new Publisher({ publishing, clock, random }),
      audit: new Audit({ store: network, keys, clock, log: silentLog }),
      steering: { run: async () => {} },
      clock,
      random,
      log,
    });
    admin.start();
    return { admin, network };
  };
  const published = async (): Promise<number> => {
    let count = 0;
    for await (const { jobset } of new Publishing({ store, keys }).jobsets())
      count += jobset.jobs.length;
    return count;
  };

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    warnings = [];
  });

  it('publishes what it was offered before it led, and each newer state', async () => {
    const { admin } = join('a1');
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    expect(await published()).toBe(5);
    admin.offer(aCatalogue(checks(7)));
    await clock.advance(0);
    expect(await published()).toBe(7);
    expect(admin.status).toMatchObject({
      leading: true,
      published: { checks: 7, written: 1 },
      held: 0,
    });
  });

  it('publishes the newest of states that come while it publishes', async () => {
    const { admin } = join('a1');
    await clock.advance(0);
    for (const count of [3, 4, 5, 6]) admin.offer(aCatalogue(checks(count)));
    await clock.advance(0);
    expect(await published()).toBe(6);
  });

  it('publishes nothing while another leads, and its own state once it leads itself', async () => {
    const first = join('a1');
    await clock.advance(100);
    const second = join('a2');
    first.admin.offer(aCatalogue(checks(5)));
    second.admin.offer(aCatalogue(checks(9)));
    await clock.advance(10_000);
    expect(await published()).toBe(5);
    expect(second.admin.status.leading).toBe(false);
    await clock.until(first.admin[Symbol.asyncDispose]());
    second.admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    expect(second.admin.status.leading).toBe(true);
    second.admin.offer(aCatalogue(checks(7)));
    await clock.advance(0);
    expect(await published()).toBe(7);
  });

  describe('after another one that had another folder', () => {
    const takeOver = async () => {
      const first = join('a1');
      await clock.advance(100);
      const second = join('a2');
      first.admin.offer(aCatalogue(checks(5)));
      second.admin.offer(aCatalogue(checks(9)));
      await clock.advance(1000);
      await clock.until(first.admin[Symbol.asyncDispose]());
      await clock.advance(0);
      return second.admin;
    };

    it('keeps what is published, says for how long, and then publishes its own by itself', async () => {
      const admin = await takeOver();
      expect(admin.status).toMatchObject({ leading: true, waitingMs: KEEP_MS });
      await clock.advance(KEEP_MS - 1);
      expect(await published()).toBe(5);
      await clock.advance(1);
      expect(await published()).toBe(9);
      expect(admin.status.waitingMs).toBeNull();
    });

    it('publishes its own when that is confirmed', async () => {
      const admin = await takeOver();
      admin.confirm();
      await clock.advance(0);
      expect(await published()).toBe(9);
    });

    it('has nobody wait for a folder that waits', async () => {
      const admin = await takeOver();
      admin.offer(aCatalogue(checks(9)));
      await clock.until(admin.published());
      expect(admin.status.waitingMs).toBe(KEEP_MS);
    });
  });

  it('says why the ledger does not have what was offered, as long as that is so', async () => {
    const { admin } = join('a1');
    const newer = `${keys.jobsets}newer`;
    await store.commit([], [{ kind: 'put', key: newer, value: Buffer.from('{"v":2}') }]);
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    expect(admin.status.failing).toContain(`${newer} has version 2`);
    await store.commit([], [{ kind: 'delete', key: newer }]);
    const body = randomBytes(LIMITS.requestBytes * 1.1).toString('base64');
    const giant = aSpec({ request: { body } });
    admin.offer(aCatalogue([aCheck('giant', giant)]));
    await clock.advance(0);
    expect(admin.status.failing).toContain('1 jobsets could not be written');
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    expect(admin.status.failing).toBeNull();
  });

  it('tells once of what it cannot read, and again when it is something else', async () => {
    const { admin } = join('a1');
    const damage = (name: string) =>
      store.commit([], [{ kind: 'put', key: keys.jobsets + name, value: Buffer.from('?') }]);
    await damage('one');
    for (const count of [5, 6, 7]) {
      admin.offer(aCatalogue(checks(count)));
      await clock.advance(0);
    }
    expect(await published()).toBe(7);
    expect(warnings).toEqual([expect.stringContaining('cannot be read')]);
    await damage('two');
    admin.offer(aCatalogue(checks(8)));
    await clock.advance(0);
    expect(warnings).toHaveLength(2);
  });

  it('publishes again after a sweep, so that what was lost in the ledger comes back', async () => {
    const { admin } = join('a1');
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    const { entries } = await store.snapshot(keys.jobsets);
    await store.commit(
      [],
      entries.map(({ key }) => ({ kind: 'delete', key }) as const),
    );
    await clock.advance(60_000);
    expect(await published()).toBe(5);
  });

  it('publishes in the end though the store fails half-way', async () => {
    const { admin, network } = join('a1');
    await clock.advance(0);
    let commits = 0;
    network.nextFault = () => {
      commits += 1;
      return commits % 2 === 0 ? (commits % 4 === 0 ? 'request' : 'answer') : null;
    };
    admin.offer(aCatalogue(checks(1000)));
    await clock.advance(60_000);
    expect(await published()).toBe(1000);
  });

  it('takes away by itself what has been gone for ten minutes', async () => {
    const { admin } = join('a1');
    admin.offer(aCatalogue(checks(50)));
    await clock.advance(0);
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(HOLD_MS - 1);
    expect(admin.status.held).toBe(45);
    expect(await published()).toBe(50);
    await clock.advance(1);
    expect(admin.status.held).toBe(0);
    expect(await published()).toBe(5);
  });

  it('takes it away at once when told so', async () => {
    const { admin } = join('a1');
    admin.offer(aCatalogue(checks(50)));
    await clock.advance(0);
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(1000);
    admin.confirm();
    await clock.advance(0);
    expect(await published()).toBe(5);
  });

  it('does not take a confirmation for a later disappearance', async () => {
    const { admin } = join('a1');
    admin.offer(aCatalogue(checks(50)));
    await clock.advance(0);
    admin.confirm();
    await clock.advance(0);
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(0);
    expect(await published()).toBe(50);
  });

  it('goes on after a ledger that it could not read', async () => {
    const { admin } = join('a1');
    const newer = `${keys.jobsets}newer`;
    await store.commit([], [{ kind: 'put', key: newer, value: Buffer.from('{"v":2}') }]);
    admin.offer(aCatalogue(checks(5)));
    await clock.advance(1000);
    await store.commit([], [{ kind: 'delete', key: newer }]);
    admin.offer(aCatalogue(checks(6)));
    await clock.advance(1000);
    expect(await published()).toBe(6);
  });
});
