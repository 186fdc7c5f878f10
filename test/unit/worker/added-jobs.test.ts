/** Jobs of the API, and the workers that run them: who starts them, stops them, takes them over. */

import { describe, expect, it } from 'vitest';
import { ApiJobs } from '../../../src/shared/coordination/api-jobs.ts';
import { LedgerView } from '../../../src/shared/coordination/ledger-view.ts';
import type { WorkerId } from '../../../src/shared/domain/check.ts';
import { aPool, type Member } from '../../support/pool.ts';
import { namedCheck } from '../../support/written-ledger.ts';

const adding = (pool: ReturnType<typeof aPool>) => {
  const { store, keys, clock, random } = pool;
  const common = { store, keys, clock, random };
  const view = new LedgerView({ ...common, awaySince: () => null });
  view.start();
  const jobs = new ApiJobs({ ...common, view });
  return {
    add: (key: string, worker: string | null = null) =>
      clock.until(jobs.add([namedCheck(key)], worker as WorkerId | null), 10_000),
    remove: (key: string) => clock.until(jobs.remove(namedCheck(key)), 10_000),
  };
};

const running = ({ workload }: Member): readonly string[] =>
  [...workload.held.values()].flatMap(({ definitions }) => definitions.map(({ key }) => key));

describe('a job that is added', () => {
  it('is run by the worker that it is added for, within a second', async () => {
    const pool = aPool();
    const members = ['w1', 'w2', 'w3'].map(pool.join);
    await pool.clock.advance(10_000);
    await adding(pool).add('a/x', 'w3');
    await pool.clock.advance(1_000);
    expect(members.map(running)).toEqual([[], [], ['a/x']]);
  });

  it('is run by any worker when none is named, and beside others without a restart', async () => {
    const pool = aPool();
    const member = pool.join('w1');
    await pool.clock.advance(10_000);
    const { add } = adding(pool);
    await add('a/x');
    await pool.clock.advance(2_000);
    expect(running(member)).toEqual(['a/x']);
    await add('a/y');
    await pool.clock.advance(2_000);
    expect(running(member)).toEqual(['a/x', 'a/y']);
    expect(member.workload.log.filter((line) => line.startsWith('-'))).toEqual([]);
  });

  it('is taken over when its worker dies at once', async () => {
    const pool = aPool();
    const [first, second] = [pool.join('w1'), pool.join('w2')];
    await pool.clock.advance(10_000);
    const { add } = adding(pool);
    first.network.cut = true;
    await add('a/x', 'w1');
    await pool.clock.advance(8_500);
    expect(running(second)).toEqual(['a/x']);
  });

  it('is stopped when it is removed, and what stands beside it goes on', async () => {
    const pool = aPool();
    const member = pool.join('w1');
    const { add, remove } = adding(pool);
    await add('a/x');
    await add('a/y');
    await pool.clock.advance(5_000);
    await remove('a/x');
    await pool.clock.advance(1_000);
    expect(running(member)).toEqual(['a/y']);
    await remove('a/y');
    await pool.clock.advance(1_000);
    expect(running(member)).toEqual([]);
    expect(await pool.owners()).toEqual({});
  });
});
