import { beforeEach, describe, expect, it } from 'vitest';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Change, Entry } from '../../../src/shared/coordination/kv.ts';
import { encodeJobset, encodeOwnership } from '../../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset } from '../../../src/shared/domain/jobset.ts';
import { Sightings } from '../../../src/worker/sightings.ts';

const keys = new Keys();
const js = 'js-1' as JobsetId;

const owned = (worker: string | null, modRevision: number): Entry => ({
  key: keys.owner(js),
  value: encodeOwnership({ worker: worker as WorkerId | null, nonce: 'n', holdMs: 0 }),
  modRevision,
  lease: null,
});
const aJobset = {
  id: js,
  source: 'folder',
  jobs: [],
  digest: '',
  chunks: 1,
  zone: null,
  avoid: [],
  waiting: null,
  moveTo: null,
} as const;
const jobset = (modRevision: number): Entry => ({
  key: keys.jobset(js),
  value: encodeJobset(aJobset),
  modRevision,
  lease: null,
});
const put = (entry: Entry): Change => ({ kind: 'put', entry });
const gone = (key: string, modRevision: number): Change => ({ kind: 'delete', key, modRevision });

describe('what a worker sees of the ledger', () => {
  let told: JobsetId[];
  let setBacks = 0;
  let sightings: Sightings;
  beforeEach(() => {
    told = [];
    setBacks = 0;
    sightings = new Sightings(keys, {
      change: (id) => told.push(id),
      wentBack: () => {
        setBacks += 1;
      },
    });
  });

  it('is told only once both pictures are there: before, a held jobset would look free', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.jobsetsChanged([put(jobset(11))]);
    expect(told).toEqual([]);
    sightings.ownersAre([owned('w1', 12)], 12, false);
    expect(told.length).toBeGreaterThan(0);
    expect(sightings.of(js)).toEqual({ revision: 11, ownRevision: 12, owner: 'w1', at: 12 });
  });

  it('is held where only a newer watcher can read by whom', () => {
    sightings.jobsetsAre([jobset(10)], 12, false);
    sightings.ownersAre([{ ...owned(null, 11), value: Buffer.from('{"v":2}') }], 12, false);
    expect(sightings.of(js).owner).not.toBe(null);
  });

  describe('of a jobset that w1 holds', () => {
    beforeEach(() => {
      sightings.jobsetsAre([jobset(10)], 11, false);
      sightings.ownersAre([owned('w1', 12)], 12, false);
      told = [];
      setBacks = 0;
    });

    it.each([
      ['handed back', [put(owned(null, 20))], { ownRevision: 20, owner: null, at: 20 }],
      ['taken over', [put(owned('w2', 20))], { ownRevision: 20, owner: 'w2', at: 20 }],
      [
        'freed by the end of a lease',
        [gone(keys.owner(js), 20)],
        { ownRevision: 0, owner: null, at: 20 },
      ],
      [
        'freed and taken',
        [gone(keys.owner(js), 20), put(owned('w2', 21))],
        { ownRevision: 21, owner: 'w2', at: 21 },
      ],
    ])('follows it being %s', (_, changes, sight) => {
      sightings.ownersChanged(changes);
      expect(sightings.of(js)).toEqual({ revision: 10, ...sight });
      expect(told).toContain(js);
    });

    it('forgets a jobset that is withdrawn with its owner', () => {
      sightings.jobsetsChanged([gone(keys.jobset(js), 20)]);
      sightings.ownersChanged([gone(keys.owner(js), 20)]);
      sightings.recall();
      expect(sightings.of(js).revision).toBe(0);
      expect(told).toEqual([js, js]);
    });

    it('takes what a snapshot lacks for gone', () => {
      sightings.ownersAre([], 30, false);
      sightings.jobsetsAre([], 11, false);
      expect(sightings.of(js)).toMatchObject({ revision: 0, ownRevision: 0, owner: null });
    });

    it.each([
      ['put', put(owned('w1', 15))],
      ['deletion', gone(keys.owner(js), 15)],
    ])('is not led back by an older %s to before what a transaction has shown', (_, change) => {
      const shown = { revision: 10, ownRevision: 18, owner: 'w2' as WorkerId, at: 18 };
      sightings.learn(js, shown);
      sightings.ownersChanged([change]);
      expect(sightings.of(js)).toEqual(shown);
    });

    it('takes an owner that only a newer watcher can read for somebody', () => {
      sightings.ownersChanged([put({ ...owned('w1', 20), value: Buffer.from('{"v":2}') })]);
      expect(sightings.of(js).owner).not.toBe(null);
    });
  });

  it('believes a picture of a store that went back, whatever it knew before', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned('w1', 50)], 60, false);
    sightings.ownersAre([owned('w2', 40)], 45, true);
    expect(setBacks).toBe(1);
    expect(sightings.of(js)).toMatchObject({ owner: 'w2', ownRevision: 40 });
  });

  it('believes a later picture though its owner was written before what it knew', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned('w1', 50)], 60, false);
    sightings.ownersAre([owned('w2', 40)], 70, false);
    expect(sightings.of(js)).toMatchObject({ owner: 'w2', ownRevision: 40 });
  });

  it('does not believe a picture that is older than what a transaction has shown', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([], 20, false);
    sightings.learn(js, { revision: 10, ownRevision: 50, owner: 'w1' as WorkerId, at: 50 });
    sightings.ownersAre([], 40, false);
    expect(sightings.of(js).owner).toBe('w1');
  });

  it('learns of an owner without forgetting what the jobset is since', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([], 20, false);
    sightings.jobsetsChanged([put(jobset(60))]);
    sightings.learn(js, { revision: 10, ownRevision: 50, owner: 'w1' as WorkerId, at: 50 });
    expect(sightings.of(js)).toEqual({ revision: 60, ownRevision: 50, owner: 'w1', at: 50 });
  });

  it('takes what refuses a claim for true, also where a restored store is older than the claim', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned('w1', 60)], 60, false);
    const sight = { revision: 10, ownRevision: 40, owner: 'w2' as WorkerId, at: 45 };
    const refusal = { claimed: null, sight, own: owned('w2', 40), record: jobset(10) };
    sightings.refused(js, sightings.of(js), refusal);
    expect(sightings.of(js)).toMatchObject({ owner: 'w2', ownRevision: 40 });
  });

  it('learns nothing of an owner who has been followed by another', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned('w2', 60)], 60, false);
    sightings.learn(js, { revision: 10, ownRevision: 50, owner: 'w1' as WorkerId, at: 50 });
    expect(sightings.of(js).owner).toBe('w2');
  });

  it('sees by a claim that was refused that the jobset waits now, and is left alone for a while', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned(null, 12)], 20, false);
    const waiting = { reason: 'late', since: 0, by: 'w1' as WorkerId, load: 1 } as const;
    const record = { ...jobset(60), value: encodeJobset({ ...aJobset, waiting }) };
    const held = encodeOwnership({ worker: null, nonce: 'n', holdMs: 6_000 });
    const own = { ...owned(null, 60), value: held };
    const sight = { revision: 60, ownRevision: 60, owner: null, at: 61 };
    sightings.refused(js, sightings.of(js), { claimed: null, sight, own, record });
    expect(sightings.of(js)).toEqual(sight);
    expect(sightings.placementOf(js).waiting).toEqual(waiting);
    expect(sightings.waiterOf(js, 60)?.id).toBe(js);
    expect(sightings.holdMsOf(js)).toBe(6_000);
  });

  it('sees by a claim that was refused that the jobset is gone', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([], 20, false);
    const sight = { revision: 0, ownRevision: 0, owner: null, at: 61 };
    const refusal = { claimed: null, sight, own: undefined, record: undefined };
    sightings.refused(js, sightings.of(js), refusal);
    expect(sightings.of(js).revision).toBe(0);
  });

  it('sees by its record alone who may run a jobset, and of one that waits which jobs those are', () => {
    const waiting = { reason: 'full', since: 1, by: 'w1' as WorkerId, load: 2 } as const;
    const jobs = ['a' as CheckId, 'b' as CheckId];
    const record = { ...aJobset, jobs, zone: 'east', avoid: ['w2' as WorkerId] };
    const at = (content: Jobset, modRevision: number) =>
      put({ ...jobset(modRevision), value: encodeJobset(content) });
    sightings.jobsetsAre([], 9, false);
    sightings.jobsetsChanged([at(record, 10)]);
    const { zone, avoid } = record;
    expect(sightings.placementOf(js)).toEqual({ zone, avoid, waiting: null, moveTo: null });
    expect(sightings.waiterOf(js, 10)).toBeNull();
    sightings.jobsetsChanged([at({ ...record, waiting }, 11)]);
    expect(sightings.waiterOf(js, 11)).toEqual({ ...record, waiting });
    sightings.jobsetsChanged([at(aJobset, 12)]);
    expect(sightings.placementOf(js)).toEqual({
      zone: null,
      avoid: [],
      waiting: null,
      moveTo: null,
    });
    expect(sightings.waiterOf(js, 12)).toBeNull();
  });

  it('counts who holds how much', () => {
    sightings.jobsetsAre([jobset(10)], 11, false);
    sightings.ownersAre([owned('w1', 20)], 20, false);
    expect(sightings.heldBy('w1' as WorkerId)).toBe(1);
    sightings.ownersChanged([put(owned('w2', 30))]);
    expect(sightings.heldBy('w1' as WorkerId)).toBe(0);
    expect(sightings.heldBy('w2' as WorkerId)).toBe(1);
    sightings.ownersChanged([gone(keys.owner(js), 40)]);
    expect(sightings.heldBy('w2' as WorkerId)).toBe(0);
  });
});
