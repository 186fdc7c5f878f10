import { describe, expect, it } from 'vitest';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Entry } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { encodeCheckpoint, encodeSuspects } from '../../../src/shared/coordination/records.ts';
import { markFirst, tracesIn, writeSuspects } from '../../../src/shared/coordination/suspects.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Checkpoint } from '../../../src/shared/domain/jobset.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { writtenLedger } from '../../support/written-ledger.ts';

const W1 = 'w1' as WorkerId;
const W2 = 'w2' as WorkerId;
const J = 'j' as JobsetId;
const A = 'a' as CheckId;
const JOBS = { [A]: { deaths: 1, at: 5, isTried: false } };

const entry = (value: Buffer, modRevision: number): Entry => ({
  key: 'k',
  value,
  modRevision,
  lease: null,
});
const checkpoint = (overrides: Partial<Checkpoint>, revision = 10): Entry =>
  entry(encodeCheckpoint({ worker: null, progress: null, states: {}, ...overrides }), revision);
const suspects = (by: WorkerId, revision: number): Entry =>
  entry(encodeSuspects({ by, jobs: JOBS }), revision);

const DONE = { through: 1, open: [] };

describe('what a claim finds of the owner before', () => {
  it('is nothing where nobody has ever held the jobset', () => {
    expect(tracesIn(false, undefined, undefined)).toEqual({
      isAbandoned: false,
      heldBy: null,
      isUntold: false,
      suspects: null,
    });
  });

  it('says that it was handed back when its key names nobody', () => {
    const traces = tracesIn(true, checkpoint({ progress: DONE }), undefined);
    expect(traces).toMatchObject({ isAbandoned: false, heldBy: null });
  });

  it('names the owner that has told how far it was', () => {
    const traces = tracesIn(false, checkpoint({ worker: W1 }), undefined);
    expect(traces).toMatchObject({ isAbandoned: true, heldBy: W1, isUntold: false });
  });

  it('tells of an eviction, which leaves a key that names nobody', () => {
    const traces = tracesIn(true, checkpoint({ worker: W1 }), undefined);
    expect(traces).toMatchObject({ isAbandoned: true, heldBy: W1 });
  });

  it('tells of one that was gone before its first heartbeat, after a hand-over', () => {
    const traces = tracesIn(false, checkpoint({ progress: DONE }), undefined);
    expect(traces).toMatchObject({ isAbandoned: true, heldBy: null, isUntold: false });
  });

  it('tells of a first owner that was gone before its first heartbeat', () => {
    const traces = tracesIn(false, checkpoint({ worker: W1, progress: DONE }), undefined);
    expect(traces).toMatchObject({ isAbandoned: true, heldBy: W1, isUntold: true });
  });

  it('names whoever has written last', () => {
    const beaten = checkpoint({ worker: W1 }, 10);
    expect(tracesIn(false, beaten, suspects(W2, 11)).heldBy).toBe(W2);
    expect(tracesIn(false, beaten, suspects(W2, 9)).heldBy).toBe(W1);
    expect(tracesIn(false, beaten, suspects(W2, 9)).suspects?.jobs).toEqual(JOBS);
  });

  it('takes what cannot be read for nothing', () => {
    const damaged = entry(Buffer.from('{'), 3);
    expect(tracesIn(false, damaged, damaged)).toMatchObject({ heldBy: null, suspects: null });
  });
});

describe('what is written about a jobset', () => {
  const aPlace = async () => {
    const store = new MemoryStore({ clock: new ManualClock() });
    const keys = new Keys();
    const ledger = writtenLedger(store, keys);
    const { revision } = await ledger.jobset('j', ['a']);
    const { revision: token } = await ledger.owns('w1', 'j');
    const claim = { jobset: J, token, revision };
    return { place: { store, keys, random: seededRandom(1) }, store, keys, ledger, claim };
  };

  it('is written by its owner alone', async () => {
    const { place, ledger, store, keys, claim } = await aPlace();
    expect(await writeSuspects(place, claim, { by: W1, jobs: JOBS })).toBe(true);
    await ledger.owns('w2', 'j');
    expect(await writeSuspects(place, claim, { by: W1, jobs: {} })).toBe(false);
    expect(await markFirst(place, claim, { by: W1, now: 1 })).toBe(false);
    expect((await store.snapshot(keys.suspects(J))).entries).toHaveLength(1);
    expect((await store.snapshot(keys.checkpoint(J))).entries).toEqual([]);
  });

  it('is deleted when nobody is suspected any more', async () => {
    const { place, store, keys, claim } = await aPlace();
    await writeSuspects(place, claim, { by: W1, jobs: JOBS });
    await writeSuspects(place, claim, { by: W1, jobs: {} });
    expect((await store.snapshot(keys.allSuspects)).entries).toEqual([]);
  });

  it('never takes the place of a checkpoint that is there', async () => {
    const { place, store, keys, ledger, claim } = await aPlace();
    const { value } = checkpoint({ worker: W1 });
    await ledger.put(keys.checkpoint(J), value);
    expect(await markFirst(place, claim, { by: W1, now: 1 })).toBe(false);
    expect((await store.snapshot(keys.checkpoint(J))).entries[0]?.value).toEqual(value);
  });
});
