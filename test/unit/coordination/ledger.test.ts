import { beforeEach, describe, expect, it } from 'vitest';
import { type BeatContent, sendBeat } from '../../../src/shared/coordination/beating.ts';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { KeyValueStore } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import {
  type Claim,
  type ClaimedJobset,
  Ledger,
  ownerIn,
  type Registration,
  type Sight,
} from '../../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import { decodeProgress } from '../../../src/shared/coordination/records.ts';
import type {
  CheckDefinition,
  CheckId,
  JobsetId,
  WorkerId,
} from '../../../src/shared/domain/check.ts';
import type { Checkpoint, WorkerRecord } from '../../../src/shared/domain/jobset.ts';
import { aCheck, NO_LOAD } from '../../support/builders.ts';
import { type Fault, FaultyStore } from '../../support/faulty-store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const TTL = 6000;
const JOBSET = 'js-1' as JobsetId;
const OTHER = 'js-2' as JobsetId;
const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };
const keys = new Keys();

const aWorker = (id: string): WorkerRecord => ({
  id: id as WorkerId,
  state: 'up',
  capacity: { places: 256, jobs: null },
  host: 'host',
  zone: null,
  version: '0.0.0',
  listen: null,
  started: 0,
});

describe('the ledger', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  const definitions = [aCheck('a.example.com'), aCheck('b.example.com')];

  const ledgerOn = (on: KeyValueStore, seed = 1) =>
    new Ledger({ store: on, keys, clock, random: seededRandom(seed) });
  const join = async (ledger: Ledger, id: string): Promise<Registration> =>
    ledger.register(aWorker(id), await ledger.store.lease(TTL));

  const publish = async (id: JobsetId, of: readonly CheckDefinition[] = definitions) => {
    const publishing = new Publishing({ store, keys });
    let old = null;
    for await (const entry of publishing.jobsets()) if (entry.jobset.id === id) old = entry;
    const replacement = {
      old,
      id,
      source: 'folder',
      zone: null,
      digest: digestOf(of),
      definitions: of,
    } as const;
    expect(await publishing.replace(replacement, TERM)).toBe(true);
  };
  let seq = 0;
  const beatOf = (
    ledger: Ledger,
    by: Registration,
    claims: readonly Claim[],
    more: Partial<BeatContent> = {},
  ) => {
    seq += 1;
    const beat = { seq, at: 0, owned: claims.length, checks: 0, load: NO_LOAD };
    const progress = { through: clock.now(), open: [], left: {} };
    const content = { beat, progress, checkpoints: new Map(), claims, after: 0, ...more };
    return sendBeat(ledger, by, content);
  };
  const withdraw = async (id: JobsetId) => {
    const publishing = new Publishing({ store, keys });
    for await (const entry of publishing.jobsets()) {
      if (entry.jobset.id === id) expect(await publishing.withdraw(entry, TERM)).toBe(true);
    }
  };
  const sightOf = async (id: JobsetId): Promise<Sight> => {
    const { reads, revision } = await store.commit(
      [],
      [
        { kind: 'get', key: keys.owner(id) },
        { kind: 'get', key: keys.jobset(id) },
      ],
    );
    const own = reads[0]?.[0];
    return {
      revision: reads[1]?.[0]?.modRevision ?? 0,
      ownRevision: own?.modRevision ?? 0,
      owner: own ? ownerIn(own) : null,
      at: revision,
    };
  };
  const claim = async (ledger: Ledger, by: Registration, id = JOBSET): Promise<ClaimedJobset> => {
    const { claimed } = await ledger.claim(id, await sightOf(id), by);
    if (claimed === null) throw new Error('not claimed');
    return claimed;
  };
  const keysLeft = async () => (await store.snapshot('')).entries.map((entry) => entry.key);

  beforeEach(async () => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    await publish(JOBSET);
  });

  describe('a claim', () => {
    it('gives the definitions, and the revision of the owner key as token', async () => {
      const ledger = ledgerOn(store);
      const { claim: held, definitions: read } = await claim(ledger, await join(ledger, 'w1'));
      expect(read).toEqual(definitions);
      const sight = await sightOf(JOBSET);
      expect(held).toEqual({ jobset: JOBSET, token: sight.ownRevision, revision: sight.revision });
      expect(sight.owner).toBe('w1');
    });

    it.each(Array.from({ length: 25 }, (_, seed) => seed))(
      'goes to exactly one of 20 that race for it (seed %i)',
      async (seed) => {
        const random = seededRandom(seed);
        const workers = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            // A third of the answers are lost, or the client repeats the commit.
            const faulty = new FaultyStore(store);
            const ledger = ledgerOn(faulty, seed * 100 + n);
            const by = await join(ledger, `w${n}`);
            let isFirst = true;
            faulty.nextFault = (): Fault | null => {
              const luck = random.next();
              const fault =
                isFirst && luck < 0.17 ? 'answer' : isFirst && luck < 0.34 ? 'repeated' : null;
              isFirst = false;
              return fault;
            };
            return { ledger, by };
          }),
        );
        workers.sort(() => random.next() - 0.5);
        const seen = await sightOf(JOBSET);
        // A loser whose answer was lost only knows that it has not won.
        const lost = (error: unknown) => {
          expect(error).toMatchObject({ code: 'WCH_STORE_UNAVAILABLE' });
          return { claimed: null };
        };
        const outcomes = await Promise.all(
          workers.map(({ ledger, by }) => ledger.claim(JOBSET, seen, by).catch(lost)),
        );
        const winners = outcomes.flatMap(({ claimed }, n) => (claimed ? [{ claimed, n }] : []));
        expect(winners.length).toBe(1);
        const sight = await sightOf(JOBSET);
        expect(sight.owner).toBe(workers[winners[0]?.n ?? -1]?.by.worker.id);
        expect(winners[0]?.claimed.claim.token).toBe(sight.ownRevision);
        expect(winners[0]?.claimed.definitions).toEqual(definitions);
      },
    );

    it.each<Fault>(['answer', 'repeated'])(
      'that was written, but whose outcome was lost (%s), is recognised as won',
      async (fault) => {
        const faulty = new FaultyStore(store);
        const ledger = ledgerOn(faulty);
        const by = await join(ledger, 'w1');
        const faults: (Fault | null)[] = [fault, null];
        faulty.nextFault = () => faults.shift() ?? null;
        const { claimed } = await ledger.claim(JOBSET, await sightOf(JOBSET), by);
        expect(claimed?.claim.token).toBe((await sightOf(JOBSET)).ownRevision);
      },
    );

    it('whose request was lost fails, and can be repeated as it was', async () => {
      const faulty = new FaultyStore(store);
      const ledger = ledgerOn(faulty);
      const by = await join(ledger, 'w1');
      const seen = await sightOf(JOBSET);
      const faults: (Fault | null)[] = ['request'];
      faulty.nextFault = () => faults.shift() ?? null;
      await expect(ledger.claim(JOBSET, seen, by)).rejects.toMatchObject({
        code: 'WCH_STORE_UNAVAILABLE',
      });
      expect((await ledger.claim(JOBSET, seen, by)).claimed).not.toBe(null);
    });

    it('tells the loser who holds it', async () => {
      const ledger = ledgerOn(store);
      const seen = await sightOf(JOBSET);
      await ledger.claim(JOBSET, seen, await join(ledger, 'w1'));
      const outcome = await ledger.claim(JOBSET, seen, await join(ledger, 'w2'));
      expect(outcome).toMatchObject({ claimed: null, sight: await sightOf(JOBSET) });
    });

    it('fails when the jobset has changed since it was seen', async () => {
      const ledger = ledgerOn(store);
      const seen = await sightOf(JOBSET);
      await publish(JOBSET, [aCheck('c.example.com')]);
      const outcome = await ledger.claim(JOBSET, seen, await join(ledger, 'w1'));
      expect(outcome).toMatchObject({ claimed: null, sight: await sightOf(JOBSET) });
    });

    it('fails when the jobset has been withdrawn, and leaves nothing behind', async () => {
      const ledger = ledgerOn(store);
      const seen = await sightOf(JOBSET);
      await withdraw(JOBSET);
      const by = await join(ledger, 'w1');
      expect((await ledger.claim(JOBSET, seen, by)).claimed).toBe(null);
      expect(await keysLeft()).toEqual([keys.worker(by.worker.id)]);
    });

    it('is refused to a worker whose lease has ended', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      await clock.advance(TTL + 1);
      await expect(ledger.claim(JOBSET, await sightOf(JOBSET), by)).rejects.toMatchObject({
        code: 'WCH_LEASE_LOST',
      });
      expect((await sightOf(JOBSET)).ownRevision).toBe(0);
    });

    it('is refused to a worker whose registration has been taken away, though its lease lives', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      await store.commit([], [{ kind: 'delete', key: keys.worker(by.worker.id) }]);
      await expect(ledger.claim(JOBSET, await sightOf(JOBSET), by)).rejects.toMatchObject({
        code: 'WCH_LEASE_LOST',
      });
      expect((await sightOf(JOBSET)).ownRevision).toBe(0);
    });

    it('ends with the lease: the jobset is free in the same revision', async () => {
      const ledger = ledgerOn(store);
      await claim(ledger, await join(ledger, 'w1'));
      await clock.advance(TTL + 1);
      expect(await sightOf(JOBSET)).toMatchObject({ ownRevision: 0, owner: null });
    });

    it('gives a greater token with each term', async () => {
      const ledger = ledgerOn(store);
      const tokens: number[] = [];
      for (const id of ['w1', 'w2', 'w3']) {
        const by = await join(ledger, id);
        tokens.push((await claim(ledger, by)).claim.token);
        await by.lease.revoke();
      }
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
      expect(new Set(tokens).size).toBe(3);
    });

    it.each([
      ['of a newer version', Buffer.from('{"v":2}')],
      ['that is damaged', Buffer.from('no deflate at all')],
    ])('of a jobset with a chunk %s throws for that one, and hands it back', async (_, chunk) => {
      await store.commit([], [{ kind: 'put', key: keys.chunk(JOBSET, 0), value: chunk }]);
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      await expect(claim(ledger, by)).rejects.toMatchObject({ code: 'WCH_RECORD' });
      expect((await sightOf(JOBSET)).owner).toBe(null);
      await publish(OTHER);
      expect((await claim(ledger, by, OTHER)).definitions).toEqual(definitions);
    });
  });

  describe('a beat', () => {
    it('is published while all claims hold', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      expect(await beatOf(ledger, by, [held])).toMatchObject({ registered: true, lost: [] });
      expect(await keysLeft()).toContain(keys.beat(by.worker.id));
    });

    it('names exactly the claims that are lost, among hundreds, and says the rest again', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const claims = [];
      for (let n = 0; n < 300; n += 1) {
        const id = `many-${n}` as JobsetId;
        await publish(id);
        claims.push((await claim(ledger, by, id)).claim);
      }
      const rival = await join(ledger, 'w2');
      const gone = [claims[7], claims[150], claims[299]].filter((c) => c !== undefined);
      for (const lost of gone) {
        await ledger.release(lost, null);
        await claim(ledger, rival, lost.jobset);
      }
      expect(await beatOf(ledger, by, claims)).toMatchObject({ registered: true, lost: gone });
      expect(await keysLeft()).toContain(keys.beat(by.worker.id));
    });

    it('finds out that the lease has ended, whatever a renewal said', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      await clock.advance(TTL + 1);
      const lease = { ...by.lease, id: (await store.lease(TTL)).id };
      expect((await beatOf(ledger, { ...by, lease }, [held])).registered).toBe(false);
    });

    it('still holds, and is told, while another state is announced at the same moment', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      const presented = await ledger.present(by, 'full');
      const outcome = await beatOf(ledger, by, [held]);
      expect(outcome).toMatchObject({ registered: true, lost: [] });
      expect(outcome.revision).toBe(presented?.revision);
      expect(await keysLeft()).toContain(keys.beat(by.worker.id));
    });

    it('names what was lost also where its own record is new', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      await ledger.present(by, 'full');
      await store.commit([], [{ kind: 'delete', key: keys.owner(JOBSET) }]);
      expect(await beatOf(ledger, by, [held])).toMatchObject({ registered: true, lost: [held] });
      expect(await keysLeft()).toContain(keys.beat(by.worker.id));
    });
  });

  describe('what the last owner left', () => {
    const states = {
      [definitions[0]?.id as CheckId]: { status: 'critical', since: 5, bad: 1 },
    } as const;
    const checkpointBy = (worker: string | null): ReadonlyMap<JobsetId, Checkpoint> =>
      new Map([[JOBSET, { worker: worker as WorkerId | null, progress: null, states }]]);
    const rewrite = (key: string, text: string) =>
      store.commit([], [{ kind: 'put', key, value: Buffer.from(text) }]);
    let ledger: Ledger;
    let dead: Registration;
    beforeEach(async () => {
      ledger = ledgerOn(store);
      dead = await join(ledger, 'w1');
    });
    const diesAfter = async (content: Partial<BeatContent>) => {
      const { claim: held } = await claim(ledger, dead);
      await beatOf(ledger, dead, [held], content);
      await clock.advance(TTL + 1);
    };
    const takeOver = async () => claim(ledger, await join(ledger, 'w2'));

    it('is nothing where nobody has run it', async () => {
      expect((await takeOver()).handover).toEqual({ progress: null, states: {} });
    });

    it('is in the last heartbeat of a worker that died, and in the checkpoint of the jobset', async () => {
      const progress = { through: 77, open: [[definitions[0]?.id as CheckId, 60]] as const };
      await diesAfter({ progress: { ...progress, left: {} }, checkpoints: checkpointBy('w1') });
      expect((await takeOver()).handover).toMatchObject({ progress, states });
    });

    it('stands exactly in what it handed back', async () => {
      const { claim: held } = await claim(ledger, dead);
      const handover = { progress: { through: 88, open: [] }, states };
      await ledger.release(held, handover);
      expect((await takeOver()).handover).toEqual(handover);
    });

    it('is what the owner before has left, where one died before its first heartbeat', async () => {
      await diesAfter({
        progress: { through: 77, open: [], left: {} },
        checkpoints: checkpointBy('w1'),
      });
      await takeOver();
      await clock.advance(TTL + 1);
      const { handover } = await claim(ledger, await join(ledger, 'w3'));
      expect(handover?.progress?.through).toBe(77);
    });

    it('is what a worker says of a jobset that it has let go of, not of those that it still runs', async () => {
      const left = { [JOBSET]: { through: 66, open: [] } };
      await diesAfter({
        progress: { through: 77, open: [], left },
        checkpoints: checkpointBy('w1'),
      });
      expect((await takeOver()).handover?.progress).toEqual({ through: 66, open: [] });
    });

    it.each([
      ['its checkpoint is damaged', () => rewrite(keys.checkpoint(JOBSET), 'rubbish')],
      ['its checkpoint is of a newer watcher', () => rewrite(keys.checkpoint(JOBSET), '{"v":99}')],
      ['its progress is damaged', () => rewrite(keys.progress('w1' as WorkerId), '{"v":1}')],
      [
        'its progress is gone',
        () => store.commit([], [{ kind: 'delete', key: keys.progress('w1' as WorkerId) }]),
      ],
    ])('is guessed, and the jobset runs, when %s', async (_, damage) => {
      await diesAfter({ checkpoints: checkpointBy('w1') });
      await damage();
      const { handover, definitions: taken } = await takeOver();
      expect(taken).toEqual(definitions);
      expect(handover?.progress).toEqual({ through: clock.now() - 10_000, open: [] });
    });

    it('is asked for again when one answer is lost at that moment', async () => {
      await diesAfter({ checkpoints: checkpointBy('w1') });
      const faulty = new FaultyStore(store);
      const rival = ledgerOn(faulty);
      const by = await join(rival, 'w2');
      let lost = 0;
      faulty.nextFault = (then) => {
        if (then.length !== 1 || then[0]?.kind !== 'get' || lost > 0) return null;
        lost += 1;
        return 'answer';
      };
      const { handover } = await claim(rival, by);
      expect(lost).toBe(1);
      expect(handover?.progress?.through).not.toBe(clock.now() - 10_000);
    });

    it('is guessed when the store goes away at that moment: the jobset must not be blind', async () => {
      await diesAfter({ checkpoints: checkpointBy('w1') });
      const faulty = new FaultyStore(store);
      const rival = ledgerOn(faulty);
      const by = await join(rival, 'w2');
      faulty.nextFault = (then) =>
        then.length === 1 && then[0]?.kind === 'get' ? 'request' : null;
      const { handover } = await claim(rival, by);
      expect(handover?.progress).toEqual({ through: clock.now() - 10_000, open: [] });
      expect(handover?.states).toEqual(states);
    });
  });

  describe('a beat that goes unanswered', () => {
    const progressAt = (through: number) => ({ progress: { through, open: [], left: {} } });
    const through = async (by: Registration) => {
      const [entry] = (await store.snapshot(keys.progress(by.worker.id))).entries;
      return entry && decodeProgress(entry).through;
    };

    it.each(['answer', 'request', 'repeated'] as const)(
      'is followed by the next one (%s)',
      async (fault) => {
        const network = new FaultyStore(store);
        const ledger = ledgerOn(network);
        const by = await join(ledger, 'w1');
        const { beaten } = await beatOf(ledger, by, []);
        network.nextFault = () => fault;
        await beatOf(ledger, by, [], { after: beaten, ...progressAt(2) }).catch(() => {});
        network.nextFault = null;
        await beatOf(ledger, by, [], { after: beaten, ...progressAt(3) });
        expect(await through(by)).toBe(3);
      },
    );

    it('and arrives after the next one changes nothing', async () => {
      const network = new FaultyStore(store);
      const ledger = ledgerOn(network);
      const by = await join(ledger, 'w1');
      const { beaten } = await beatOf(ledger, by, []);
      network.nextFault = () => 'late';
      const late = beatOf(ledger, by, [], { after: beaten, ...progressAt(2) });
      await expect(late).rejects.toThrow('no answer in time');
      network.nextFault = null;
      await beatOf(ledger, by, [], { after: beaten, ...progressAt(3) });
      await network.arrive();
      expect(await through(by)).toBe(3);
    });
  });

  describe('a beat with checkpoints', () => {
    const big = (n: number): Checkpoint => ({
      worker: 'w1' as WorkerId,
      progress: null,
      states: Object.fromEntries(
        Array.from({ length: n }, (_, i) => [`id-${i}`, { status: 'critical', since: i, bad: 1 }]),
      ) as Checkpoint['states'],
    });
    const claimMany = async (ledger: Ledger, by: Registration, count: number) => {
      const claims: Claim[] = [];
      for (let n = 0; n < count; n += 1) {
        const id = `many-${n}` as JobsetId;
        await publish(id);
        claims.push((await claim(ledger, by, id)).claim);
      }
      return claims;
    };

    it('says which were stored, and stays within what a request may weigh', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const claims = await claimMany(ledger, by, 30);
      const checkpoints = new Map(claims.map(({ jobset }) => [jobset, big(1_000)]));
      const { stored } = await beatOf(ledger, by, claims, { checkpoints });
      expect(stored.length).toBeGreaterThan(5);
      expect(stored.length).toBeLessThan(30);
      expect((await store.snapshot(keys.checkpoints)).entries.length).toBe(stored.length);
    });

    it('stores all of hundreds, in as many transactions as their operations need', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const claims = await claimMany(ledger, by, 250);
      const checkpoints = new Map(claims.map(({ jobset }) => [jobset, big(1)]));
      expect((await beatOf(ledger, by, claims, { checkpoints })).stored.length).toBe(250);
    });

    it('stores none for what is no longer its own', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      await ledger.release(held, null);
      const checkpoints = new Map([[JOBSET, big(1)]]);
      const outcome = await beatOf(ledger, by, [held], { checkpoints });
      expect(outcome).toMatchObject({ lost: [held], stored: [] });
      expect((await store.snapshot(keys.checkpoints)).entries).toEqual([]);
    });

    it('stores nothing in a store that is full, and proves all the same', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      store.makeRoom(1);
      const checkpoints = new Map([[JOBSET, big(1)]]);
      expect(await beatOf(ledger, by, [held], { checkpoints })).toEqual({
        registered: true,
        lost: [],
        stored: [],
        revision: by.revision,
        beaten: 0,
        full: true,
      });
    });
  });

  describe('a release', () => {
    it('leaves the jobset to the next, though the lease lives on', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      await ledger.release((await claim(ledger, by)).claim, null);
      expect((await sightOf(JOBSET)).owner).toBe(null);
      expect((await claim(ledger, await join(ledger, 'w2'))).definitions).toEqual(definitions);
    });

    it('of a claim that another has taken over changes nothing', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: stale } = await claim(ledger, by);
      await by.lease.revoke();
      await claim(ledger, await join(ledger, 'w2'));
      await ledger.release(stale, null);
      expect((await sightOf(JOBSET)).owner).toBe('w2');
    });

    it.each<Fault>(['answer', 'repeated'])(
      'whose outcome was lost (%s) is done all the same',
      async (fault) => {
        const faulty = new FaultyStore(store);
        const ledger = ledgerOn(faulty);
        const { claim: held } = await claim(ledger, await join(ledger, 'w1'));
        const faults: (Fault | null)[] = [fault];
        faulty.nextFault = () => faults.shift() ?? null;
        await ledger.release(held, null);
        expect((await sightOf(JOBSET)).owner).toBe(null);
      },
    );
  });

  it('says when a release did not arrive', async () => {
    const faulty = new FaultyStore(store);
    const ledger = ledgerOn(faulty);
    const { claim: held } = await claim(ledger, await join(ledger, 'w1'));
    const faults: (Fault | null)[] = ['request'];
    faulty.nextFault = () => faults.shift() ?? null;
    await expect(ledger.release(held, null)).rejects.toMatchObject({
      code: 'WCH_STORE_UNAVAILABLE',
    });
  });

  describe('a reload', () => {
    it('gives the content of now under the same token', async () => {
      const ledger = ledgerOn(store);
      const { claim: held } = await claim(ledger, await join(ledger, 'w1'));
      const changed = [aCheck('a.example.com'), aCheck('new.example.com')];
      await publish(JOBSET, changed);
      const { revision } = await sightOf(JOBSET);
      expect(await ledger.reload(held)).toEqual({
        claim: { ...held, revision },
        definitions: changed,
        handover: null,
        traces: null,
      });
    });

    it('gives nothing once the claim is lost or the jobset withdrawn', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      await publish(OTHER);
      const [lost, withdrawn] = [await claim(ledger, by), await claim(ledger, by, OTHER)];
      await ledger.release(lost.claim, null);
      await withdraw(OTHER);
      expect(await ledger.reload(lost.claim)).toBe(null);
      expect(await ledger.reload(withdrawn.claim)).toBe(null);
    });
  });

  describe('publishing', () => {
    it('takes a jobset away with its definitions and its owner', async () => {
      const ledger = ledgerOn(store);
      const by = await join(ledger, 'w1');
      const { claim: held } = await claim(ledger, by);
      await withdraw(JOBSET);
      expect(await keysLeft()).toEqual([keys.worker(by.worker.id)]);
      expect(await beatOf(ledger, by, [held])).toMatchObject({ registered: true, lost: [held] });
    });

    it('writes nothing once another leads', async () => {
      const publishing = new Publishing({ store, keys });
      const over = { condition: { key: keys.jobset(JOBSET), modRevision: 0 } };
      const replacement = {
        old: null,
        id: OTHER,
        source: 'folder',
        zone: null,
        digest: 'd',
        definitions,
      } as const;
      expect(await publishing.replace(replacement, over)).toBe(false);
      expect(await keysLeft()).not.toContain(keys.jobset(OTHER));
    });

    it('writes nothing over a jobset that has changed since it was read', async () => {
      const publishing = new Publishing({ store, keys });
      for await (const old of publishing.jobsets()) {
        await publish(JOBSET, [aCheck('c.example.com')]);
        const replacement = {
          old,
          id: JOBSET,
          source: 'folder',
          zone: null,
          digest: 'd',
          definitions,
        } as const;
        expect(await publishing.replace(replacement, TERM)).toBe(false);
        expect(await publishing.withdraw(old, TERM)).toBe(false);
      }
      expect(await publishing.definitions(JOBSET)).toEqual([aCheck('c.example.com')]);
    });
  });
});
