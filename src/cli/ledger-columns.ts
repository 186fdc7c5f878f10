/** The ledger as rows of a table, one for each check. */

import type { WaitReason } from '../shared/domain/jobset.ts';
import type { Freshness, JobsetView } from '../shared/domain/pool-views.ts';
import { inert } from '../shared/runtime/inert.ts';
import type { Column } from './table.ts';
import { duration, plural } from './text.ts';

export interface LedgerRow {
  /** Id of the check; null for a jobset whose record cannot be read. */
  readonly job: string | null;
  /** Its key, or its id where the key is not known; why the record cannot be read. */
  readonly check: string;
  readonly worker: string | null;
  /** Why nobody is to run it before there is room; null: it does not wait. */
  readonly waiting: WaitReason | null;
  /** Who is to run it in place of its worker; null: nobody is. */
  readonly moveTo: string | null;
  readonly jobset: string;
  readonly revision: number;
}

export const rowsOfJobset = (view: JobsetView): readonly LedgerRow[] => {
  const { id: jobset, owner: worker, revision, jobs, keys, unreadable, moveTo } = view;
  const waiting = view.waiting?.reason ?? null;
  const isMoving = moveTo !== null && moveTo !== worker;
  const place = { worker, jobset, revision, waiting, moveTo: isMoving ? moveTo : null };
  if (unreadable !== null) return [{ ...place, job: null, check: `(${unreadable})` }];
  return jobs.map((job, i) => ({ ...place, job, check: keys[i] ?? job }));
};

export const LEDGER_COLUMNS: readonly Column<LedgerRow>[] = [
  { title: 'CHECK', text: ({ check }) => inert(check), shrinks: true },
  { title: 'WORKER', text: (row) => inert(workerText(row)), shrinks: true },
  { title: 'JOBSET', text: ({ jobset }) => inert(jobset), shrinks: true },
  { title: 'REVISION', text: ({ revision }) => String(revision), align: 'right' },
];

/** `w1`, `w1, to w2`, `waits: full`. */
const workerText = ({ worker, waiting, moveTo }: LedgerRow): string => {
  if (worker === null && waiting !== null) return `waits: ${waiting}`;
  return `${worker ?? 'nobody'}${moveTo === null ? '' : `, to ${moveTo}`}`;
};

/** `120 checks in 2 jobsets of 2 workers; nobody runs 20 checks; 1 record cannot be read`. */
export const ledgerSummary = (rows: readonly LedgerRow[], unreadable: number): string => {
  const checks = rows.filter(({ job }) => job !== null);
  const jobsets = new Set(rows.map(({ jobset }) => jobset)).size;
  const workers = new Set(rows.flatMap(({ worker }) => worker ?? [])).size;
  const free = checks.filter(({ worker }) => worker === null);
  const waiting = free.filter((row) => row.waiting !== null).length;
  const orphans = free.length - waiting;
  const moving = checks.filter(({ moveTo }) => moveTo !== null).length;
  return [
    `${plural(checks.length, 'check')} in ${plural(jobsets, 'jobset')} of ${plural(workers, 'worker')}`,
    ...(waiting > 0 ? [`${plural(waiting, 'check')} in the waiting queue`] : []),
    ...(moving > 0 ? [`${plural(moving, 'check')} on the move`] : []),
    ...(orphans > 0 ? [`nobody runs ${plural(orphans, 'check')}`] : []),
    ...(unreadable > 0 ? [`${plural(unreadable, 'record')} cannot be read by this watcher`] : []),
  ].join('; ');
};

/** Null while the copy follows the store. */
export const staleText = ({ stale, staleForMs }: Freshness): string | null =>
  stale ? `stale: the store has not been followed for ${duration(staleForMs)}` : null;
