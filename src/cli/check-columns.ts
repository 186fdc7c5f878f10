/** How a check looks as a row: of the live table, of `status`, of `once`. */

import type { CheckView, StatusSummary } from '../shared/domain/status.ts';
import { CHECK_STATUSES } from '../shared/domain/status.ts';
import { inert } from '../shared/runtime/inert.ts';
import type { Column } from './table.ts';
import { coloured, duration, until } from './text.ts';

interface ColumnContext {
  /** Ms since the epoch. */
  readonly now: number;
  readonly stream: NodeJS.WritableStream;
}

/** What every list of checks shows; `detailed` adds what only an answer on demand has room for. */
export const checkColumns = ({ now, stream }: ColumnContext): readonly Column<CheckView>[] => [
  {
    title: 'STATUS',
    text: (view) => view.status,
    paint: (view, cell) => coloured(view.status, cell, stream),
  },
  { title: 'CHECK', text: (view) => inert(view.check), shrinks: true },
  { title: 'LAST', text: (view) => duration(view.durationMs), align: 'right' },
  { title: 'LATE', text: (view) => duration(view.latenessMs), align: 'right' },
  { title: 'NEXT', text: (view) => until(view.nextTick, now) },
  { title: 'REASON', text: (view) => inert(view.reason ?? ''), shrinks: true },
];

export const latenessColumn: Column<CheckView> = {
  title: 'LATE p50/p95/p99',
  text: ({ lateness }) =>
    lateness === null
      ? '-'
      : [lateness.p50, lateness.p95, lateness.p99].map((ms) => duration(ms)).join(' / '),
};

/** `2 critical, 5 ok`; a status that no check has is left out. */
export const summaryText = (summary: StatusSummary, stream: NodeJS.WritableStream): string => {
  const counts = CHECK_STATUSES.filter((status) => summary[status] > 0);
  if (counts.length === 0) return 'no checks';
  return counts
    .map((status) => coloured(status, `${summary[status]} ${status}`, stream))
    .join(', ');
};
