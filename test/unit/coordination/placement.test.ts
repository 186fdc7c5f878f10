import { beforeEach, describe, expect, it } from 'vitest';
import { decodeDefinitions, digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Placement, type SeenJobset } from '../../../src/shared/coordination/placement.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import {
  decodeCheckpoint,
  decodeJobset,
  decodeOwnership,
  decodeSuspects,
  encodeCheckpoint,
  encodeJobset,
  encodeOwnership,
  encodeSuspects,
} from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Checkpoint, Jobset, Waiting } from '../../../src/shared/domain/jobset.ts';
import { aCheck } from '../../support/builders.ts';
import { type Fault, FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const TERM = { condition: { key: 'leader', modRevision: 0 } };
const OVER = { condition: { key: 'leader', modRevision: 7 } };
const keys = new Keys();
const X = 'x' as JobsetId;
const W = 'w' as WorkerId;
const WAITING: Waiting = { reason: 'full', since: 1, by: 'v' as WorkerId, load: 3 };
const CHECKS = ['a', 'b', 'c'].map((key) => aCheck(key));
const idOf = (key: string) => aCheck(key).id;

describe('the placement of jobsets', () => {
  let memory: MemoryStore;
  let store: FaultyStore;
  let placement: Placement;

  const put = (key: string, value: Buffer) => memory.commit([], [{ kind: 'put', key, value }]);
  const entryOf = async (key: string) =>
    (await memory.snapshot(key)).entries.find((one) => one.key === key);
  const jobsetOf = async (id: JobsetId): Promise<Jobset> => {
    const entry = await entryOf(keys.jobset(id));
    if (entry === undefined) throw new Error(`no ${id}`);
    return decodeJobset(id, entry);
  };
  const seen = async (): Promise<SeenJobset> => ({
    id: X,
    revision: (await entryOf(keys.jobset(X)))?.modRevision ?? 0,
    ownRevision: (await entryOf(keys.owner(X)))?.modRevision ?? 0,
  });
  const change = async (changed: Partial<Jobset>) =>
    put(keys.jobset(X), encodeJobset({ ...(await jobsetOf(X)), ...changed }));
  const own = (worker: WorkerId | null) =>
    put(keys.owner(X), encodeOwnership({ worker, nonce: '', holdMs: 0 }));

  /** After what is to be changed was read, before it is written. */
  const between = (happen: () => Promise<unknown>): void => {
    store.beforeAnswer = async () => {
      store.beforeAnswer = null;
      await happen();
    };
  };
  const failing = (fault: Fault): void => {
    store.nextFault = (then) => (then.some(({ kind }) => kind === 'put') ? fault : null);
  };
  const FAULTS: [Fault, boolean][] = [
    ['answer', true],
    ['repeated', true],
    ['request', false],
  ];

  beforeEach(async () => {
    memory = new MemoryStore({ clock: new ManualClock() });
    store = new FaultyStore(memory);
    placement = new Placement({ store, keys, random: seededRandom(1) });
    const digest = digestOf(CHECKS);
    const jobset = {
      old: null,
      id: X,
      source: 'folder',
      zone: null,
      digest,
      definitions: CHECKS,
    } as const;
    await new Publishing({ store: memory, keys }).replace(jobset, TERM);
    await change({ waiting: WAITING });
    await own(null);
  });

  describe('of a whole one', () => {
    it('says who is to run it, and that it waits no more', async () => {
      const placed = await placement.order(await seen(), W, TERM);
      expect(placed).toEqual({ written: true, revision: (await seen()).revision });
      expect(await jobsetOf(X)).toMatchObject({
        waiting: null,
        moveTo: 'w',
        jobs: CHECKS.map(({ id }) => id),
      });
    });

    const changes: [string, () => Promise<unknown>][] = [
      ['its record has changed', () => change({ avoid: [W] })],
      ['somebody has claimed it', () => own(W)],
      ['somebody has handed it back', () => own(null)],
    ];
    it.each(changes)('writes nothing when %s', async (_, happen) => {
      const before = await seen();
      await happen();
      const now = await seen();
      expect(await placement.order(before, W, TERM)).toEqual({
        written: false,
        revision: now.revision,
      });
      expect(await seen()).toEqual(now);
    });

    it('writes nothing when it is claimed while it is read', async () => {
      const before = await seen();
      between(() => own(W));
      expect((await placement.order(before, W, TERM)).written).toBe(false);
      expect(await jobsetOf(X)).toMatchObject({ waiting: WAITING });
    });

    it('writes nothing when another admin leads', async () => {
      expect((await placement.order(await seen(), W, OVER)).written).toBe(false);
    });

    it('says that it is gone', async () => {
      const before = await seen();
      await memory.commit([], [{ kind: 'delete', key: keys.jobset(X) }]);
      expect(await placement.order(before, W, TERM)).toEqual({ written: false, revision: 0 });
    });

    it.each(FAULTS)('reads back whether it was written: %s', async (fault, written) => {
      const before = await seen();
      failing(fault);
      const placed = await placement.order(before, W, TERM);
      expect(placed).toEqual({ written, revision: (await seen()).revision });
    });

    it('is settled: it neither waits nor goes anywhere', async () => {
      await change({ moveTo: W });
      await placement.settle(await seen(), TERM);
      expect(await jobsetOf(X)).toMatchObject({ waiting: null, moveTo: null });
    });

    it('joins the queue', async () => {
      await change({ waiting: null, moveTo: W });
      await placement.queue(await seen(), WAITING, TERM);
      expect(await jobsetOf(X)).toMatchObject({ waiting: WAITING, moveTo: null });
    });
  });

  describe('of its first jobs', () => {
    const ORDER = { count: 2, to: W, load: 2 };
    const others = async (): Promise<JobsetId[]> => {
      const { entries } = await memory.snapshot(keys.jobsets);
      return entries.map(({ key }) => keys.jobsetOf(key)).filter((id) => id !== X);
    };
    const definitionsOf = async (id: JobsetId): Promise<CheckDefinition[]> =>
      decodeDefinitions((await memory.snapshot(keys.definitions(id))).entries);

    it('makes a new jobset of them, which is to run there', async () => {
      expect((await placement.orderFirst(await seen(), ORDER, TERM)).written).toBe(true);
      const [id] = await others();
      if (id === undefined) throw new Error('no new jobset');
      expect(await jobsetOf(id)).toMatchObject({
        jobs: [idOf('a'), idOf('b')],
        waiting: null,
        moveTo: 'w',
      });
      expect(await definitionsOf(id)).toEqual(CHECKS.slice(0, 2));
      expect(
        await entryOf(keys.owner(id)).then((own) => own && decodeOwnership(own)),
      ).toMatchObject({ worker: null, holdMs: 0 });
    });

    it('leaves the others waiting, with what they ask for', async () => {
      await placement.orderFirst(await seen(), ORDER, TERM);
      expect(await jobsetOf(X)).toMatchObject({
        jobs: [idOf('c')],
        waiting: { ...WAITING, load: 1 },
        moveTo: null,
      });
      expect(await definitionsOf(X)).toEqual(CHECKS.slice(2));
    });

    it('writes all of it in one revision', async () => {
      await placement.orderFirst(await seen(), ORDER, TERM);
      const [id] = await others();
      const revisions = [X, id ?? X].map(
        async (one) => (await entryOf(keys.jobset(one)))?.modRevision,
      );
      const [first, second] = await Promise.all(revisions);
      expect(first).toBe(second);
    });

    it('gives each its part of where they stopped', async () => {
      const state = { status: 'critical', since: 1, bad: 1 } as const;
      const checkpoint: Checkpoint = {
        worker: null,
        progress: {
          through: 5,
          open: [
            [idOf('a'), 4],
            [idOf('c'), 3],
          ],
        },
        states: { [idOf('b')]: state, [idOf('c')]: state },
        waited: true,
      };
      await put(keys.checkpoint(X), encodeCheckpoint(checkpoint));
      await placement.orderFirst(await seen(), ORDER, TERM);
      const [id] = await others();
      const entry = await entryOf(keys.checkpoint(id ?? X));
      expect(entry && decodeCheckpoint(entry)).toMatchObject({
        progress: { through: 5, open: [[idOf('a'), 4]] },
        states: { [idOf('b')]: state },
        waited: true,
      });
      expect(entry && Object.keys(decodeCheckpoint(entry).states)).toEqual([idOf('b')]);
    });

    it('takes the suspicion with its job', async () => {
      const suspicion = { deaths: 1, at: 0, isTried: false };
      await put(
        keys.suspects(X),
        encodeSuspects({ by: W, jobs: { [idOf('a')]: suspicion, [idOf('c')]: suspicion } }),
      );
      await placement.orderFirst(await seen(), ORDER, TERM);
      const [id] = await others();
      const entry = await entryOf(keys.suspects(id ?? X));
      expect(entry && Object.keys(decodeSuspects(entry).jobs)).toEqual([idOf('a')]);
    });

    it.each([
      ['its record has changed', () => change({ avoid: [W] })],
      ['somebody has claimed it', () => own(W)],
      [
        'another checkpoint has been written',
        () =>
          put(keys.checkpoint(X), encodeCheckpoint({ worker: null, progress: null, states: {} })),
      ],
    ])('writes nothing when %s meanwhile', async (_, happen) => {
      const before = await seen();
      between(happen);
      expect((await placement.orderFirst(before, ORDER, TERM)).written).toBe(false);
      expect(await others()).toEqual([]);
      expect((await jobsetOf(X)).jobs).toHaveLength(3);
    });

    it('writes nothing for whoever leads no more', async () => {
      const over = { condition: { ...TERM.condition, modRevision: 7 } };
      expect((await placement.orderFirst(await seen(), ORDER, over)).written).toBe(false);
      expect((await jobsetOf(X)).jobs).toHaveLength(3);
    });

    it.each(FAULTS)('reads back whether it was written: %s', async (fault, written) => {
      const before = await seen();
      failing(fault);
      expect((await placement.orderFirst(before, ORDER, TERM)).written).toBe(written);
      expect(await others()).toHaveLength(written ? 1 : 0);
    });
  });

  describe('anew, of what a worker holds that does not work', () => {
    const many = Array.from({ length: 150 }, (_, n) => `j${n}` as JobsetId);
    const evicted = async () => {
      const holds = await Promise.all(
        many.map(async (id) => ({
          id,
          ownRevision: (await entryOf(keys.owner(id)))?.modRevision ?? 0,
        })),
      );
      return { id: W, revision: (await entryOf(keys.worker(W)))?.modRevision ?? 0, holds };
    };
    const held = async (): Promise<number> => {
      const { entries } = await memory.snapshot(keys.owners);
      return entries.filter((entry) => decodeOwnership(entry).worker === W).length;
    };

    beforeEach(async () => {
      await put(keys.worker(W), Buffer.from('registered'));
      for (const id of many)
        await put(keys.owner(id), encodeOwnership({ worker: W, nonce: '', holdMs: 0 }));
    });

    it('ends its registration and makes all of it vacant, for later', async () => {
      expect(await placement.evict(await evicted(), 6_000, TERM)).toBe(true);
      expect(await entryOf(keys.worker(W))).toBeUndefined();
      expect(await held()).toBe(0);
      const own = await entryOf(keys.owner('j149' as JobsetId));
      expect(own && decodeOwnership(own)).toMatchObject({ worker: null, holdMs: 6_000 });
      expect(own?.lease).toBeNull();
    });

    it('does nothing when it has handed something back meanwhile', async () => {
      const before = await evicted();
      await put(
        keys.owner('j0' as JobsetId),
        encodeOwnership({ worker: null, nonce: '', holdMs: 0 }),
      );
      expect(await placement.evict(before, 6_000, TERM)).toBe(false);
      expect(await entryOf(keys.worker(W))).toBeDefined();
      expect(await held()).toBe(149);
    });

    it.each(FAULTS)('reads back whether it was written: %s', async (fault, written) => {
      const before = await evicted();
      let isFirst = true;
      store.nextFault = () => {
        const now = isFirst ? fault : null;
        isFirst = false;
        return now;
      };
      expect(await placement.evict(before, 6_000, TERM)).toBe(written);
      expect(await held()).toBe(written ? 0 : 150);
    });

    it('does nothing when another admin leads', async () => {
      expect(await placement.evict(await evicted(), 6_000, OVER)).toBe(false);
      expect(await held()).toBe(150);
    });
  });
});
