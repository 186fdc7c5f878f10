import { beforeEach, describe, expect, it } from 'vitest';
import {
  decodeDefinitions,
  digestOf,
  encodeDefinitions,
} from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Entry, KeyValueStore } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { type Claim, Ledger, type Registration } from '../../../src/shared/coordination/ledger.ts';
import {
  decodeCheckpoint,
  decodeJobset,
  decodeOwnership,
  encodeJobset,
} from '../../../src/shared/coordination/records.ts';
import {
  type Content,
  commitMove,
  handOn,
  type Move,
  readContent,
  splitOff,
  wasMoved,
} from '../../../src/shared/coordination/splitting.ts';
import type {
  CheckDefinition,
  CheckId,
  JobsetId,
  WorkerId,
} from '../../../src/shared/domain/check.ts';
import type { Handover, Jobset, WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const JOBSET = 'js-1' as JobsetId;
const ME = 'w1' as WorkerId;
const keys = new Keys();
const [a, b, c] = ['a', 'b', 'c'].map((host) => aCheck(`${host}.example.com/`)) as [
  CheckDefinition,
  CheckDefinition,
  CheckDefinition,
];
const handover: Handover = {
  progress: { through: 1_000, open: [[a.id, 940]] },
  states: { [a.id]: { status: 'critical', since: 500, bad: 3 } },
};
const worker: WorkerRecord = {
  id: ME,
  state: 'up',
  capacity: { places: 256, jobs: null },
  host: 'host',
  version: '0.0.0',
  zone: 'eu',
  listen: null,
  started: 0,
};

describe('moving jobs of a held jobset', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let ledger: Ledger;
  let by: Registration;
  let claim: Claim;

  const ledgerOn = (on: KeyValueStore) =>
    new Ledger({ store: on, keys, clock, random: seededRandom(7) });
  const entry = async (key: string): Promise<Entry | undefined> =>
    (await store.snapshot(key)).entries.find((one) => one.key === key);
  const jobset = async (id: JobsetId): Promise<Jobset> =>
    decodeJobset(id, (await entry(keys.jobset(id))) as Entry);
  const definitionsOf = async (id: JobsetId) =>
    decodeDefinitions((await store.snapshot(keys.definitions(id))).entries);
  const ids = async (): Promise<JobsetId[]> =>
    (await store.snapshot(keys.jobsets)).entries.map(({ key }) => keys.jobsetOf(key));
  const newId = async (): Promise<JobsetId> =>
    (await ids()).find((id) => id !== JOBSET) as JobsetId;
  /** All definitions that stand in the ledger, in whatever jobset. */
  const allJobs = async (): Promise<CheckId[]> => {
    const all = await Promise.all((await ids()).map(definitionsOf));
    return all.flat().map(({ id }) => id);
  };

  /** A jobset with these definitions, as a publisher writes it. */
  const publish = async (
    definitions: readonly CheckDefinition[],
    overrides: Partial<Jobset> = {},
  ): Promise<void> => {
    const chunks = encodeDefinitions(definitions);
    const record: Jobset = {
      id: JOBSET,
      source: 'api',
      jobs: definitions.map(({ id }) => id),
      digest: digestOf(definitions),
      chunks: chunks.length,
      zone: 'eu',
      avoid: [],
      waiting: null,
      moveTo: null,
      ...overrides,
    };
    await store.commit(
      [],
      [
        { kind: 'put', key: keys.jobset(JOBSET), value: encodeJobset(record) },
        ...chunks.map((value, i) => ({ kind: 'put', key: keys.chunk(JOBSET, i), value }) as const),
      ],
    );
  };

  const take = async (): Promise<Claim> => {
    const own = await entry(keys.owner(JOBSET));
    const record = await entry(keys.jobset(JOBSET));
    const sight = {
      revision: record?.modRevision ?? 0,
      ownRevision: own?.modRevision ?? 0,
      owner: null,
      at: 0,
    };
    const { claimed } = await ledger.claim(JOBSET, sight, by);
    if (claimed === null) throw new Error('not claimed');
    return claimed.claim;
  };

  const content = async (): Promise<Content> => {
    const read = await readContent(ledger, claim);
    if (read === null) throw new Error('not held');
    return read;
  };
  const split = async (...jobs: readonly CheckDefinition[]): Promise<Move> => {
    const moved = { jobs: new Set(jobs.map(({ id }) => id)), handover, avoid: ME };
    return splitOff(ledger, await content(), moved);
  };

  beforeEach(async () => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    ledger = ledgerOn(store);
    await publish([a, b, c]);
    by = await ledger.register(worker, await store.lease(6_000));
    claim = await take();
  });

  describe('into the waiting queue', () => {
    const waiting = { reason: 'late', since: 7, by: ME, load: 1.5 } as const;
    const checkpointOf = async (id: JobsetId) => {
      const { entries } = await store.snapshot(keys.checkpoint(id));
      return entries[0] && decodeCheckpoint(entries[0]);
    };

    it('goes a job with where it stopped, and may go anywhere from there', async () => {
      const move = splitOff(ledger, await content(), { jobs: new Set([a.id]), handover, waiting });
      expect(await commitMove(ledger, move)).toBe(true);
      expect(await jobset(move.to)).toMatchObject({ jobs: [a.id], avoid: [], waiting });
      expect(await checkpointOf(move.to)).toMatchObject({ worker: null, waited: true });
      expect(await jobset(JOBSET)).toMatchObject({ jobs: [b.id, c.id], waiting: null });
    });

    it('goes a whole jobset', async () => {
      const move = handOn(ledger, await content(), { handover, waiting });
      expect(await commitMove(ledger, move)).toBe(true);
      expect(await jobset(JOBSET)).toMatchObject({ jobs: [a.id, b.id, c.id], waiting });
      expect(await checkpointOf(JOBSET)).toMatchObject({ worker: null, waited: true });
    });
  });

  describe('of a jobset that is ordered elsewhere', () => {
    const order = async () => {
      const { entries } = await store.snapshot(keys.jobset(JOBSET));
      const moveTo = 'w9' as WorkerId;
      const value = encodeJobset({ ...(await jobset(JOBSET)), moveTo });
      await store.commit([], [{ kind: 'put', key: (entries[0] as Entry).key, value }]);
    };

    it('leaves the order for the rest, if it is newer than the claim', async () => {
      await order();
      claim = { ...claim, revision: (await ledger.reload(claim))?.claim.revision ?? 0 };
      const move = await split(a);
      expect(await commitMove(ledger, move)).toBe(true);
      expect((await jobset(JOBSET)).moveTo).toBe('w9');
      expect((await jobset(move.to)).moveTo).toBe(null);
    });

    it('forgets one that was for the owner before, and would be newer now', async () => {
      await ledger.release(claim, null);
      await order();
      claim = await take();
      expect(await commitMove(ledger, await split(a))).toBe(true);
      expect((await jobset(JOBSET)).moveTo).toBe(null);
    });
  });

  it('leaves the rest with its owner, whose claim stays good', async () => {
    expect(await commitMove(ledger, await split(a))).toBe(true);
    const rest = await jobset(JOBSET);
    expect(rest).toEqual({
      id: JOBSET,
      source: 'api',
      jobs: [b.id, c.id],
      digest: digestOf([b, c]),
      chunks: 1,
      zone: 'eu',
      avoid: [],
      waiting: null,
      moveTo: null,
    });
    const content = await ledger.reload(claim);
    expect(content?.definitions).toEqual([b, c]);
    expect(content?.claim.token).toBe(claim.token);
  });

  it('puts the others into a new jobset that nobody owns, and that says who should not take it', async () => {
    await commitMove(ledger, await split(a, c));
    const id = await newId();
    expect(await jobset(id)).toEqual({
      id,
      source: 'api',
      jobs: [a.id, c.id],
      digest: digestOf([a, c]),
      chunks: 1,
      zone: 'eu',
      avoid: [ME],
      waiting: null,
      moveTo: null,
    });
    expect(await definitionsOf(id)).toEqual([a, c]);
    const own = await entry(keys.owner(id));
    expect(own?.lease).toBeNull();
    expect(decodeOwnership(own as Entry)).toMatchObject({ worker: null, holdMs: 0 });
    const checkpoint = await entry(keys.checkpoint(id));
    expect(checkpoint?.lease).toBeNull();
    expect(decodeCheckpoint(checkpoint as Entry)).toEqual({ worker: null, ...handover });
  });

  it('hands where the jobs stopped to whoever claims them', async () => {
    await commitMove(ledger, await split(a));
    const id = await newId();
    const [record, own] = [await entry(keys.jobset(id)), await entry(keys.owner(id))];
    const other = await ledger.register(
      { ...worker, id: 'w2' as WorkerId },
      await store.lease(6_000),
    );
    const sight = {
      revision: record?.modRevision ?? 0,
      ownRevision: own?.modRevision ?? 0,
      owner: null,
      at: 0,
    };
    const { claimed } = await ledger.claim(id, sight, other);
    expect(claimed).toMatchObject({ definitions: [a], handover });
  });

  it('adds itself behind those who refused before', async () => {
    await publish([a, b, c], { avoid: ['w0' as WorkerId] });
    claim = { ...claim, revision: (await entry(keys.jobset(JOBSET)))?.modRevision ?? 0 };
    await commitMove(ledger, await split(a));
    expect((await jobset(await newId())).avoid).toEqual(['w0', ME]);
    expect((await jobset(JOBSET)).avoid).toEqual(['w0']);
  });

  it('deletes the chunks that the rest does not need any more', async () => {
    // Texts that do not deflate, so that they take several chunks.
    const random = seededRandom(3);
    const noise = () => Array.from({ length: 6_000 }, () => random.uuid()).join('');
    const big = ['p', 'q', 'r', 's'].map((host) =>
      aCheck(`${host}.example.com/`, aSpec({ request: { body: noise() } })),
    );
    await publish([a, ...big]);
    claim = { ...claim, revision: (await entry(keys.jobset(JOBSET)))?.modRevision ?? 0 };
    expect((await jobset(JOBSET)).chunks).toBeGreaterThan(1);
    expect(await commitMove(ledger, await split(...big))).toBe(true);
    expect((await jobset(JOBSET)).chunks).toBe(1);
    expect(await definitionsOf(JOBSET)).toEqual([a]);
    expect(await definitionsOf(await newId())).toEqual(big);
  });

  it('hands a jobset on as a whole: same content, nobody owns it', async () => {
    const move = handOn(ledger, await content(), { handover, avoid: ME });
    expect(await commitMove(ledger, move)).toBe(true);
    expect(await ids()).toEqual([JOBSET]);
    expect(await jobset(JOBSET)).toMatchObject({ jobs: [a.id, b.id, c.id], avoid: [ME] });
    expect(await definitionsOf(JOBSET)).toEqual([a, b, c]);
    const own = await entry(keys.owner(JOBSET));
    expect(own?.lease).toBeNull();
    expect(decodeOwnership(own as Entry).worker).toBeNull();
    expect(decodeCheckpoint((await entry(keys.checkpoint(JOBSET))) as Entry)).toEqual({
      worker: null,
      ...handover,
    });
    expect(await ledger.reload(claim)).toBeNull();
  });

  describe('writes nothing', () => {
    const before = async () => (await store.snapshot('')).entries;

    it.each(['split', 'handOn'] as const)('when the publisher was quicker (%s)', async (kind) => {
      const move =
        kind === 'split'
          ? await split(a)
          : handOn(ledger, await content(), { handover, avoid: ME });
      await publish([a, b]);
      const entries = await before();
      expect(await commitMove(ledger, move)).toBe(false);
      expect(await before()).toEqual(entries);
    });

    it.each(['split', 'handOn'] as const)('when the claim is lost (%s)', async (kind) => {
      const move =
        kind === 'split'
          ? await split(a)
          : handOn(ledger, await content(), { handover, avoid: ME });
      await ledger.release(claim, null);
      await take();
      const entries = await before();
      // As a whole it is gone then, whoever has it.
      expect(await commitMove(ledger, move)).toBe(kind === 'handOn');
      expect(await before()).toEqual(entries);
    });

    it('for a content that its claim does not know', async () => {
      await publish([a, b]);
      expect(await readContent(ledger, claim)).toBeNull();
    });

    it('twice, and the second attempt to move the same job finds it gone', async () => {
      const [first, second] = [await split(a), await split(a)];
      expect(await commitMove(ledger, first)).toBe(true);
      expect(await commitMove(ledger, second)).toBe(false);
      expect((await allJobs()).sort()).toEqual([a.id, b.id, c.id].sort());
    });
  });

  describe('over a bad network', () => {
    let network: FaultyStore;

    beforeEach(() => {
      network = new FaultyStore(store);
    });

    it.each(['split', 'handOn'] as const)(
      'knows that it is done when the client has sent it twice (%s)',
      async (kind) => {
        const move =
          kind === 'split'
            ? await split(a)
            : handOn(ledger, await content(), { handover, avoid: ME });
        network.nextFault = () => 'repeated';
        expect(await commitMove(ledgerOn(network), move)).toBe(true);
      },
    );

    it.each([
      ['split', 'answer', true],
      ['split', 'request', false],
      ['handOn', 'answer', true],
      ['handOn', 'request', false],
    ] as const)('reads back what became of it (%s, %s lost)', async (kind, fault, written) => {
      const move =
        kind === 'split'
          ? await split(a)
          : handOn(ledger, await content(), { handover, avoid: ME });
      network.nextFault = () => fault;
      await expect(commitMove(ledgerOn(network), move)).rejects.toMatchObject({
        code: 'WCH_STORE_UNAVAILABLE',
      });
      network.nextFault = null;
      expect(await wasMoved(ledgerOn(network), move)).toBe(written);
    });

    it('still knows it when another worker has taken what was handed on', async () => {
      const move = handOn(ledger, await content(), { handover, avoid: ME });
      network.nextFault = () => 'answer';
      await expect(commitMove(ledgerOn(network), move)).rejects.toThrow();
      network.nextFault = null;
      by = await ledger.register({ ...worker, id: 'w2' as WorkerId }, await store.lease(6_000));
      await take();
      expect(await wasMoved(ledgerOn(network), move)).toBe(true);
    });
  });

  const moveOf = (held: Content, jobs: ReadonlySet<CheckId>): Move =>
    jobs.size === held.definitions.length
      ? handOn(ledger, held, { handover, avoid: ME })
      : splitOff(ledger, held, { jobs, handover, avoid: ME });

  const expectWhole = async (expected: readonly CheckId[]): Promise<void> => {
    expect((await allJobs()).sort()).toEqual([...expected].sort());
    for (const id of await ids()) {
      const { jobs, digest } = await jobset(id);
      const definitions = await definitionsOf(id);
      expect(definitions.map((one) => one.id)).toEqual(jobs);
      expect(digestOf(definitions)).toBe(digest);
    }
  };

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    'loses and doubles no job, whoever else writes (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const expected = [a.id, b.id, c.id];
      for (let round = 0; round < 6; round += 1) {
        const held = await readContent(ledger, claim);
        if (held === null) return;
        const chosen = held.definitions.filter(() => random.next() < 0.5);
        const move = moveOf(held, new Set(chosen.map(({ id }) => id)));
        if (random.next() < 0.4) {
          const fresh = aCheck(`new-${round}.example.com/`);
          expected.push(fresh.id);
          await publish([...held.definitions, fresh]);
        }
        if (chosen.length > 0) await commitMove(ledger, move);
        claim = { ...claim, revision: (await entry(keys.jobset(JOBSET)))?.modRevision ?? 0 };
        await expectWhole(expected);
      }
    },
  );
});
