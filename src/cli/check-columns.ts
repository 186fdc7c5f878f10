/** How a check, or a result of one, looks as a row: of the live table, `status` and `once`. */

import type { Result } from '../shared/domain/result.ts';
import {
  CHECK_STATUSES,
  type CheckStatus,
  type CheckView,
  type StatusSummary,
} from '../shared/domain/status.ts';
import { inert } from '../shared/runtime/inert.ts';
import type { Column } from './table.ts';
import { coloured, duration, until } from './text.ts';

interface ColumnContext {
  /** Ms since the epoch. */
  readonly now: number;
  readonly stream: NodeJS.WritableStream;
}

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

export const resultColumns = (stream: NodeJS.WritableStream): readonly Column<Result>[] => [
  {
    title: 'STATUS',
    text: (result) => result.status,
    paint: (result, cell) => coloured(result.status, cell, stream),
  },
  { title: 'CHECK', text: (result) => inert(result.check), shrinks: true },
  { title: 'TOOK', text: (result) => duration(result.durationMs), align: 'right' },
  { title: 'REASON', text: (result) => inert(result.reason ?? ''), shrinks: true },
];

/** In place of LATE, where there is room. */
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

interface Ranked {
  readonly check: string;
  readonly status: CheckStatus;
}

/** Those of one status in the order of their keys. */
export const worstFirst = <T extends Ranked>(rows: readonly T[]): readonly T[] => {
  const rank = ({ status }: T): number => CHECK_STATUSES.indexOf(status);
  return rows.toSorted((a, b) => rank(a) - rank(b) || (a.check < b.check ? -1 : 1));
};
