import { beforeEach, describe, expect, it } from 'vitest';
import { Publisher } from '../../../src/admin/publisher.ts';
import { HOLD_MS } from '../../../src/admin/vanish-rule.ts';
import { digestOf } from '../../../src/shared/coordination/definitions.ts';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Change } from '../../../src/shared/coordination/kv.ts';
import { MemoryStore } from '../../../src/shared/coordination/kv-memory.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import type { CheckDefinition, JobsetId } from '../../../src/shared/domain/check.ts';
import { aCheck, aSpec } from '../../support/builders.ts';
import { aCatalogue } from '../../support/fleet.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const keys = new Keys();
const TERM = { condition: { key: keys.leader, modRevision: 0 } };
const checks = (count: number, from = 0): CheckDefinition[] => {
  const spec = aSpec();
  return Array.from({ length: count }, (_, n) => aCheck(`host-${from + n}`, spec));
};

const keyOf = (change: Change): string => (change.kind === 'put' ? change.entry.key : change.key);

describe('the publisher', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let publishing: Publishing;
  let publisher: Publisher;

  const publish = (definitions: readonly CheckDefinition[], confirmed = false) =>
    publisher.publish(aCatalogue(definitions), TERM, confirmed);
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
  /** Keys that were written or deleted since; at least one must have been. */
  const touched = async (since: number): Promise<string[]> => {
    for await (const event of store.watch('', since, new AbortController().signal)) {
      if (event.kind === 'gap') break;
      return [...new Set(event.changes.map(keyOf))].sort();
    }
    throw new Error('a gap');
  };
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
    expect((await store.snapshot('')).entries.length).toBe(2);
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
    const noise = seededRandom(3);
    const body = Array.from({ length: 120_000 }, () => noise.uuid()).join('');
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
      await publish([...all.slice(0, 20), aCheck('new')]);
      expect((await published()).length).toBe(151);
    });
  });

  it('reports a jobset that has changed under its hands, and puts it right the next time', async () => {
    const folder = checks(150);
    await publish(folder);
    const other = new Publisher({ publishing, clock, random: seededRandom(2) });
    const [one, two] = [aCheck('one'), aCheck('two')];
    const reports = await Promise.all([
      publish([...folder, one]),
      other.publish(aCatalogue([...folder, two]), TERM),
    ]);
    expect(reports.map((report) => report.conflicts).sort()).toEqual([0, 1]);
    expect((await publish([...folder, one, two])).conflicts).toBe(0);
    expect(await published()).toEqual(sorted([...folder, one, two]));
  });

  it('writes nothing when it does not lead any more', async () => {
    const term = { condition: { key: keys.leader, modRevision: 99 } };
    const report = await publisher.publish(aCatalogue(checks(250)), term);
    expect(report).toMatchObject({ written: 0, conflicts: 3 });
    expect(await published()).toEqual([]);
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
