/** What other hands have damaged is whole again in five minutes, and nobody has to do anything for it. */

import { beforeEach, describe, expect, it } from 'vitest';
import { Admin } from '../../../src/admin/admin.ts';
import { Publisher } from '../../../src/admin/publisher.ts';
import { Election } from '../../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../../src/shared/coordination/heartbeat.ts';
import { Publishing } from '../../../src/shared/coordination/publishing.ts';
import type { JobsetId } from '../../../src/shared/domain/check.ts';
import { silentLog } from '../../../src/shared/runtime/log.ts';
import { aCatalogue } from '../../support/fleet.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { type AuditedLedger, aLedger, named } from './auditing.ts';

const FIVE_MINUTES = 300_000;
const CHECKS = named('a', 'b', 'c');

describe('a pool with a leading admin', () => {
  let ledger: AuditedLedger;
  let jobset: JobsetId;

  const jobs = async (): Promise<string[]> =>
    Object.values(await ledger.content())
      .flat()
      .sort();

  beforeEach(async () => {
    ledger = aLedger();
    const { store, keys, clock } = ledger;
    const options = { store, keys, clock, random: seededRandom(1), log: silentLog };
    const admin = new Admin({
      ...options,
      election: new Election({ ...options, timing: LEASE_TIMING, id: 'a1' }),
      publisher: new Publisher({ ...options, publishing: new Publishing(options) }),
      audit: ledger.auditOn(),
      steering: { run: async () => {} },
    });
    admin.offer(aCatalogue(CHECKS));
    admin.start();
    await clock.advance(60_000);
    const [entry] = (await store.snapshot(keys.jobsets)).entries;
    jobset = keys.jobsetOf(entry?.key ?? '');
    expect(await jobs()).toEqual(['a', 'b', 'c']);
  });

  it('publishes a jobset again that was deleted, and takes what is left of the old one away', async () => {
    const { drop, keys, clock, allKeys } = ledger;
    await drop(keys.jobset(jobset));
    await clock.advance(FIVE_MINUTES);
    expect(await jobs()).toEqual(['a', 'b', 'c']);
    expect((await allKeys()).filter((key) => key.includes(jobset))).toEqual([]);
  });

  it.each(['gone', 'damaged'])(
    'writes definitions again that are %s, under the owner that the jobset has',
    async (how) => {
      const { drop, put, keys, clock, join, claim, beat } = ledger;
      const by = await join('w1');
      const held = await claim(jobset, by);
      const chunk = keys.chunk(jobset, 0);
      await (how === 'gone' ? drop(chunk) : put(chunk, 'damaged'));
      for (let ms = 0; ms < FIVE_MINUTES; ms += 2000) {
        await by.lease.renew();
        await clock.advance(2000);
      }
      expect(await ledger.content()).toEqual({ [jobset]: ['a', 'b', 'c'] });
      if (held) await beat(by, [held]);
      expect((await ledger.get(keys.owner(jobset)))?.modRevision).toBe(held?.token);
    },
  );
});
