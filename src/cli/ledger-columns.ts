/** The ledger as rows of a table, one for each check. */

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
  readonly jobset: string;
  readonly revision: number;
}

export const rowsOfJobset = (view: JobsetView): readonly LedgerRow[] => {
  const { id: jobset, owner: worker, revision, jobs, keys, unreadable } = view;
  const place = { worker, jobset, revision };
  if (unreadable !== null) return [{ ...place, job: null, check: `(${unreadable})` }];
  return jobs.map((job, i) => ({ ...place, job, check: keys[i] ?? job }));
};

export const LEDGER_COLUMNS: readonly Column<LedgerRow>[] = [
  { title: 'CHECK', text: ({ check }) => inert(check), shrinks: true },
  { title: 'WORKER', text: ({ worker }) => inert(worker ?? 'nobody'), shrinks: true },
  { title: 'JOBSET', text: ({ jobset }) => inert(jobset), shrinks: true },
  { title: 'REVISION', text: ({ revision }) => String(revision), align: 'right' },
];

/** `120 checks in 2 jobsets of 2 workers; nobody runs 20 checks; 1 record cannot be read`. */
export const ledgerSummary = (rows: readonly LedgerRow[], unreadable: number): string => {
  const checks = rows.filter(({ job }) => job !== null);
  const jobsets = new Set(rows.map(({ jobset }) => jobset)).size;
  const workers = new Set(rows.flatMap(({ worker }) => worker ?? [])).size;
  const orphans = checks.filter(({ worker }) => worker === null).length;
  return [
    `${plural(checks.length, 'check')} in ${plural(jobsets, 'jobset')} of ${plural(workers, 'worker')}`,
    ...(orphans > 0 ? [`nobody runs ${plural(orphans, 'check')}`] : []),
    ...(unreadable > 0 ? [`${plural(unreadable, 'record')} cannot be read by this watcher`] : []),
  ].join('; ');
};

/** Null while the copy follows the store. */
export const staleText = ({ stale, staleForMs }: Freshness): string | null =>
  stale ? `stale: the store has not been followed for ${duration(staleForMs)}` : null;
