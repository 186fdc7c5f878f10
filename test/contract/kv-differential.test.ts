import { afterAll, describe, expect, it } from 'vitest';
import { startEtcd } from '../support/etcd.ts';
import { compareStores } from './differential.ts';

const etcd = await startEtcd();
afterAll(() => etcd?.[Symbol.asyncDispose]());

describe.skipIf(etcd === null)('the two stores', { timeout: 120_000 }, () => {
  it('answer and tell the same, whatever is asked of them', async () => {
    if (etcd === null) throw new Error('no etcd');
    const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
    const outcome = await compareStores(etcd, { sequences: 80, slow: 1, seed });
    expect(outcome.mismatches).toEqual([]);
    expect(outcome.changesTold).toBeGreaterThan(100);
  });
});
