import { describe, expect, it } from 'vitest';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';

const jobset = 'js-1' as JobsetId;
const worker = 'w-1' as WorkerId;

describe('the keys of the ledger', () => {
  it('are these', () => {
    const keys = new Keys();
    expect([
      keys.jobset(jobset),
      keys.owner(jobset),
      keys.chunk(jobset, 2),
      keys.worker(worker),
      keys.beat(worker),
      keys.leader,
    ]).toEqual([
      '/watcher/v1/jobset/js-1',
      '/watcher/v1/own/js-1',
      '/watcher/v1/def/js-1/2',
      '/watcher/v1/worker/w-1',
      '/watcher/v1/hb/w-1',
      '/watcher/v1/admin/leader',
    ]);
  });

  it('give back the id that they were made of, under any prefix', () => {
    const keys = new Keys('/team-a/');
    expect(keys.jobset(jobset)).toBe('/team-a/jobset/js-1');
    expect(keys.jobsetOf(keys.jobset(jobset))).toBe(jobset);
    expect(keys.ownedJobsetOf(keys.owner(jobset))).toBe(jobset);
  });

  it('keep the chunks of one jobset apart from those of another', () => {
    const keys = new Keys();
    const longer = keys.chunk('js-10' as JobsetId, 0);
    expect(longer.startsWith(keys.definitions(jobset))).toBe(false);
    expect(keys.chunk(jobset, 0).startsWith(keys.definitions(jobset))).toBe(true);
  });
});
