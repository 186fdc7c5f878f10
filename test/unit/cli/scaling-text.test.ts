import { describe, expect, it } from 'vitest';
import { LEDGER_COLUMNS, ledgerSummary, rowsOfJobset } from '../../../src/cli/ledger-columns.ts';
import { scalingLines, WAITING_COLUMNS } from '../../../src/cli/scaling-text.ts';
import { renderTable } from '../../../src/cli/table.ts';
import { membersText, workerColumns } from '../../../src/cli/worker-columns.ts';
import type { CheckId, JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import type { ScalingRecord } from '../../../src/shared/domain/jobset.ts';
import type { JobsetView, ScalingView, WorkerView } from '../../../src/shared/domain/pool-views.ts';
import { NO_LOAD } from '../../support/builders.ts';

const NOW = Date.UTC(2026, 0, 1);

const aLevel = (overrides: Partial<ScalingRecord> = {}): ScalingRecord => ({
  at: NOW - 4_000,
  workers: 2,
  desiredWorkers: 2,
  capacityUtilization: 61.5,
  waitingJobs: 0,
  oldestWaitingMs: 0,
  latenessP99Ms: null,
  futile: null,
  episode: null,
  ...overrides,
});

const aView = (overrides: Partial<ScalingView> = {}): ScalingView => ({
  stale: false,
  staleForMs: 0,
  level: aLevel(),
  waitingJobs: 0,
  quarantinedJobs: 0,
  jobs: [],
  ...overrides,
});

const linesOf = (overrides: Partial<ScalingView>) => scalingLines(aView(overrides), NOW);

describe('the size of a pool', () => {
  it('is two lines where it is large enough', () => {
    expect(linesOf({ level: aLevel({ latenessP99Ms: 120 }) })).toEqual([
      '2 workers, 2 needed; load 61.5 % of what they can take; lateness p99 120 ms (told 4.0 s ago)',
      'no check waits for a worker with room',
    ]);
  });

  it('says first that the limit is hit, and how many workers are missing', () => {
    const episode = { id: 'e1', raisedAt: NOW - 15_000, jobs: 5 };
    const level = aLevel({ desiredWorkers: 5, capacityUtilization: 160, episode });
    expect(linesOf({ level, waitingJobs: 5 })).toEqual([
      'SCALING LIMIT HIT 15.0 s ago',
      '2 workers, 3 more needed; load 160 % of what they can take (told 4.0 s ago)',
      '5 checks wait for a worker with room',
    ]);
  });

  it('says when more workers would not help, and which hosts are to blame', () => {
    const why = (futile: NonNullable<ScalingRecord['futile']>) =>
      linesOf({ level: aLevel({ futile }) })[1];
    expect(why({ why: 'slow_target', hosts: ['a\u001b.example', 'b'] })).toBe(
      'more workers will not help: slow to answer: a .example, b',
    );
    expect(why({ why: 'per_host_cap', hosts: ['a'] })).toBe(
      'more workers will not help: as many runs at a time as per_host allows: a',
    );
  });

  it('says what is not known', () => {
    expect(linesOf({ level: null, stale: true, staleForMs: 7_000, waitingJobs: 1 })).toEqual([
      'stale: the store has not been followed for 7.0 s',
      'no admin has told the size of this pool yet',
      '1 check waits for a worker with room',
    ]);
  });

  it('tells of quarantine, and what to do', () => {
    expect(linesOf({ quarantinedJobs: 2 }).at(-1)).toBe(
      '2 checks in quarantine, since workers have died of them: mend them, or watcher jobs release CHECK',
    );
  });

  it('has a row for each job that waits', () => {
    const job = {
      id: 'id-of-a' as CheckId,
      check: null,
      jobset: 'js-1' as JobsetId,
      ageMs: 12_000,
      reason: 'full',
      since: NOW - 12_000,
      by: 'w1' as WorkerId,
    } as const;
    const [, ...rows] = renderTable(WAITING_COLUMNS, [job, { ...job, check: 'a/x' }]);
    expect(rows).toEqual([
      'id-of-a  12.0 s  full    w1           js-1',
      'a/x      12.0 s  full    w1           js-1',
    ]);
  });
});

describe('the ledger as a table', () => {
  const aJobset = (id: string, overrides: Partial<JobsetView>): JobsetView => ({
    id: id as JobsetId,
    owner: null,
    heartbeat: null,
    jobs: [`id-of-${id}` as CheckId],
    keys: [`${id}/x`],
    source: 'folder',
    zone: null,
    avoid: [],
    waiting: null,
    moveTo: null,
    revision: 3,
    token: null,
    unreadable: null,
    ...overrides,
  });
  const [w1, w2] = ['w1', 'w2'] as WorkerId[];
  const waiting = { reason: 'late', since: NOW, by: w1 as WorkerId, load: 1 } as const;
  const rows = [
    aJobset('a', { owner: w1 as WorkerId }),
    aJobset('b', { owner: w1 as WorkerId, moveTo: w2 as WorkerId }),
    aJobset('c', { moveTo: w2 as WorkerId }),
    aJobset('d', { waiting }),
    aJobset('e', { owner: w2 as WorkerId, moveTo: w2 as WorkerId }),
    aJobset('f', {}),
  ].flatMap(rowsOfJobset);

  it('shows who runs a check, who is to, and why nobody does', () => {
    const column = LEDGER_COLUMNS[1];
    expect(rows.map((row) => column?.text(row))).toEqual([
      'w1',
      'w1, to w2',
      'nobody, to w2',
      'waits: late',
      'w2',
      'nobody',
    ]);
  });

  it('counts what waits and what is on the move apart from what nobody runs', () => {
    expect(ledgerSummary(rows, 0)).toBe(
      '6 checks in 6 jobsets of 2 workers; 1 check in the waiting queue; 2 checks on the move; nobody runs 2 checks',
    );
  });
});

describe('the workers as a table', () => {
  const aWorker = (overrides: Partial<WorkerView>): WorkerView => ({
    id: 'w1' as WorkerId,
    state: 'up',
    capacity: { places: 256, jobs: null },
    load: { ...NO_LOAD, latenessP99Ms: 41 },
    utilisation: 0.934,
    zone: null,
    host: 'h',
    version: '1',
    listen: null,
    started: NOW,
    owned: 1,
    checks: 2,
    heartbeat: NOW,
    unchangedForMs: null,
    unreadable: null,
    ...overrides,
  });
  const textOf = (worker: WorkerView, title: string) =>
    workerColumns(NOW)
      .find((column) => column.title === title)
      ?.text(worker);

  it('shows how loaded and how late each is', () => {
    expect(textOf(aWorker({}), 'LOAD')).toBe('93 %');
    expect(textOf(aWorker({}), 'LATE P99')).toBe('41 ms');
    const silent = aWorker({ load: null, utilisation: null });
    expect([textOf(silent, 'LOAD'), textOf(silent, 'LATE P99')]).toEqual(['-', '-']);
  });

  it('counts those that are full', () => {
    const workers = [aWorker({ state: 'full' }), aWorker({ state: 'draining' }), aWorker({})];
    expect(membersText({ stale: false, staleForMs: 0, leader: null, workers })).toBe(
      '3 workers, 1 full, 1 about to leave; no admin leads',
    );
  });
});
