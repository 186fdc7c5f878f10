import { beforeEach, describe, expect, it } from 'vitest';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Change, Entry } from '../../../src/shared/coordination/kv.ts';
import { encodeOwnership } from '../../../src/shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { Sightings } from '../../../src/worker/sightings.ts';

const keys = new Keys();
const js = 'js-1' as JobsetId;

const owned = (worker: string | null, modRevision: number): Entry => ({
  key: keys.owner(js),
  value: encodeOwnership({ worker: worker as WorkerId | null, nonce: 'n' }),
  modRevision,
  lease: null,
});
const jobset = (modRevision: number): Entry => ({
  key: keys.jobset(js),
  value: Buffer.alloc(0),
  modRevision,
  lease: null,
});
const put = (entry: Entry): Change => ({ kind: 'put', entry });
const gone = (key: string, modRevision: number): Change => ({ kind: 'delete', key, modRevision });

describe('what a worker sees of the ledger', () => {
  let told: JobsetId[];
  let sightings: Sightings;
  beforeEach(() => {
    told = [];
    sightings = new Sightings(keys, (id) => told.push(id));
  });

  it('is told only once both pictures are there: before, a held jobset would look free', () => {
    sightings.jobsetsAre([jobset(10)]);
    sightings.jobsetsChanged([put(jobset(11))]);
    expect(told).toEqual([]);
    sightings.ownersAre([owned('w1', 12)], 12);
    expect(told.length).toBeGreaterThan(0);
    expect(sightings.of(js)).toEqual({ revision: 11, ownRevision: 12, owner: 'w1', at: 12 });
  });

  describe('of a jobset that w1 holds', () => {
    beforeEach(() => {
      sightings.jobsetsAre([jobset(10)]);
      sightings.ownersAre([owned('w1', 12)], 12);
      told = [];
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
      sightings.ownersAre([], 30);
      sightings.jobsetsAre([]);
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
});
