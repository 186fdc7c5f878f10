import { describe, expect, it } from 'vitest';
import { Keys } from '../../../src/shared/coordination/keys.ts';
import type { Change } from '../../../src/shared/coordination/kv.ts';
import { encodeJobset } from '../../../src/shared/coordination/records.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { Jobset } from '../../../src/shared/domain/jobset.ts';
import { historyOf } from '../../support/jobset-history.ts';

const keys = new Keys();

const put = (revision: number, id: string, jobs: readonly string[], waits = false): Change => {
  const by = 'w1' as WorkerId;
  const jobset: Jobset = {
    ...{ id: id as JobsetId, source: 'folder', jobs: jobs as readonly CheckId[] },
    ...{ digest: '', chunks: 1, zone: null, avoid: [], moveTo: null },
    waiting: waits ? { reason: 'late', since: 0, by, load: 1 } : null,
  };
  const entry = { value: encodeJobset(jobset), createRevision: 1, version: 1, lease: null };
  return {
    kind: 'put',
    entry: { ...entry, key: keys.jobset(jobset.id), modRevision: revision },
  } as unknown as Change;
};
const gone = (revision: number, id: string): Change => ({
  ...{ kind: 'delete', key: keys.jobset(id as JobsetId), modRevision: revision },
});

describe('the history of jobsets', () => {
  it('follows jobs that are split off, wait and are placed', () => {
    const history = historyOf(
      [
        put(1, 'a', ['x', 'y', 'z']),
        ...[put(2, 'a', ['x']), put(2, 'b', ['y', 'z'], true)],
        ...[put(3, 'b', ['z'], true), put(3, 'c', ['y'])],
        put(4, 'b', ['z']),
        ...[gone(5, 'c'), put(5, 'a', ['x', 'y'])],
      ],
      keys,
    );
    expect(history).toMatchObject({ revisions: 5, jobs: 3, absent: [], doubled: [] });
    expect([...history.waited]).toEqual(['y', 'z']);
  });

  it('sees a job that stands nowhere between two revisions', () => {
    const history = historyOf(
      [put(1, 'a', ['x', 'y']), put(2, 'a', ['x']), put(3, 'b', ['y'], true)],
      keys,
    );
    expect(history.absent).toEqual([{ job: 'y', revision: 2 }]);
  });

  it('sees a job that stands in two places between two revisions', () => {
    const history = historyOf(
      [put(1, 'a', ['x', 'y']), put(2, 'b', ['y'], true), put(3, 'a', ['x'])],
      keys,
    );
    expect(history.doubled).toEqual([{ job: 'y', revision: 2 }]);
  });

  it('sees a jobset that goes with its jobs', () => {
    const history = historyOf([put(1, 'a', ['x']), gone(2, 'a')], keys);
    expect(history.absent).toEqual([{ job: 'x', revision: 2 }]);
  });
});
