/** The copy of the ledger on a real etcd: what it shows while etcd is away, and after. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { checkIdOf } from '../../src/shared/config/check-id.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { LedgerReading } from '../../src/shared/coordination/ledger-reading.ts';
import { LedgerView } from '../../src/shared/coordination/ledger-view.ts';
import type { LedgerPage } from '../../src/shared/domain/pool-views.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { startEtcd } from '../support/etcd.ts';
import { writtenLedger } from '../support/written-ledger.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

const aProcess = async () => {
  if (etcd === null) throw new Error('no etcd');
  const stack = new AsyncDisposableStack();
  const common = { keys: new Keys(), clock: systemClock, random: systemRandom };
  const store = stack.use(await openEtcdStore({ endpoints: etcd.endpoints, ...common }));
  const awaySince = () => store.outage?.since ?? null;
  const view = stack.use(new LedgerView({ ...common, store, awaySince }));
  view.start();
  const keyOf = () => null;
  const reading = new LedgerReading({ ...common, store, view, idOf: checkIdOf, keyOf });
  return {
    store,
    page: () => reading.page({ after: null, limit: 50 }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

/** Asks until the answer is as wanted: how soon is measured elsewhere. */
const until = async (ask: () => Promise<LedgerPage>, isWanted: (page: LedgerPage) => boolean) => {
  for (;;) {
    const page = await ask();
    if (isWanted(page)) return page;
    await sleep(20);
  }
};

describe.skipIf(etcd === null)('a copy of the ledger in etcd', { timeout: 30_000 }, () => {
  it('is shown while etcd is away, and called stale, and is right again after', async () => {
    await using one = await aProcess();
    await using other = await aProcess();
    const ledger = writtenLedger(one.store);
    await ledger.jobset('js-1', ['a/x']);
    await ledger.owns('w1', 'js-1');
    await ledger.beat('w1', 7);
    const fed = await until(one.page, ({ jobsets }) => jobsets[0]?.owner === 'w1');
    expect(fed).toMatchObject({ stale: false, jobsets: [{ keys: ['a/x'], heartbeat: 7 }] });
    expect(await until(other.page, ({ jobsets }) => jobsets[0]?.owner === 'w1')).toEqual(fed);

    await etcd?.members[0].kill();
    expect(await other.page()).toMatchObject({
      stale: true,
      jobsets: [{ id: 'js-1', owner: 'w1' }],
    });
    await etcd?.members[0].start('kept');
    await until(one.page, (page) => !page.stale);
    await ledger.owns('w2', 'js-1');
    await until(other.page, ({ jobsets }) => jobsets[0]?.owner === 'w2');

    await etcd?.members[0].kill();
    await etcd?.members[0].start('wiped');
    await until(other.page, ({ jobsets, stale }) => jobsets.length === 0 && !stale);
  });
});
