/** The members of a pool as rows of a table. */

import type { PoolMembers, WorkerView } from '../shared/domain/pool-views.ts';
import { inert } from '../shared/runtime/inert.ts';
import { staleText } from './ledger-columns.ts';
import type { Column } from './table.ts';
import { duration, plural } from './text.ts';

const text = (value: string | number | null): string => inert(String(value ?? '-'));

/** Of all that a worker can take. */
const percent = (share: number | null): string =>
  share === null ? '-' : `${Math.round(share * 100)} %`;

/** `now`: ms since the epoch; what has been since then by another machine's clock is for people. */
export const workerColumns = (now: number): readonly Column<WorkerView>[] => {
  const since = (at: number | null): string => duration(at === null ? null : Math.max(0, now - at));
  return [
    { title: 'WORKER', text: ({ id }) => text(id) },
    { title: 'STATE', text: ({ state, unreadable }) => (unreadable ? 'unreadable' : text(state)) },
    { title: 'JOBSETS', text: ({ owned }) => text(owned), align: 'right' },
    { title: 'CHECKS', text: ({ checks }) => text(checks), align: 'right' },
    { title: 'LOAD', text: ({ utilisation }) => percent(utilisation), align: 'right' },
    {
      title: 'LATE P99',
      text: ({ load }) => duration(load?.latenessP99Ms ?? null),
      align: 'right',
    },
    { title: 'BEAT', text: ({ heartbeat }) => since(heartbeat), align: 'right' },
    { title: 'UP', text: ({ started }) => since(started), align: 'right' },
    { title: 'ZONE', text: ({ zone }) => text(zone) },
    { title: 'HOST', text: ({ host }) => text(host), shrinks: true },
    { title: 'LISTEN', text: ({ listen }) => text(listen), shrinks: true },
    { title: 'VERSION', text: ({ version }) => text(version), shrinks: true },
  ];
};

export const membersText = (members: PoolMembers): string => {
  const { leader, workers } = members;
  const inState = (wanted: WorkerView['state']): number =>
    workers.filter(({ state }) => state === wanted).length;
  const full = inState('full');
  const draining = inState('draining');
  const leading = leader === null ? 'no admin leads' : `admin ${inert(leader)} leads`;
  const filled = full > 0 ? `, ${full} full` : '';
  const leaving = draining > 0 ? `, ${draining} about to leave` : '';
  const stale = staleText(members);
  return [
    ...(stale === null ? [] : [stale]),
    `${plural(workers.length, 'worker')}${filled}${leaving}; ${leading}`,
  ].join('\n');
};
