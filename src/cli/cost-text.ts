/** A cost report for people: one line a destination, and what is to know about the figures. */

import type { CostReport, DestinationCost } from '../shared/rules/cost-report.ts';
import { inert } from '../shared/runtime/inert.ts';
import { sizeText } from './size-text.ts';
import { type Column, renderTable } from './table.ts';

export const costText = (report: CostReport, width?: number): string => {
  const { checks, runs, workers, destinations } = report;
  const shared = workers === 1 ? '' : `, shared by ${workers} processes`;
  const head = `${count(checks)} ${checks === 1 ? 'check' : 'checks'}, ${count(runs)} runs in 30 days${shared}`;
  if (destinations.length === 0)
    return `${head}\nNothing is sent anywhere: the settings name no sink, and no check posts.\n`;
  const columns = COLUMNS.filter(({ isShown }) => isShown?.(report) ?? true);
  const table = renderTable(columns, destinations, width);
  const notes = NOTES.filter(([applies]) => applies(report)).map(([, note]) => note);
  return `${[head, '', ...table, '', ...notes].join('\n')}\n`;
};

const count = (number: number): string => number.toLocaleString('en');

interface CostColumn extends Column<DestinationCost> {
  readonly isShown?: (report: CostReport) => boolean;
}

const COLUMNS: readonly CostColumn[] = [
  { title: 'SINK', text: ({ sink }) => sink },
  { title: 'WHERE', text: ({ where }) => inert(where), shrinks: true },
  { title: 'CHECKS', text: ({ checks }) => count(checks), align: 'right' },
  {
    title: 'CUSTOM METRICS',
    text: ({ customMetrics }) => (customMetrics === 0 ? '-' : count(customMetrics)),
    align: 'right',
  },
  { title: 'CALLS', text: ({ calls }) => callsText(calls), align: 'right' },
  {
    title: 'WRITTEN',
    text: ({ bytes }) => (bytes === null ? '-' : `about ${sizeText(bytes)}`),
    align: 'right',
    isShown: ({ destinations }) => destinations.some(({ bytes }) => bytes !== null),
  },
];

const callsText = (calls: number | null): string => {
  if (calls === null) return '1 a change';
  return calls === 0 ? '-' : count(calls);
};

type Note = readonly [applies: (report: CostReport) => boolean, note: string];

const NOTES: readonly Note[] = [
  [
    ({ destinations }) => destinations.some(({ calls }) => calls === null),
    '1 a change: one call for each change of a status; how many there will be cannot be known.',
  ],
  [
    ({ destinations }) => destinations.some(({ customMetrics }) => customMetrics > 0),
    'Custom metrics include those about watcher itself, which each process has.',
  ],
  [
    ({ workers }) => workers === 1,
    'All of it for one process; several gather calls apart: --workers N.',
  ],
  [
    ({ workers }) => workers > 1,
    'Calls are at most these: each process is taken to have something for each window.',
  ],
  [() => true, 'Most sinks bill custom metrics and calls: see their price lists.'],
];
