import { deflateRawSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { AVOID_MS } from '../../../src/admin/sweep.ts';
import { encodeDefinitions } from '../../../src/shared/coordination/definitions.ts';
import type { Entry, KeyValueStore } from '../../../src/shared/coordination/kv.ts';
import { encodeCheckpoint } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import { NO_LOAD } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { type AuditedLedger, aLedger, meddled, named, TERM } from './auditing.ts';

const J1 = 'j1' as JobsetId;
const J2 = 'j2' as JobsetId;
const W1 = 'w1' as WorkerId;

const vacant = { v: 1, worker: null, nonce: 'n', holdMs: 0 };
const heldBy = (worker: string) => ({ v: 1, worker, nonce: 'n', holdMs: 0 });
const handedBack = { v: 1, worker: null, progress: { through: 0, open: [] }, states: {} };

const suspects = { v: 1, by: 'w1', jobs: {} };

interface Moments {
  readonly back: number;
  readonly claims: number;
  readonly dies: number;
}

/** Every way in which the three can fall between so many calls, one after the other. */
const inOrder = (calls: number): Moments[] => {
  const from = (first: number) => Array.from({ length: calls - first }, (_, n) => first + n);
  return from(0).flatMap((back) =>
    from(back).flatMap((claims) => from(claims).map((dies) => ({ back, claims, dies }))),
  );
};

describe('the audit', () => {
  let ledger: AuditedLedger;
  const sweep = () => ledger.auditOn().sweep(TERM);

  beforeEach(() => {
    ledger = aLedger();
  });

  it('writes nothing to a ledger that is whole', async () => {
    const { publish, join, claim, beat, put, keys } = ledger;
    await publish('j1', named('a', 'b'));
    await publish('j2', named('c'), { avoid: [W1] });
    await publish('j3', named('d'));
    const by = await join('w1');
    const claims = [await claim('j1', by), await claim('j2', by)].flatMap((c) => c ?? []);
    await beat(by, claims);
    await ledger.ledger.release(claims[1]!, { progress: { through: 1, open: [] }, states: {} });
    await put(keys.epoch, { v: 1, epoch: 'e', schema: 1 });
    const before = await ledger.revision();
    expect(await sweep()).toEqual({ repaired: {}, failed: 0, findings: [] });
    expect(await ledger.revision()).toBe(before);
  });

  it('takes away what is about jobsets that are gone', async () => {
    const { put, keys, publish, store } = ledger;
    await publish('j1', named('a'));
    await publish('j2', named('b'));
    await put(keys.owner(J2), vacant);
    await put(keys.checkpoint(J2), handedBack);
    await put(keys.suspects(J1), suspects);
    await put(keys.suspects(J2), suspects);
    await store.commit([], [{ kind: 'delete', key: keys.jobset(J2) }]);
    expect((await sweep()).repaired).toEqual({
      owner_without_jobset: 1,
      checkpoint_without_jobset: 1,
      definitions_without_jobset: 1,
      suspects_without_jobset: 1,
    });
    expect(ledger.repairs.toSorted()).toEqual([
      'checkpoint_without_jobset',
      'definitions_without_jobset',
      'owner_without_jobset',
      'suspects_without_jobset',
    ]);
    expect(await ledger.allKeys()).toEqual(['def/j1/0', 'jobset/j1', 'suspects/j1']);
  });

  it('takes away chunks beyond those that their jobset counts', async () => {
    const { put, keys, publish, get } = ledger;
    await publish('j1', named('a'));
    await publish('j2', named('b'));
    await put(keys.chunk(J1, 1), (await get(keys.chunk(J2, 0)))!.value);
    expect((await sweep()).repaired).toEqual({ definitions_without_jobset: 1 });
    expect(await ledger.content()).toEqual({ j1: ['a'], j2: ['b'] });
  });

  it('takes an empty jobset away with all that is about it, unless somebody holds it', async () => {
    const { put, keys, publish, join, claim } = ledger;
    await publish('j1', []);
    await put(keys.owner(J1), vacant);
    await put(keys.checkpoint(J1), handedBack);
    await put(keys.suspects(J1), suspects);
    await publish('j2', []);
    const by = await join('w1');
    await claim('j2', by);
    expect((await sweep()).repaired).toEqual({ jobset_empty: 1 });
    expect(await ledger.allKeys()).toEqual(['def/j2/0', 'jobset/j2', 'own/j2', 'worker/w1']);
    await by.lease.revoke();
    await sweep();
    expect(await ledger.allKeys()).toEqual([]);
  });

  describe('of what the leader has ordered', () => {
    const W2 = 'w2' as WorkerId;
    const ordered = async (to: WorkerId): Promise<void> => {
      const { publish, join, claim } = ledger;
      await publish('j1', named('a'));
      await claim('j1', await join('w1'));
      await publish('j1', named('a'), { moveTo: to });
    };
    const order = async () => (await ledger.picture()).jobsets.get(J1)?.record?.moveTo;

    it('leaves an order that has yet to be obeyed', async () => {
      await ordered(W2);
      await ledger.join('w2');
      expect((await sweep()).repaired).toEqual({});
      expect(await order()).toBe('w2');
    });

    it('leaves one whose jobset was handed over and is to be claimed', async () => {
      await ordered(W2);
      await ledger.join('w2');
      await ledger.put(ledger.keys.owner(J1), vacant);
      expect((await sweep()).repaired).toEqual({});
    });

    it('takes back one whose worker is gone', async () => {
      await ordered('gone' as WorkerId);
      expect((await sweep()).repaired).toEqual({ order_void: 1 });
      expect(await order()).toBeNull();
      expect(await ledger.content()).toEqual({ j1: ['a'] });
    });

    it('takes back one that has been obeyed', async () => {
      await ordered(W1);
      expect((await sweep()).repaired).toEqual({ order_void: 1 });
      expect(await order()).toBeNull();
    });

    it('takes back one that somebody else was quicker than', async () => {
      const { publish, join, claim } = ledger;
      await join('w2');
      await publish('j1', named('a'), { moveTo: W2 });
      await claim('j1', await join('w1'));
      expect((await sweep()).repaired).toEqual({ order_void: 1 });
    });

    it('takes nothing back when its worker comes at this moment', async () => {
      await ordered(W2);
      let calls = 0;
      const between = async () => {
        calls += 1;
        if (calls === 8) await ledger.join('w2');
      };
      await ledger.auditOn(meddled(ledger.store, between)).sweep(TERM);
      expect(await order()).toBe('w2');
    });
  });

  it('leaves what waits for a place where it is', async () => {
    const waiting = { reason: 'full', since: 0, by: W1, load: 1 } as const;
    await ledger.publish('j1', named('a'), { waiting });
    await ledger.put(ledger.keys.owner(J1), vacant);
    expect(await sweep()).toEqual({ repaired: {}, failed: 0, findings: [] });
    expect((await ledger.picture()).jobsets.get(J1)?.record?.waiting).toEqual(waiting);
  });

  it('frees a jobset whose claim has no lease or no worker', async () => {
    const { put, keys, publish, join, store } = ledger;
    await join('w1');
    const { id } = await store.lease(6000);
    for (const name of ['j1', 'j2', 'j3']) await publish(name, named(name));
    await put(keys.owner(J1), heldBy('w1'));
    await put(keys.owner(J2), heldBy('nobody'), id);
    await put(keys.owner('j3' as JobsetId), vacant);
    expect((await sweep()).repaired).toEqual({ claim_void: 2 });
    expect((await ledger.allKeys()).filter((key) => key.startsWith('own/'))).toEqual(['own/j3']);
  });

  it('takes away a worker that nothing would ever end', async () => {
    const { put, keys, join } = ledger;
    await join('w1');
    const ghost = {
      state: 'up',
      capacity: { places: 256, jobs: null },
      host: 'h',
      version: '0',
      zone: null,
      listen: null,
      started: 0,
    };
    await put(keys.worker('w2' as WorkerId), { v: 1, ...ghost });
    expect((await sweep()).repaired).toEqual({ worker_without_lease: 1 });
    expect(await ledger.allKeys()).toEqual(['worker/w1']);
  });

  describe('of progress', () => {
    it('keeps that of a worker that is gone for as long as a checkpoint names it', async () => {
      const { publish, join, claim, beat } = ledger;
      await publish('j1', named('a'));
      const [by, next] = [await join('w1'), await join('w2')];
      await beat(by, [(await claim('j1', by))!]);
      await by.lease.revoke();
      await sweep();
      expect(await ledger.allKeys()).toContain('progress/w1');
      await beat(next, [(await claim('j1', next))!]);
      expect((await sweep()).repaired).toEqual({ progress_unused: 1 });
      expect(await ledger.allKeys()).not.toContain('progress/w1');
      expect(await ledger.allKeys()).toContain('progress/w2');
    });

    it('keeps that of a worker that is there', async () => {
      const by = await ledger.join('w1');
      await ledger.beat(by, []);
      await sweep();
      expect(await ledger.allKeys()).toContain('progress/w1');
    });

    /** w1 comes back, claims j1 and dies: each before the n-th call of the sweep. */
    const returning = async (
      when: Record<'back' | 'claims' | 'dies', number>,
    ): Promise<string[]> => {
      const { store, keys, join, claim, beat, publish, auditOn, allKeys } = aLedger();
      await publish('j1', named('a'));
      await beat(await join('w2'), []);
      let by = await join('w1');
      await beat(by, []);
      await by.lease.revoke();
      const comeBack = async () => {
        by = await join('w1');
        await beat(by, []);
      };
      /** The later part of a beat in several transactions: the progress came before it. */
      const beNamed = async () => {
        const held = { key: keys.owner(J1), modRevision: (await claim('j1', by))?.token ?? 0 };
        const value = encodeCheckpoint({ worker: W1, progress: null, states: {} });
        await store.commit([held], [{ kind: 'put', key: keys.checkpoint(J1), value }]);
      };
      let calls = 0;
      const between = async () => {
        if (calls === when.back) await comeBack();
        if (calls === when.claims) await beNamed();
        if (calls === when.dies) await by.lease.revoke();
        calls += 1;
      };
      await auditOn(meddled(store, between)).sweep(TERM);
      return allKeys();
    };

    it('keeps that of a worker that comes back, is named and dies, at whatever moments', async () => {
      for (const moments of inOrder(8)) {
        const left = await returning(moments);
        if (left.includes('ck/j1')) expect(left).toContain('progress/w1');
      }
    });

    it('keeps all of it while a checkpoint that only a newer watcher can read may name it', async () => {
      const { put, keys, publish, drop } = ledger;
      await publish('j1', named('a'));
      await put(keys.checkpoint(J1), { v: 2, whose: 'w1' });
      await put(keys.progress(W1), { v: 1, through: 0, open: [], left: {} });
      await sweep();
      expect(await ledger.allKeys()).toContain('progress/w1');
      await drop(keys.checkpoint(J1));
      await sweep();
      expect(await ledger.allKeys()).not.toContain('progress/w1');
    });
  });

  describe('of a job in two jobsets', () => {
    it('leaves it where it is owned, with its definition', async () => {
      const { publish, join, claim } = ledger;
      await publish('j1', named('a', 'b', 'c'));
      await publish('j2', named('b', 'd'));
      const by = await join('w1');
      const claimed = await claim('j2', by);
      expect((await sweep()).repaired).toEqual({ job_doubled: 1 });
      expect(await ledger.content()).toEqual({ j1: ['a', 'c'], j2: ['b', 'd'] });
      expect((await ledger.get(ledger.keys.owner(J2)))?.modRevision).toBe(claimed?.token);
      expect((await ledger.get(ledger.keys.jobset(J2)))?.modRevision).toBe(claimed?.revision);
    });

    it('leaves it in the older one where both or none are owned', async () => {
      const { publish, join, claim } = ledger;
      await publish('j2', named('a', 'b'));
      await publish('j1', named('b', 'c'));
      await sweep();
      expect(await ledger.content()).toEqual({ j1: ['c'], j2: ['a', 'b'] });
      await publish('j1', named('b', 'c'));
      const by = await join('w1');
      await claim('j1', by);
      await claim('j2', by);
      await sweep();
      expect(await ledger.content()).toEqual({ j1: ['c'], j2: ['a', 'b'] });
    });

    it('writes the rest as the publisher would, and keeps what it does not know', async () => {
      const { publish, get, keys, put } = ledger;
      await publish('j1', named('a', 'b'), { zone: 'z' });
      const record = JSON.parse(String((await get(keys.jobset(J1)))?.value));
      await publish('j2', named('b'));
      const by = await ledger.join('w1');
      await ledger.claim('j2', by);
      await put(keys.jobset(J1), { ...record, tomorrow: [1] });
      await sweep();
      const thinned = JSON.parse(String((await get(keys.jobset(J1)))?.value));
      await publish('j1', named('a'), { zone: 'z' });
      const published = JSON.parse(String((await get(keys.jobset(J1)))?.value));
      expect(thinned).toEqual({ ...published, tomorrow: [1] });
    });

    it('takes a jobset away whose jobs all stand elsewhere', async () => {
      await ledger.publish('j1', named('a', 'b', 'c'));
      await ledger.publish('j2', named('b', 'c'));
      expect((await sweep()).repaired).toEqual({ job_doubled: 1 });
      expect(await ledger.allKeys()).toEqual(['def/j1/0', 'jobset/j1']);
    });

    it('names the jobset when a newer watcher has written its definitions', async () => {
      await ledger.publish('j1', named('a'));
      await ledger.publish('j2', named('a', 'b'));
      await ledger.put(ledger.keys.chunk(J2, 0), deflateRawSync('{"v":2}'));
      const before = await ledger.revision();
      const { findings } = await sweep();
      expect(await ledger.revision()).toBe(before);
      expect(new Set(findings.map(({ reason, key }) => `${reason} ${key}`))).toEqual(
        new Set(['unreadable /watcher/v1/def/j2/0']),
      );
    });
  });

  describe('of a jobset whose definitions are', () => {
    const damages: Record<string, (ledger: AuditedLedger) => Promise<unknown>> = {
      gone: ({ drop, keys }) => drop(keys.chunk(J1, 0)),
      damaged: ({ put, keys }) => put(keys.chunk(J1, 0), 'damaged'),
      foreign: ({ put, keys }) => put(keys.chunk(J1, 0), deflateRawSync('{"v":1,"kind":"check"}')),
      fewer: ({ put, keys }) => put(keys.chunk(J1, 0), encodeDefinitions(named('a'))[0]!),
    };

    it.each(Object.keys(damages))(
      '%s lets the folder publish it anew, in its place and under its owner',
      async (kind) => {
        await ledger.publish('j1', named('a', 'b'));
        const claim = await ledger.claim('j1', await ledger.join('w1'));
        await damages[kind]?.(ledger);
        expect((await sweep()).repaired).toEqual({ definitions_damaged: 1 });
        expect((await ledger.picture()).jobsets.get(J1)?.record?.digest).toBe('');
        expect((await ledger.get(ledger.keys.owner(J1)))?.modRevision).toBe(claim?.token);
        expect((await sweep()).repaired).toEqual({});
      },
    );

    it.each(Object.keys(damages))('%s finds them though they were whole before', async (kind) => {
      const audit = ledger.auditOn();
      await ledger.publish('j1', named('a', 'b'));
      await ledger.publish('j2', named('c'));
      expect((await audit.sweep(TERM)).repaired).toEqual({});
      await damages[kind]?.(ledger);
      expect((await audit.sweep(TERM)).repaired).toEqual({ definitions_damaged: 1 });
    });

    it.each(Object.keys(damages))('%s, names it when it came by the API', async (kind) => {
      await ledger.publish('j1', named('a', 'b'), { source: 'api' });
      await damages[kind]?.(ledger);
      const before = await ledger.revision();
      const { findings } = await sweep();
      expect(await ledger.revision()).toBe(before);
      expect(findings).toMatchObject([
        { reason: 'definitions_damaged', key: ledger.keys.jobset(J1) },
      ]);
    });
  });

  describe('of workers to avoid', () => {
    it('forgets them ten minutes after the jobset has last changed, on its own clock', async () => {
      const audit = ledger.auditOn();
      await ledger.publish('j1', named('a'), { avoid: [W1] });
      await audit.sweep(TERM);
      await ledger.clock.advance(AVOID_MS / 2);
      await ledger.publish('j1', named('a'), { avoid: [W1, 'w2' as WorkerId] });
      await audit.sweep(TERM);
      ledger.clock.stepWall(AVOID_MS);
      await ledger.clock.advance(AVOID_MS - 1);
      expect((await audit.sweep(TERM)).repaired).toEqual({});
      await ledger.clock.advance(1);
      expect((await audit.sweep(TERM)).repaired).toEqual({ avoid_expired: 1 });
      expect((await ledger.picture()).jobsets.get(J1)?.record).toMatchObject({ avoid: [] });
      expect(await ledger.content()).toEqual({ j1: ['a'] });
    });
  });

  it('names progress that lies more than an hour ahead', async () => {
    const { put, keys, clock, publish, join, beat } = ledger;
    await publish('j1', named('a'));
    const ahead = { through: clock.now() + 3_600_001, open: [] };
    await put(keys.checkpoint(J1), { ...handedBack, progress: ahead });
    await beat(await join('w1'), []);
    await put(keys.progress(W1), { v: 1, ...ahead, through: ahead.through - 1, left: {} });
    const { findings } = await sweep();
    expect(findings.map(({ reason, key }) => [reason, key])).toEqual([
      ['checkpoint_in_future', keys.checkpoint(J1)],
    ]);
  });

  it('leaves alone, names and counts what it cannot read, of every kind', async () => {
    const { put, keys } = ledger;
    const foreign = ['{"v":2}', 'binary \u0000', '{"v":1}', '7', 'null', '[]'];
    const places = [
      keys.jobsets,
      keys.owners,
      keys.workers,
      keys.checkpoints,
      keys.progresses,
      `${keys.allDefinitions}x/`,
      `${keys.allDefinitions}`,
    ];
    for (const place of places)
      for (const [n, value] of foreign.entries()) await put(`${place}${n}`, value);
    const foreignChunk = deflateRawSync('{"v":1,"kind":"check"}');
    await put(keys.chunk('y' as JobsetId, 0), foreignChunk);
    const before = await ledger.revision();
    const { findings } = await sweep();
    expect(await ledger.revision()).toBe(before);
    // Chunks are named once for each jobset.
    expect(findings).toHaveLength(5 * foreign.length + 2 + foreign.length);
    expect(new Set(findings.map(({ reason }) => reason))).toEqual(new Set(['unreadable']));
  });

  it('writes nothing once its term is over', async () => {
    await ledger.put(ledger.keys.owner(J1), vacant);
    await ledger.put('nobody/leads', 'another leads');
    const before = await ledger.revision();
    const { repaired, failed } = await sweep();
    expect([repaired, failed]).toEqual([{}, 1]);
    expect(await ledger.revision()).toBe(before);
  });

  it('makes what repairs it can when the store takes no more puts', async () => {
    const { store, put, keys, publish, auditOn } = ledger;
    await publish('j1', named('a'));
    await publish('j2', named('a', 'b'));
    await put(keys.owner('gone' as JobsetId), vacant);
    const network = meddled(
      store,
      async () => {},
      (then, commit) => {
        if (then.every(({ kind }) => kind !== 'put')) return commit();
        throw new WatcherError('WCH_STORE_FULL', 'no space');
      },
    );
    const { repaired, failed } = await auditOn(network).sweep(TERM);
    expect([repaired, failed]).toEqual([{ owner_without_jobset: 1 }, 1]);
  });

  it('takes away more than one transaction can, in the end', async () => {
    const { value } = (await ledger
      .publish('j1', named('a'))
      .then(() => ledger.get(ledger.keys.chunk(J1, 0))))!;
    for (let n = 0; n < 250; n += 1) await ledger.put(ledger.keys.chunk(J2, n), value);
    expect((await sweep()).repaired).toEqual({ definitions_without_jobset: 3 });
    expect(await ledger.allKeys()).toEqual(['def/j1/0', 'jobset/j1']);
  });
});

describe('the audit of a term', () => {
  const running = () => {
    const ledger = aLedger();
    const network = new FaultyStore(ledger.store);
    const over = new AbortController();
    const swept: number[] = [];
    const onSwept = () => swept.push(ledger.clock.monotonicMs());
    const ended = ledger.auditOn(network).run(TERM, over.signal, onSwept);
    return { ledger, network, over, swept, ended };
  };

  it('begins half a minute after it and comes every five minutes, until it is over', async () => {
    const { ledger, over, swept, ended } = running();
    await ledger.clock.advance(29_999);
    expect(swept).toEqual([]);
    await ledger.clock.advance(1_000_000);
    expect(swept.length).toBe(4);
    expect(swept[0]).toBe(30_000);
    over.abort();
    await ledger.clock.until(ended);
    await ledger.clock.advance(1_000_000);
    expect(swept.length).toBe(4);
  });

  it('goes on after a store that was away', async () => {
    const { ledger, network, swept } = running();
    network.cut = true;
    await ledger.clock.advance(100_000);
    expect(swept).toEqual([]);
    expect(ledger.log.lines.map(({ message }) => message)).toEqual(['the ledger was not audited']);
    network.heal();
    await ledger.clock.advance(300_000);
    expect(swept.length).toBe(1);
  });

  it('ends in the middle of a sweep with its term, so that resigning takes no time', async () => {
    const { store, put, keys, auditOn } = aLedger();
    for (let n = 0; n < 20; n += 1) await put(keys.owner(`gone-${n}` as JobsetId), vacant);
    const over = new AbortController();
    let commits = 0;
    const network = meddled(
      store,
      async () => {},
      (_, commit) => {
        commits += 1;
        if (commits === 3) over.abort();
        return commit();
      },
    );
    await auditOn(network).sweep(TERM, over.signal);
    expect(commits).toBe(3);
  });

  it('believes no revision of before it: a restored store gives them out again', async () => {
    const { store, keys, clock, publish, auditOn, picture } = aLedger();
    let isRestored = false;
    const garbled = (entry: Entry): Entry =>
      entry.key.startsWith(keys.allDefinitions)
        ? { ...entry, value: Buffer.from('of another time') }
        : entry;
    const network: KeyValueStore = {
      ...meddled(store, async () => {}),
      snapshot: async (prefix) => {
        const { entries, ...at } = await store.snapshot(prefix);
        return { ...at, entries: isRestored ? entries.map(garbled) : entries };
      },
    };
    await publish('j1', named('a'));
    const audit = auditOn(network);
    await audit.sweep(TERM);
    isRestored = true;
    expect((await audit.sweep(TERM)).repaired).toEqual({});
    void audit.run(TERM, new AbortController().signal, () => {});
    await clock.advance(30_000);
    expect((await picture()).jobsets.get(J1)?.record?.digest).toBe('');
  });

  it('tells of what it repaired, and once of what it left alone', async () => {
    const { ledger } = running();
    await ledger.put(ledger.keys.owner(J1), vacant);
    await ledger.put(ledger.keys.owner(J2), '{"v":2}');
    await ledger.clock.advance(1_000_000);
    expect(ledger.log.lines).toEqual([
      {
        level: 'info',
        message: 'the ledger was repaired',
        fields: { reason: 'owner_without_jobset', count: 1, keys: [ledger.keys.owner(J1)] },
      },
      {
        level: 'warn',
        message: 'found in the ledger and left alone',
        fields: { reason: 'unreadable', count: 1, keys: [ledger.keys.owner(J2)] },
      },
    ]);
  });
});

describe('the clock check', () => {
  /** Workers beating every two seconds for an hour; by how much each beat looks ahead when it comes. */
  const warnings = async (aheadMs: Record<string, (beat: number) => number>) => {
    const ledger = aLedger();
    const over = new AbortController();
    const ended = ledger.auditOn().run(TERM, over.signal, () => {});
    for (let n = 0; n < 1_850; n += 1) {
      for (const [worker, ahead] of Object.entries(aheadMs)) {
        const at = ledger.clock.now() + ahead(n);
        const beat = { v: 1, seq: n, at, owned: 0, checks: 0, load: NO_LOAD };
        await ledger.put(ledger.keys.beat(worker as WorkerId), beat);
      }
      await ledger.clock.advance(2000);
    }
    over.abort();
    await ledger.clock.until(ended);
    return ledger.log.lines.map(({ level, fields }) => [
      level,
      fields['worker'],
      fields['aheadMs'],
    ]);
  };

  it('warns once an hour of a worker whose clock is off by more than a second', async () => {
    const told = await warnings({
      fast: () => 1001,
      slow: () => -60_000,
      good: () => 1000,
      fair: () => -1000,
    });
    expect(told).toEqual([
      ['warn', 'fast', 1001],
      ['warn', 'slow', -60_000],
      ['warn', 'fast', 1001],
      ['warn', 'slow', -60_000],
    ]);
  });

  it('does not take beats that come late for a clock that is', async () => {
    expect(await warnings({ w1: (n) => (n % 2 === 0 ? -5000 : -10) })).toEqual([]);
  });
});
