import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { Publisher, type PublishReport } from '../../../src/admin/publisher.ts';
import { KEEP_MS } from '../../../src/admin/takeover-rule.ts';
import { HOLD_MS } from '../../../src/admin/vanish-rule.ts';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import { type Change, keyOf, LIMITS } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import { encodeJobset, encodeSuspects } from '../../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import type { Waiting } from '../../../src/shared/domain/jobset.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { aCatalogue } from '../../support/fleet.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { aWaiting } from './fleets.ts';

const keys = new Keys();
const TERM = { condition: { key: keys.leader, modRevision: 0 } };
const checks = (count: number, from = 0): CheckDefinition[] => {
  const spec = aSpec();
  return Array.from({ length: count }, (_, n) => aCheck(`host-${from + n}`, spec));
};

const reportOf = (report: PublishReport | null): PublishReport => {
  if (report === null) throw new Error('the folder waits');
  return report;
};

describe('the publisher', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let publishing: Publishing;
  let publisher: Publisher;

  const publish = async (definitions: readonly CheckDefinition[], confirmed = false) =>
    reportOf(await publisher.publish(aCatalogue(definitions), TERM, confirmed));
  /** What the ledger holds, by jobset. */
  const ledger = async (): Promise<CheckDefinition[][]> => {
    const found: CheckDefinition[][] = [];
    for await (const { jobset } of publishing.jobsets()) {
      const definitions = await publishing.definitions(jobset.id);
      expect(definitions.map(({ id }) => id)).toEqual(jobset.jobs);
      found.push(definitions);
    }
    return found;
  };
  const published = async () => (await ledger()).flat().sort((a, b) => (a.key < b.key ? -1 : 1));
  const sorted = (definitions: readonly CheckDefinition[]) =>
    definitions.toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const changesSince = async (since: number): Promise<readonly Change[]> => {
    const now = await revision();
    const found: Change[] = [];
    for await (const event of store.watch('', since, new AbortController().signal)) {
      if (event.kind === 'gap') break;
      found.push(...event.changes);
      if (event.revision >= now) return found;
    }
    throw new Error('a gap');
  };
  /** Keys that were written or deleted since, but for those that are about the ledger as a whole. */
  const touched = async (since: number): Promise<string[]> =>
    [...new Set((await changesSince(since)).map(keyOf))]
      .filter((key) => !key.includes('/meta/'))
      .sort();
  const revision = async () => (await store.snapshot('')).revision;

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore({ clock });
    publishing = new Publishing({ store, keys });
    publisher = new Publisher({ publishing, clock, random: seededRandom(1) });
  });

  it('brings every check of the folder into exactly one jobset of at most a hundred', async () => {
    const folder = checks(250);
    const report = await publish(folder);
    expect(report).toMatchObject({ checks: 250, jobsets: 3, written: 3, deleted: 0, conflicts: 0 });
    expect((await ledger()).map((jobset) => jobset.length).sort()).toEqual([100, 100, 50]);
    expect(await published()).toEqual(sorted(folder));
  });

  it('writes nothing when nothing has changed, also after a restart', async () => {
    await publish(checks(250));
    const before = await revision();
    publisher = new Publisher({ publishing, clock, random: seededRandom(2) });
    const equal = checks(250).toReversed();
    expect(await publish(equal)).toMatchObject({ written: 0, deleted: 0 });
    expect(await revision()).toBe(before);
  });

  it('writes one jobset when one check is added to 5,000', async () => {
    const folder = checks(5000);
    await publish(folder);
    const before = await revision();
    const report = await publish([...folder, aCheck('new')]);
    expect(report).toMatchObject({ checks: 5001, written: 1, deleted: 0 });
    expect((await touched(before)).map((key) => key.split('/')[3])).toEqual(['def', 'jobset']);
    expect(await published()).toEqual(sorted([...folder, aCheck('new')]));
  });

  it.each([
    [
      'a changed spec',
      (folder: CheckDefinition[]) => folder.with(7, aCheck('host-7', aSpec({ failAfter: 3 }))),
    ],
    ['a check less', (folder: CheckDefinition[]) => folder.toSpliced(7, 1)],
  ])('writes one jobset for %s', async (_, change) => {
    const folder = checks(500);
    await publish(folder);
    const before = await revision();
    const changed = change(folder);
    expect(await publish(changed)).toMatchObject({ written: 1, deleted: 0 });
    expect((await touched(before)).length).toBe(2);
    expect(await published()).toEqual(sorted(changed));
  });

  it('deletes a jobset whose last check is gone, with its chunks', async () => {
    await publish(checks(101));
    const [single] = (await ledger()).filter((jobset) => jobset.length === 1);
    const rest = checks(101).filter(({ id }) => id !== single?.[0]?.id);
    expect(await publish(rest)).toMatchObject({ checks: 100, jobsets: 1, written: 0, deleted: 1 });
    const left = (await store.snapshot('')).entries.filter(({ key }) => !key.includes('/meta/'));
    expect(left.length).toBe(2);
  });

  it('stores definitions in as many chunks as they need, and no old one stays', async () => {
    const noise = seededRandom(3);
    const body = () => Array.from({ length: 3000 }, () => noise.uuid()).join('');
    const big = Array.from({ length: 10 }, (_, n) =>
      aCheck(`big-${n}`, aSpec({ request: { body: body() } })),
    );
    await publish(big);
    const chunks = async () => (await store.snapshot(`/watcher/v1/def/`)).entries.length;
    expect(await chunks()).toBeGreaterThan(1);
    expect(await published()).toEqual(sorted(big));
    await publish(big.slice(0, 1).concat(checks(9)));
    expect(await chunks()).toBe(1);
  });

  it('says which jobset passes the limits of the store, and publishes the others', async () => {
    const body = randomBytes(LIMITS.requestBytes * 1.1).toString('base64');
    const folder = [...checks(100), aCheck('giant', aSpec({ request: { body } }))];
    const report = await publish(folder);
    expect(report.refused.map(({ why }) => why)).toEqual([expect.stringContaining('bytes')]);
    expect((await published()).length).toBe(100);
  });

  describe('when jobs stand there that are not of the folder', () => {
    const api = 'api-jobset' as JobsetId;
    beforeEach(async () => {
      const definitions = [aCheck('of-the-api'), aCheck('host-1')];
      const jobset = {
        old: null,
        id: api,
        source: 'api',
        zone: null,
        digest: digestOf(definitions),
        definitions,
      } as const;
      await publishing.replace(jobset, TERM);
    });

    it('never takes them away', async () => {
      await publish(checks(5));
      await publish([]);
      expect((await published()).map(({ key }) => key)).toEqual(['host-1', 'of-the-api']);
    });

    it('does not publish one of them a second time', async () => {
      await publish(checks(5));
      const found = (await published()).map(({ key }) => key);
      expect(found).toEqual(['host-0', 'host-1', 'host-2', 'host-3', 'host-4', 'of-the-api']);
    });
  });

  describe('when much has vanished', () => {
    const all = checks(150);
    beforeEach(async () => {
      await publish(all);
    });

    it('keeps it, and brings the rest of the scan in meanwhile', async () => {
      const changed = aCheck('host-3', aSpec({ failAfter: 2 }));
      const report = await publish([...all.slice(0, 50).with(3, changed), aCheck('new')]);
      expect(report.vanished).toEqual({ count: 100, reason: 'suspicious' });
      expect(report.checks).toBe(151);
      expect(await published()).toEqual(sorted([...all.with(3, changed), aCheck('new')]));
    });

    it('takes it away when that is confirmed', async () => {
      await publish(all.slice(0, 50));
      expect((await publish(all.slice(0, 50), true)).checks).toBe(50);
      expect(await published()).toEqual(sorted(all.slice(0, 50)));
    });

    it('takes it away when the folder has said the same for ten minutes', async () => {
      await publish(all.slice(0, 50));
      await clock.advance(HOLD_MS - 1);
      expect((await publish(all.slice(0, 50))).vanished.reason).toBe('suspicious');
      await clock.advance(1);
      expect((await publish(all.slice(0, 50))).vanished.reason).toBe('lasting');
      expect(await published()).toEqual(sorted(all.slice(0, 50)));
    });

    it('keeps it across a restart of the admin too', async () => {
      publisher = new Publisher({ publishing, clock, random: seededRandom(2) });
      const folder = [...all.slice(0, 20), aCheck('new')];
      expect(await publisher.publish(aCatalogue(folder), TERM)).toBeNull();
      await clock.advance(KEEP_MS);
      await publish(folder);
      expect((await published()).length).toBe(151);
    });
  });

  it('reports a jobset that has changed under its hands, and puts it right the next time', async () => {
    const folder = checks(150);
    await publish(folder);
    const other = new Publisher({ publishing, clock, random: seededRandom(2) });
    await other.publish(aCatalogue(folder), TERM);
    const [one, two] = [aCheck('one'), aCheck('two')];
    const reports = await Promise.all([
      publish([...folder, one]),
      other.publish(aCatalogue([...folder, two]), TERM).then(reportOf),
    ]);
    expect(reports.map((report) => report.conflicts).sort()).toEqual([0, 1]);
    expect((await publish([...folder, one, two], true)).conflicts).toBe(0);
    expect(await published()).toEqual(sorted([...folder, one, two]));
  });

  it('writes nothing when it does not lead any more', async () => {
    const term = { condition: { key: keys.leader, modRevision: 99 } };
    const report = await publisher.publish(aCatalogue(checks(250)), term);
    expect(report).toMatchObject({ written: 0, conflicts: 3 });
    expect(await published()).toEqual([]);
  });

  describe('when checks have zones', () => {
    const inZone = (name: string, zone?: string) =>
      aCheck(name, aSpec(zone === undefined ? {} : { zone }));
    const names = (short: readonly string[]) => short.map((name) => `id-of-${name}`);
    const zones = async () => {
      const found: [string | null, string[]][] = [];
      for await (const { jobset } of publishing.jobsets())
        found.push([jobset.zone, jobset.jobs.map((id) => id.replace('id-of-', '')).sort()]);
      return found.sort(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1));
    };

    it('keeps each jobset to one zone', async () => {
      await publish([inZone('a'), inZone('b', 'eu'), inZone('c', 'us'), inZone('d', 'eu')]);
      expect(await zones()).toEqual([
        [null, ['a']],
        ['eu', ['b', 'd']],
        ['us', ['c']],
      ]);
    });

    it('moves a check whose zone has changed, and never has it in two jobsets', async () => {
      const before = [inZone('a'), inZone('b', 'eu'), inZone('c', 'eu'), inZone('d')];
      await publish(before);
      const since = await revision();
      const after = [inZone('a', 'eu'), inZone('b'), inZone('c', 'eu'), inZone('d')];
      expect((await publish(after)).checks).toBe(4);
      expect(await zones()).toEqual([
        [null, ['b', 'd']],
        ['eu', ['a', 'c']],
      ]);
      expect(await published()).toEqual(sorted(after));
      const jobsIn = new Map([
        [null, names(['a', 'd'])],
        ['eu', names(['b', 'c'])],
      ]);
      for (const change of await changesSince(since)) {
        if (change.kind === 'delete' || !change.entry.key.startsWith(keys.jobsets)) continue;
        const { zone, jobs } = JSON.parse(change.entry.value.toString());
        const all = [...jobsIn.set(zone, jobs).values()].flat();
        expect(new Set(all).size).toBe(all.length);
      }
    });

    it('is done in one publish when all checks move, and leaves no empty jobset', async () => {
      await publish([inZone('a'), inZone('b')]);
      const report = await publish([inZone('a', 'eu'), inZone('b', 'eu')]);
      expect(report).toMatchObject({ checks: 2, jobsets: 1, written: 1, deleted: 1, conflicts: 0 });
      expect(await zones()).toEqual([['eu', ['a', 'b']]]);
    });
  });

  it('still avoids the workers that could not reach a jobset that it writes anew', async () => {
    await publish(checks(2));
    const [entry] = (await store.snapshot(keys.jobsets)).entries;
    if (!entry) throw new Error('nothing is published');
    const avoiding = { ...JSON.parse(entry.value.toString()), avoid: ['w1'] };
    const value = Buffer.from(JSON.stringify(avoiding));
    await store.commit([], [{ kind: 'put', key: entry.key, value }]);
    await publish(checks(3));
    for await (const { jobset } of publishing.jobsets())
      expect(jobset).toMatchObject({ jobs: { length: 3 }, avoid: ['w1'] });
  });

  describe('when a jobset waits', () => {
    const waits = async (waiting: Partial<Waiting>): Promise<JobsetId> => {
      await publish(checks(2));
      const [standing] = await Array.fromAsync(publishing.jobsets());
      if (standing === undefined) throw new Error('nothing is published');
      const { jobset } = standing;
      const value = encodeJobset({ ...jobset, waiting: aWaiting(waiting) });
      const suspects = encodeSuspects({ by: 'w' as WorkerId, jobs: {} });
      await store.commit(
        [],
        [
          { kind: 'put', key: keys.jobset(jobset.id), value },
          { kind: 'put', key: keys.suspects(jobset.id), value: suspects },
        ],
      );
      return jobset.id;
    };
    const now = async (id: JobsetId) =>
      (await Array.fromAsync(publishing.jobsets())).find(({ jobset }) => jobset.id === id)?.jobset;
    const changed = [aCheck('host-0', aSpec({ failAfter: 3 })), ...checks(1, 1)];
    const suspected = async () => (await store.snapshot(keys.allSuspects)).entries.length;

    it('puts new checks elsewhere', async () => {
      const id = await waits({});
      await publish(checks(3));
      expect((await now(id))?.jobs).toHaveLength(2);
      expect(await published()).toEqual(checks(3));
    });

    it('lets it wait on when its definitions change', async () => {
      const id = await waits({ reason: 'late' });
      await publish(changed);
      expect((await now(id))?.waiting).toEqual(aWaiting({ reason: 'late' }));
      expect(await suspected()).toBe(1);
    });

    it('lets a job out of quarantine whose definition changes', async () => {
      const id = await waits({ reason: 'quarantined' });
      await publish(checks(2));
      expect((await now(id))?.waiting).toEqual(aWaiting({ reason: 'quarantined' }));
      await publish(changed);
      expect((await now(id))?.waiting).toBeNull();
      expect(await suspected()).toBe(0);
    });

    it('lets nothing out whose definitions were only damaged', async () => {
      const id = await waits({ reason: 'quarantined' });
      const jobset = await now(id);
      if (jobset === undefined) throw new Error('it is gone');
      const value = encodeJobset({ ...jobset, digest: '' });
      await store.commit([], [{ kind: 'put', key: keys.jobset(id), value }]);
      expect(await publish(checks(2))).toMatchObject({ written: 1 });
      expect((await now(id))?.waiting).toEqual(aWaiting({ reason: 'quarantined' }));
    });

    it('takes its suspects away with it', async () => {
      await waits({ reason: 'quarantined' });
      await publish([aCheck('another')]);
      expect(await suspected()).toBe(0);
    });
  });

  it('deletes with a jobset what its next owner would have wanted to know', async () => {
    await publish(checks(2));
    for await (const { jobset } of publishing.jobsets()) {
      const about = [keys.checkpoint(jobset.id), keys.owner(jobset.id)];
      await store.commit(
        [],
        about.map((key) => ({ kind: 'put', key, value: Buffer.from('{}') }) as const),
      );
    }
    await publish([]);
    const left = (await store.snapshot('')).entries.map(({ key }) => key);
    expect(left.filter((key) => !key.includes('/meta/'))).toEqual([]);
  });

  it('gives no job a place while somebody else gives places', async () => {
    await publish(checks(3));
    const { places } = await publishing.standing();
    const folder = [...checks(3), aCheck('new')];
    store.commit = new Proxy(store.commit, {
      async apply(commit, self, [when, then, ...more]) {
        const isWrite = then.some(({ kind }: { kind: string }) => kind === 'put');
        const isOfJobset = isWrite && then[0].key.startsWith(keys.jobsets);
        if (isOfJobset) {
          store.commit = commit;
          const put = { kind: 'put', key: keys.places, value: Buffer.alloc(0) } as const;
          await commit.call(self, [{ key: keys.places, modRevision: places.revision }], [put]);
        }
        return commit.call(self, when, then, ...more);
      },
    });
    expect(await publish(folder)).toMatchObject({ written: 0, conflicts: 1 });
    expect(await publish(folder)).toMatchObject({ written: 1, conflicts: 0 });
  });

  describe('when records under its prefix are not of any watcher', () => {
    const foreign: Readonly<Record<string, Buffer>> = {
      [`${keys.jobsets}torn`]: Buffer.from('{"v":1,"source":"fol'),
      [`${keys.jobsets}binary`]: Buffer.from([0xff, 0x00, 0xfe]),
      [`${keys.jobsets}empty`]: Buffer.alloc(0),
      [`${keys.jobsets}shape`]: Buffer.from('{"v":1,"jobs":"all"}'),
      [`${keys.jobsets}of/others`]: Buffer.from('hello'),
    };
    beforeEach(async () => {
      const puts = Object.entries(foreign).map(
        ([key, value]) => ({ kind: 'put', key, value }) as const,
      );
      await store.commit([], puts);
    });

    it('publishes past them, counts them and leaves them alone', async () => {
      const report = await publish(checks(150));
      expect(report).toMatchObject({ checks: 150, written: 2, conflicts: 0 });
      expect([...report.unreadable].sort()).toEqual(Object.keys(foreign).sort());
      expect(await published()).toEqual(sorted(checks(150)));
      for (const [key, value] of Object.entries(foreign))
        expect((await store.snapshot(key)).entries[0]?.value).toEqual(value);
    });

    it('finds the checks of a jobset that was damaged another place', async () => {
      await publish(checks(3));
      const [entry] = (await store.snapshot(keys.jobsets)).entries.filter(
        ({ key }) => foreign[key] === undefined,
      );
      const value = Buffer.from('damaged');
      await store.commit([], [{ kind: 'put', key: entry?.key ?? '', value }]);
      const report = await publish(checks(3));
      expect(report).toMatchObject({ checks: 3, written: 1, unreadable: { length: 6 } });
      expect(await published()).toEqual(sorted(checks(3)));
    });

    it('takes a folder that nobody can read for another one, and waits', async () => {
      await publish(checks(3));
      const value = Buffer.from('damaged');
      await store.commit([], [{ kind: 'put', key: keys.folder, value }]);
      expect(await publisher.publish(aCatalogue(checks(3)), TERM)).toBeNull();
    });

    it('brings the rest though the definitions of what is held are damaged', async () => {
      const all = checks(150);
      await publish(all);
      const folder = [...all.slice(0, 50), aCheck('new')];
      const chunks = (await store.snapshot(keys.allDefinitions)).entries;
      await store.commit(
        [],
        chunks.map(({ key }) => ({ kind: 'put', key, value: Buffer.from('damaged') }) as const),
      );
      expect((await publish(folder)).vanished.reason).toBe('suspicious');
      expect(await published()).toEqual(sorted(folder));
    });
  });

  describe('when it follows another leader', () => {
    const folder = checks(20);
    const next = () => {
      publisher = new Publisher({ publishing, clock, random: seededRandom(2) });
    };
    beforeEach(async () => {
      await publish(folder);
      next();
    });
    const offer = (definitions: readonly CheckDefinition[], confirmed = false, term = TERM) =>
      publisher.publish(aCatalogue(definitions), term, confirmed);

    it('goes on at once with the folder that is published', async () => {
      expect(await offer(folder)).toMatchObject({ checks: 20 });
      expect(publisher.waitingMs).toBeNull();
    });

    it('keeps what is published for five minutes when its own folder differs', async () => {
      const before = await revision();
      expect(await offer(checks(21))).toBeNull();
      expect(publisher.waitingMs).toBe(KEEP_MS);
      expect(publisher.dueInMs).toBe(KEEP_MS);
      await clock.advance(KEEP_MS - 1);
      expect(await offer(checks(21))).toBeNull();
      expect(await revision()).toBe(before);
      await clock.advance(1);
      expect(await offer(checks(21))).toMatchObject({ checks: 21 });
      expect(publisher.waitingMs).toBeNull();
    });

    it('publishes a folder that changes meanwhile', async () => {
      expect(await offer(checks(21))).toBeNull();
      expect(await offer(checks(22))).toMatchObject({ checks: 22 });
    });

    it('publishes a folder that somebody confirms, and each later one', async () => {
      expect(await offer(checks(21))).toBeNull();
      expect(await offer(checks(21), true)).toMatchObject({ checks: 21 });
      expect(await offer(checks(22))).toMatchObject({ checks: 22 });
    });

    it('waits anew in a later term, in which others may have led before', async () => {
      expect(await offer(checks(21))).toBeNull();
      await clock.advance(KEEP_MS);
      const later = { condition: { ...TERM.condition } };
      expect(await offer(checks(21), false, later)).toBeNull();
      expect(publisher.waitingMs).toBe(KEEP_MS);
    });

    it('need not wait in a later term when nobody else has published', async () => {
      await offer(folder);
      const later = { condition: { ...TERM.condition } };
      expect(await offer(checks(21), false, later)).toMatchObject({ checks: 21 });
    });

    it('has waited, though the store is away when it is time', async () => {
      await offer(checks(21));
      await clock.advance(KEEP_MS);
      const { follow } = publishing;
      publishing.follow = () => {
        publishing.follow = follow;
        throw new WatcherError('WCH_STORE_UNAVAILABLE', 'away', { retryable: true });
      };
      await expect(offer(checks(21))).rejects.toMatchObject({ code: 'WCH_STORE_UNAVAILABLE' });
      expect(await offer(checks(21))).toMatchObject({ checks: 21 });
    });
  });

  it('does not touch a ledger that a newer watcher has written', async () => {
    await publish(checks(150));
    const newer = {
      kind: 'put',
      key: keys.jobset('newer' as JobsetId),
      value: Buffer.from('{"v":2}'),
    } as const;
    const { revision: before } = await store.commit([], [newer]);
    await expect(publish(checks(10))).rejects.toMatchObject({ code: 'WCH_RECORD' });
    expect(await revision()).toBe(before);
  });
});
