import { beforeEach, describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import { decodeJobset, encodeOwnership } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { type Holding, moveFor } from '../../../src/worker/claiming.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { aPool, type Member } from '../../support/pool.ts';

const ids = (...names: string[]) => names as JobsetId[];

describe('what a worker does about a jobset', () => {
  const me = 'me' as WorkerId;
  const other = 'other' as WorkerId;
  const mine: Holding = { token: 50, revision: 10, proven: true };
  const mineNoMore: Holding = { ...mine, proven: false };

  it.each([
    [
      'nothing there, nothing held',
      { revision: 0, ownRevision: 0, owner: null, at: 0 },
      undefined,
      'none',
    ],
    [
      'free since it was made',
      { revision: 10, ownRevision: 0, owner: null, at: 0 },
      undefined,
      'claim',
    ],
    ['handed back', { revision: 10, ownRevision: 40, owner: null, at: 40 }, undefined, 'claim'],
    ['held by another', { revision: 10, ownRevision: 40, owner: other, at: 40 }, undefined, 'none'],
    [
      'claimed by an answer of its own that was lost',
      { revision: 10, ownRevision: 40, owner: me, at: 40 },
      undefined,
      'claim',
    ],
    ['held as claimed', { revision: 10, ownRevision: 50, owner: me, at: 50 }, mine, 'none'],
    ['changed while held', { revision: 60, ownRevision: 50, owner: me, at: 50 }, mine, 'reload'],
    ['withdrawn while held', { revision: 0, ownRevision: 0, owner: null, at: 60 }, mine, 'lose'],
    [
      'taken over by another',
      { revision: 10, ownRevision: 60, owner: other, at: 60 },
      mine,
      'lose',
    ],
    [
      'taken away by an admin',
      { revision: 10, ownRevision: 60, owner: null, at: 60 },
      mine,
      'lose',
    ],
    [
      'its owner key is deleted',
      { revision: 10, ownRevision: 0, owner: null, at: 60 },
      mine,
      'claim',
    ],
    [
      'without proof, and still free',
      { revision: 10, ownRevision: 0, owner: null, at: 60 },
      mineNoMore,
      'claim',
    ],
    [
      'without proof, the end of the lease not seen yet',
      { revision: 10, ownRevision: 50, owner: me, at: 50 },
      mineNoMore,
      'claim',
    ],
    [
      'without proof, and another has it',
      { revision: 10, ownRevision: 60, owner: other, at: 60 },
      mineNoMore,
      'lose',
    ],
    [
      'without proof, and withdrawn',
      { revision: 0, ownRevision: 0, owner: null, at: 60 },
      mineNoMore,
      'lose',
    ],
  ] as const)('%s', (_, sight, holding, move) => {
    expect(moveFor(me, { sight, waits: false, isAnothers: false }, holding)).toBe(move);
  });
});

describe('what a worker does about a jobset that the leader has a say in', () => {
  const me = 'me' as WorkerId;
  const held: Holding = { token: 50, revision: 10, proven: true };
  const asClaimed = { revision: 10, ownRevision: 50, owner: me, at: 50 };
  const vacant = { revision: 60, ownRevision: 60, owner: null, at: 60 };
  const plain = { waits: false, isAnothers: false };

  it.each([
    ['ordered elsewhere', { ...asClaimed, revision: 60 }, { isAnothers: true }, held, 'handOver'],
    [
      'ordered elsewhere, its new content read already',
      { ...asClaimed, revision: 60 },
      { isAnothers: true },
      { ...held, revision: 60 },
      'handOver',
    ],
    ['ordered elsewhere before it was claimed', asClaimed, { isAnothers: true }, held, 'none'],
    [
      'ordered elsewhere, which cannot be proven to be mine',
      { ...asClaimed, revision: 60, ownRevision: 0, owner: null, at: 60 },
      { isAnothers: true },
      { ...held, proven: false },
      'claim',
    ],
    ['put into the queue by me', vacant, { waits: true }, held, 'lose'],
    [
      'put into the queue by me, my lease having ended',
      vacant,
      { waits: true },
      { ...held, proven: false },
      'lose',
    ],
    ['taken from the queue by me', asClaimed, { waits: true }, { ...held, revision: 50 }, 'none'],
    ['in the queue', vacant, { waits: true }, undefined, 'claim'],
  ] as const)('%s', (_, sight, view, holding, move) => {
    expect(moveFor(me, { sight, ...plain, ...view }, holding)).toBe(move);
  });
});

describe('the claimer', () => {
  let pool: ReturnType<typeof aPool>;
  const held = (member: Member): string[] => [...member.workload.held.keys()].sort();
  const leave = (member: Member) => pool.clock.until(member.claimer.drain());

  beforeEach(() => {
    pool = aPool();
  });

  it('claims all that is free, with the definitions and a token for each', async () => {
    const definitions = [aCheck('a'), aCheck('b')];
    await pool.publish('js-1', definitions);
    await pool.publish('js-2', [aCheck('c')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(0);
    expect(held(w1)).toEqual(['js-1', 'js-2']);
    expect(w1.workload.held.get('js-1' as JobsetId)?.definitions).toEqual(definitions);
    expect(await pool.owners()).toEqual({ 'js-1': 'w1', 'js-2': 'w1' });
    const { entries } = await pool.store.snapshot(pool.keys.owner('js-1' as JobsetId));
    expect(w1.workload.held.get('js-1' as JobsetId)?.claim.token).toBe(
      String(entries[0]?.modRevision),
    );
    expect(w1.claimer.attached).toBe(true);
  });

  it('claims a jobset when it appears', async () => {
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    await pool.publish('js-1', [aCheck('a')]);
    await pool.clock.advance(0);
    expect(held(w1)).toEqual(['js-1']);
  });

  it('takes the new content of a jobset on, under the same token', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(0);
    const before = w1.workload.held.get('js-1' as JobsetId);
    await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
    await pool.clock.advance(0);
    const after = w1.workload.held.get('js-1' as JobsetId);
    expect(after?.definitions.map(({ key }) => key)).toEqual(['a', 'b']);
    expect(after?.claim).toEqual(before?.claim);
    expect(w1.workload.log).toEqual(['+js-1', '+js-1']);
  });

  it('drops a jobset that is withdrawn', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(0);
    await pool.withdraw('js-1');
    await pool.clock.advance(0);
    expect(held(w1)).toEqual([]);
    await pool.clock.advance(10_000);
    expect(w1.claimer.attached).toBe(true);
  });

  it('keeps what it holds for as long as it beats', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(3_600_000);
    expect(w1.workload.log).toEqual(['+js-1']);
    expect(w1.claimer.attached).toBe(true);
    expect(await pool.owners()).toEqual({ 'js-1': 'w1' });
  });

  it('tries at longer and longer intervals what the store goes on refusing', async () => {
    const w1 = pool.join('w1');
    await pool.clock.advance(1_000);
    let refused = 0;
    w1.network.nextFault = (then) => {
      const isClaim = then.some(
        (one) => one.kind === 'put' && one.key.startsWith(pool.keys.owners),
      );
      if (!isClaim) return null;
      refused += 1;
      return 'request';
    };
    for (let n = 0; n < 8; n += 1) await pool.publish(`js-${n}`, [aCheck(`a${n}`)]);
    await pool.clock.advance(60_000);
    expect(refused).toBeGreaterThan(60);
    expect(refused).toBeLessThan(700);
  });

  it('stores nothing about what it has given up, though its last runs say more of it', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1_000);
    await pool.withdraw('js-1');
    await pool.clock.advance(1_000);
    const asked: string[] = [];
    w1.workload.states = (id?: JobsetId) => {
      asked.push(String(id));
      return {};
    };
    w1.claimer.stateChanged('js-1' as JobsetId);
    await pool.clock.advance(10_000);
    expect(asked).toEqual([]);
  });

  it('leaves a jobset that it cannot read alone, until that changes', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const damaged = {
      kind: 'put',
      key: pool.keys.chunk('js-1' as JobsetId, 0),
      value: Buffer.from('x'),
    } as const;
    await pool.store.commit([], [damaged]);
    const w1 = pool.join('w1');
    await pool.clock.advance(0);
    const { revision } = await pool.store.snapshot(pool.keys.owners);
    await pool.clock.advance(60_000);
    expect((await pool.store.changes(pool.keys.owners, revision)).changed).toEqual([]);
    expect(held(w1)).toEqual([]);
    await pool.publish('js-1', [aCheck('b')]);
    await pool.clock.advance(0);
    expect(held(w1)).toEqual(['js-1']);
  });

  it('does not take on again what it lost while the new content was under way', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    w1.network.beforeAnswer = () => pool.clock.sleep(500);
    await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
    await pool.clock.advance(100);
    await pool.withdraw('js-1');
    await pool.clock.advance(5000);
    expect(held(w1)).toEqual([]);
  });

  it('goes on with the old content where the new one cannot be read', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(0);
    const jobset = pool.keys.jobset('js-1' as JobsetId);
    const { entries } = await pool.store.snapshot(jobset);
    await pool.store.commit(
      [],
      [
        { kind: 'put', key: jobset, value: entries[0]?.value ?? Buffer.alloc(0) },
        { kind: 'put', key: pool.keys.chunk('js-1' as JobsetId, 0), value: Buffer.from('x') },
      ],
    );
    await pool.clock.advance(10_000);
    expect(w1.workload.log).toEqual(['+js-1']);
  });

  it('settles with many others who holds what: each jobset once', async () => {
    for (let n = 0; n < 50; n += 1) await pool.publish(`js-${n}`, [aCheck(`check-${n}`)]);
    const members = Array.from({ length: 20 }, (_, n) => pool.join(`w${n}`));
    await pool.clock.advance(10_000);
    const all = members.flatMap(held);
    expect(all.length).toBe(50);
    expect(new Set(all).size).toBe(50);
    const owners = await pool.owners();
    for (const member of members) for (const id of held(member)) expect(owners[id]).toBe(member.id);
  });

  it('leaves most claims to others, in turn: a failed claim is rare when a worker dies', async () => {
    for (let n = 0; n < 60; n += 1) await pool.publish(`js-${n}`, [aCheck(`check-${n}`)]);
    const members = Array.from({ length: 10 }, (_, n) => pool.join(`w${n}`));
    await pool.clock.advance(10_000);
    const [dead, ...others] = members as [Member, ...Member[]];
    const vacancies = held(dead).length;
    let claims = 0;
    for (const { network } of others) {
      network.nextFault = (then) => {
        if (then.some(({ kind }) => kind === 'list')) claims += 1;
        return null;
      };
    }
    dead.network.cut = true;
    await pool.clock.advance(10_000);
    expect(others.flatMap(held).length).toBe(60);
    expect(claims).toBeGreaterThanOrEqual(vacancies);
    expect(claims).toBeLessThanOrEqual(1.5 * vacancies);
  });

  describe('told by the leader who is to run a jobset', () => {
    const ids = Array.from({ length: 14 }, (_, n) => `js-${n}`);
    const waiting = { reason: 'late', since: 0, by: 'w9' as WorkerId, load: 1 } as const;
    const w2 = 'w2' as WorkerId;
    const join = async (...names: string[]) => {
      const members = names.map((name) => pool.join(name));
      await pool.clock.advance(3_000);
      return members as [Member, Member, Member];
    };

    it('hands it over to that one, which takes it at once', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      await join('w1');
      await join('w2', 'w3', 'w4');
      await pool.place('js-1', { moveTo: w2 });
      await pool.clock.advance(1);
      expect(await pool.owners()).toEqual({ 'js-1': 'w2' });
    });

    it('hands ten over at a time', async () => {
      for (const id of ids) await pool.publish(id, [aCheck(id)]);
      const [w1] = await join('w1');
      await join('w2');
      const ends: (() => void)[] = [];
      w1.workload.quiet = () => new Promise((resolve) => ends.push(resolve));
      for (const id of ids) await pool.place(id, { moveTo: w2 });
      await pool.clock.advance(1_000);
      expect(held(w1)).toHaveLength(4);
      for (const end of ends.splice(0)) end();
      await pool.clock.advance(1_000);
      for (const end of ends.splice(0)) end();
      await pool.clock.advance(1_000);
      expect(new Set(Object.values(await pool.owners()))).toEqual(new Set(['w2']));
    });

    it('keeps it while the one that is to run it is not there', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const [w1] = await join('w1');
      await pool.place('js-1', { moveTo: w2 });
      await pool.clock.advance(10_000);
      expect(w1.workload.log).toEqual(['+js-1', '+js-1']);
    });

    it('keeps it while it cannot prove that it is its own', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const [w1] = await join('w1');
      await join('w2');
      w1.network.nextFault = () => 'answer';
      await pool.clock.advance(4_700);
      expect(w1.claimer.attached).toBe(false);
      await pool.place('js-1', { moveTo: w2 });
      await pool.clock.advance(500);
      expect(held(w1)).toEqual(['js-1']);
    });

    it('takes no new content on while it hands it over, and has it back if that fails', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const [w1] = await join('w1');
      await join('w2');
      let end = () => {};
      w1.workload.quiet = () => new Promise((resolve) => (end = resolve));
      await pool.place('js-1', { moveTo: w2 });
      await pool.clock.advance(100);
      await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
      await pool.clock.advance(100);
      expect(w1.workload.log).toEqual(['+js-1', '-js-1']);
      await pool.place('js-1', { moveTo: null });
      w1.network.nextFault = () => 'request';
      end();
      await pool.clock.advance(10);
      w1.network.nextFault = null;
      await pool.clock.advance(3_000);
      expect(held(w1)).toEqual(['js-1']);
      expect(await pool.owners()).toEqual({ 'js-1': 'w1' });
    });

    it('leaves what waits to the leader, and takes it out of the queue when there is none', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      await pool.place('js-1', { waiting });
      const [w1] = await join('w1');
      await pool.clock.advance(26_000);
      expect(held(w1)).toEqual([]);
      await pool.clock.advance(2_000);
      expect(held(w1)).toEqual(['js-1']);
      const { entries } = await pool.store.snapshot(pool.keys.jobsets);
      expect(decodeJobset('js-1' as JobsetId, entries[0] as Entry).waiting).toBe(null);
    });

    it('looks at what it put off as soon as it has room again', async () => {
      const [w1] = await join('w1');
      w1.load.isFull = true;
      await pool.clock.advance(3_000);
      await pool.publish('js-1', [aCheck('a')]);
      await pool.place('js-1', { waiting });
      await pool.clock.advance(60_000);
      expect(held(w1)).toEqual([]);
      w1.load.isFull = false;
      await pool.clock.advance(33_000);
      expect(held(w1)).toEqual(['js-1']);
    });
  });

  it('shares what comes free while all start: none holds much more than its part', async () => {
    const members = Array.from({ length: 4 }, (_, n) => pool.join(`w${n}`));
    await pool.clock.advance(1_000);
    for (let n = 0; n < 40; n += 1) {
      await pool.publish(`js-${n}`, [aCheck(`check-${n}`)]);
      await pool.clock.advance(1_000);
    }
    for (const member of members) {
      expect(held(member).length).toBeGreaterThanOrEqual(8);
      expect(held(member).length).toBeLessThanOrEqual(13);
    }
  });

  it('takes at once what somebody has put under its lease', async () => {
    const [w1] = [pool.join('w1'), pool.join('w2')];
    await pool.clock.advance(1_000);
    await pool.publish('js-1', [aCheck('a')]);
    const { entries } = await pool.store.snapshot(pool.keys.worker('w1' as WorkerId));
    const lease = entries[0]?.lease as string;
    const id = 'js-1' as JobsetId;
    const ownership = { worker: 'w1' as WorkerId, nonce: 'n', holdMs: 0 };
    const value = encodeOwnership(ownership);
    await pool.store.commit([], [{ kind: 'put', key: pool.keys.owner(id), value, lease }]);
    await pool.clock.advance(5_000);
    expect(held(w1 as Member)).toEqual(['js-1']);
  });

  it('waits with what was taken from a worker by force, for as long as that may still run it', async () => {
    const id = 'js-1' as JobsetId;
    const value = encodeOwnership({ worker: null, nonce: 'n', holdMs: 7_000 });
    await pool.store.commit([], [{ kind: 'put', key: pool.keys.owner(id), value }]);
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(6_900);
    expect(held(w1)).toEqual([]);
    await pool.clock.advance(500);
    expect(held(w1)).toEqual(['js-1']);
  });

  it('waits no longer with it because its record is written meanwhile', async () => {
    const id = 'js-1' as JobsetId;
    const value = encodeOwnership({ worker: null, nonce: 'n', holdMs: 7_000 });
    await pool.store.commit([], [{ kind: 'put', key: pool.keys.owner(id), value }]);
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(6_000);
    await pool.place('js-1', { moveTo: null });
    await pool.clock.advance(1_400);
    expect(held(w1)).toEqual(['js-1']);
  });

  it('takes back what it has given away, when nobody else does', async () => {
    const id = 'js-1' as JobsetId;
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(500);
    const value = encodeOwnership({ worker: null, nonce: 'n', holdMs: 0 });
    await pool.store.commit([], [{ kind: 'put', key: pool.keys.owner(id), value }]);
    await pool.clock.advance(500);
    expect(w1.workload.log).toEqual(['+js-1', '-js-1', '+js-1']);
  });

  it('tells the ledger that it holds a jobset even if new content comes before its first beat', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(100);
    await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
    await pool.clock.advance(3_000);
    const { entries } = await pool.store.snapshot(pool.keys.checkpoint('js-1' as JobsetId));
    expect(held(w1)).toEqual(['js-1']);
    expect(JSON.parse(entries[0]?.value.toString() ?? '{}')).toMatchObject({ worker: 'w1' });
  });

  it('lets go of a jobset whose record is damaged, and keeps one that only a newer watcher can read', async () => {
    for (const id of ['damaged', 'newer']) await pool.publish(id, [aCheck(id)]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1_000);
    const put = (id: string, text: string) =>
      pool.store.commit(
        [],
        [{ kind: 'put', key: pool.keys.jobset(id as JobsetId), value: Buffer.from(text) }],
      );
    await put('damaged', '{"v":1}');
    await put('newer', '{"v":2}');
    await pool.clock.advance(5_000);
    expect(held(w1)).toEqual(['newer']);
  });

  it('claims in the end whatever answers are lost', async () => {
    for (let n = 0; n < 30; n += 1) await pool.publish(`js-${n}`, [aCheck(`check-${n}`)]);
    const w1 = pool.join('w1');
    w1.network.nextFault = () => {
      const luck = pool.random.next();
      return luck < 0.2 ? 'answer' : luck < 0.4 ? 'request' : luck < 0.5 ? 'repeated' : null;
    };
    await pool.clock.advance(60_000);
    w1.network.nextFault = null;
    await pool.clock.advance(10_000);
    expect(held(w1).length).toBe(30);
    const { entries } = await pool.store.snapshot(pool.keys.owners);
    for (const entry of entries) {
      const jobset = w1.workload.held.get(pool.keys.ownedJobsetOf(entry.key));
      expect(jobset?.claim.token).toBe(String(entry.modRevision));
    }
    expect(w1.claimer.attached).toBe(true);
  });

  describe('cut off from the store', () => {
    let w1: Member;
    beforeEach(async () => {
      await pool.publish('js-1', [aCheck('a')]);
      await pool.publish('js-2', [aCheck('b')]);
      w1 = pool.join('w1');
      await pool.clock.advance(1000);
    });

    it('is detached before its lease ends, and keeps running what it holds', async () => {
      w1.network.cut = true;
      const isOwned = async () => (await pool.owners())['js-1'] === 'w1';
      while (w1.claimer.attached) await pool.clock.advance(100);
      expect(await isOwned()).toBe(true);
      await pool.clock.advance(1300);
      expect(await isOwned()).toBe(true);
      await pool.clock.advance(60_000);
      expect(await isOwned()).toBe(false);
      expect(held(w1)).toEqual(['js-1', 'js-2']);
    });

    it('claims again what nobody else has, without having stopped it', async () => {
      w1.network.cut = true;
      await pool.clock.advance(60_000);
      w1.network.heal();
      await pool.clock.advance(3000);
      expect(await pool.owners()).toEqual({ 'js-1': 'w1', 'js-2': 'w1' });
      expect(w1.workload.log).toEqual(['+js-1', '+js-2', '+js-1', '+js-2']);
      expect(w1.claimer.attached).toBe(true);
    });

    it('keeps its claims and tokens when it is back before the lease has ended', async () => {
      const tokens = () => [...w1.workload.held.values()].map(({ claim }) => claim.token);
      const before = tokens();
      w1.network.cut = true;
      await pool.clock.advance(3500);
      w1.network.heal();
      await pool.clock.advance(3000);
      expect(tokens()).toEqual(before);
      expect(w1.claimer.attached).toBe(true);
    });

    it('gives up what another has taken, as soon as it is back', async () => {
      w1.network.cut = true;
      await pool.clock.advance(1000);
      const w2 = pool.join('w2');
      await pool.clock.advance(10_000);
      expect(held(w2)).toEqual(['js-1', 'js-2']);
      expect(held(w1)).toEqual(['js-1', 'js-2']);
      expect(w1.claimer.attached).toBe(false);
      w1.network.heal();
      await pool.clock.advance(2000);
      expect(held(w1)).toEqual([]);
      expect(await pool.owners()).toEqual({ 'js-1': 'w2', 'js-2': 'w2' });
      expect(w1.claimer.attached).toBe(true);
    });

    it('takes nothing new meanwhile', async () => {
      w1.network.cut = true;
      await pool.clock.advance(10_000);
      await pool.publish('js-3', [aCheck('c')]);
      await pool.clock.advance(10_000);
      expect(held(w1)).toEqual(['js-1', 'js-2']);
      w1.network.heal();
      await pool.clock.advance(2000);
      expect(held(w1)).toEqual(['js-1', 'js-2', 'js-3']);
    });
  });

  describe('whose watches stand still', () => {
    let w1: Member;
    beforeEach(async () => {
      await pool.publish('js-1', [aCheck('a')]);
      await pool.publish('js-2', [aCheck('b')]);
      w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.network.blind = true;
    });

    it('gives up at its next beat what was taken away, and keeps the rest', async () => {
      await pool.withdraw('js-1');
      await pool.clock.advance(2200);
      expect(held(w1)).toEqual(['js-2']);
      expect(w1.claimer.attached).toBe(true);
    });

    it('claims again after a lost lease what nobody has, without having stopped it', async () => {
      w1.network.cut = true;
      await pool.clock.advance(60_000);
      w1.network.cut = false;
      await pool.clock.advance(5000);
      expect(w1.workload.log).toEqual(['+js-1', '+js-2', '+js-1', '+js-2']);
      expect(await pool.owners()).toEqual({ 'js-1': 'w1', 'js-2': 'w1' });
    });

    it('gives up after a lost lease what another has', async () => {
      w1.network.cut = true;
      await pool.clock.advance(10_000);
      const w2 = pool.join('w2');
      await pool.clock.advance(1000);
      w1.network.cut = false;
      await pool.clock.advance(5000);
      expect(held(w1)).toEqual([]);
      expect(held(w2)).toEqual(['js-1', 'js-2']);
    });
  });

  it('can prove nothing until it has claimed again all that it runs', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    w1.network.cut = true;
    await pool.clock.advance(10_000);
    const owner = pool.keys.owner('js-1' as JobsetId);
    w1.network.nextFault = (then) =>
      then.some((operation) => operation.kind === 'put' && operation.key === owner)
        ? 'request'
        : null;
    w1.network.heal();
    await pool.clock.advance(3000);
    expect((await pool.store.snapshot(pool.keys.worker('w1' as WorkerId))).entries.length).toBe(1);
    expect(w1.claimer.attached).toBe(false);
    w1.network.nextFault = null;
    await pool.clock.advance(1000);
    expect(w1.claimer.attached).toBe(true);
    expect(w1.workload.log).toEqual(['+js-1', '+js-1']);
  });

  it('hands over within the lease and half a second when a worker dies', async () => {
    for (let n = 0; n < 20; n += 1) await pool.publish(`js-${n}`, [aCheck(`check-${n}`)]);
    const dead = pool.join('w1');
    await pool.clock.advance(5000);
    const w2 = pool.join('w2');
    await pool.clock.advance(5000);
    expect(held(w2)).toEqual([]);
    dead.network.cut = true;
    await pool.clock.advance(6500);
    expect(held(w2).length).toBe(20);
  });

  it('is detached at once after a pause longer than its lease, before any timer has run', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    pool.clock.stall(6000);
    expect(w1.claimer.attached).toBe(false);
    await pool.clock.advance(2000);
    expect(w1.claimer.attached).toBe(true);
    expect(held(w1)).toEqual(['js-1']);
  });

  it('is detached while the wall clock has leapt, until its next beat', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    pool.clock.stepWall(3_600_000);
    expect(w1.claimer.attached).toBe(false);
    await pool.clock.advance(2200);
    expect(w1.claimer.attached).toBe(true);
    pool.clock.stepWall(-7_200_000);
    await pool.clock.advance(60_000);
    expect(w1.claimer.attached).toBe(true);
    expect(w1.workload.log).toEqual(['+js-1']);
  });

  it('takes on what has changed while its clock was wrong, once it is right again', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    pool.clock.stepWall(3_600_000);
    await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
    await pool.clock.advance(100);
    pool.clock.stepWall(-3_600_000);
    await pool.clock.advance(5000);
    expect(w1.workload.held.get('js-1' as JobsetId)?.definitions).toHaveLength(2);
  });

  it('is not taken in by a wall clock that was set back', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    w1.network.cut = true;
    pool.clock.stepWall(-3_600_000);
    await pool.clock.advance(4600);
    expect(w1.claimer.attached).toBe(false);
  });

  it('claims a jobset again whose owner key somebody has deleted, without stopping it', async () => {
    await pool.publish('js-1', [aCheck('a')]);
    const w1 = pool.join('w1');
    await pool.clock.advance(1000);
    await pool.store.commit([], [{ kind: 'delete', key: pool.keys.owner('js-1' as JobsetId) }]);
    await pool.clock.advance(1000);
    expect(w1.workload.log).toEqual(['+js-1', '+js-1']);
    expect(await pool.owners()).toEqual({ 'js-1': 'w1' });
  });

  describe('draining', () => {
    it('hands everything back, and another has it at once', async () => {
      for (const id of ['js-1', 'js-2', 'js-3']) await pool.publish(id, [aCheck(id)]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      const w2 = pool.join('w2');
      await pool.clock.advance(1000);
      const before = pool.clock.now();
      await leave(w1);
      await pool.clock.advance(0);
      expect(pool.clock.now()).toBe(before);
      expect(held(w1)).toEqual([]);
      expect(held(w2)).toEqual(['js-1', 'js-2', 'js-3']);
      expect(w1.claimer.state).toBe('stopped');
      expect((await pool.store.snapshot(pool.keys.worker('w1' as WorkerId))).entries).toEqual([]);
    });

    it('keeps a jobset its own until its runs in flight have ended', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      const w2 = pool.join('w2');
      w1.workload.quiet = () => pool.clock.sleep(4000);
      const drained = w1.claimer.drain();
      await pool.clock.advance(3999);
      expect(await pool.owners()).toEqual({ 'js-1': 'w1' });
      expect(held(w2)).toEqual([]);
      await pool.clock.advance(2);
      await drained;
      expect(held(w2)).toEqual(['js-1']);
    });

    it('tells the others from the beginning', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.workload.quiet = () => pool.clock.sleep(4000);
      const drained = w1.claimer.drain();
      await pool.clock.advance(10);
      const { entries } = await pool.store.snapshot(pool.keys.worker('w1' as WorkerId));
      expect(JSON.parse(String(entries[0]?.value)).state).toBe('draining');
      await pool.clock.advance(5000);
      await drained;
    });

    it('takes nothing more, and no new content', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.workload.quiet = () => pool.clock.sleep(4000);
      const drained = w1.claimer.drain();
      await pool.publish('js-1', [aCheck('a', aSpec({ failAfter: 2 }))]);
      await pool.publish('js-2', [aCheck('b')]);
      await pool.clock.advance(5000);
      await drained;
      expect(w1.workload.log).toEqual(['+js-1', '-js-1']);
    });

    it('hands back what an answer under way gives it', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.network.beforeAnswer = () => pool.clock.sleep(500);
      w1.workload.quiet = () => pool.clock.sleep(10_000);
      await pool.publish('js-2', [aCheck('b')]);
      await pool.clock.advance(100);
      const w2 = pool.join('w2');
      const drained = w1.claimer.drain();
      await pool.clock.advance(3000);
      expect(w1.workload.log).toEqual(['+js-1', '-js-1']);
      expect(held(w2)).toEqual(['js-2']);
      await pool.clock.until(drained);
    });

    it('does not take on again what an answer under way tells anew', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.network.beforeAnswer = () => pool.clock.sleep(500);
      w1.workload.quiet = () => pool.clock.sleep(10_000);
      await pool.publish('js-1', [aCheck('a'), aCheck('b')]);
      await pool.clock.advance(100);
      const drained = w1.claimer.drain();
      await pool.clock.until(drained);
      expect(w1.workload.log).toEqual(['+js-1', '-js-1']);
    });

    it('ends after its time though runs hang, and the lease frees the rest', async () => {
      for (const id of ids('js-1', 'js-2')) await pool.publish(id, [aCheck(id)]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.workload.quiet = (id) => (id === 'js-1' ? new Promise(() => {}) : Promise.resolve());
      const drained = w1.claimer.drain();
      await pool.clock.advance(25_000);
      await drained;
      const w2 = pool.join('w2');
      await pool.clock.advance(0);
      expect(held(w2)).toEqual(['js-1', 'js-2']);
    });

    it('ends after its time though the store is away', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      w1.network.cut = true;
      await leave(w1);
      expect(w1.claimer.state).toBe('stopped');
      expect(held(w1)).toEqual([]);
    });

    it('is done once, however often it is asked for', async () => {
      await pool.publish('js-1', [aCheck('a')]);
      const w1 = pool.join('w1');
      await pool.clock.advance(1000);
      await pool.clock.until(Promise.all([w1.claimer.drain(), w1.claimer.drain()]));
      expect(w1.workload.log).toEqual(['+js-1', '-js-1']);
    });
  });
});
