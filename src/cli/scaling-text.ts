/** The size of the pool, and what waits in it, as people read them. */

import type { ScalingRecord } from '../shared/domain/jobset.ts';
import type { ScalingView, WaitingJob } from '../shared/domain/pool-views.ts';
import { missingWorkers } from '../shared/rules/scaling-text.ts';
import { inert } from '../shared/runtime/inert.ts';
import { staleText } from './ledger-columns.ts';
import type { Column } from './table.ts';
import { duration, plural } from './text.ts';

/** `now`: ms since the epoch. */
export const scalingLines = (view: ScalingView, now: number): readonly string[] => {
  const { level, waitingJobs, quarantinedJobs } = view;
  const stale = staleText(view);
  return [
    ...(stale === null ? [] : [stale]),
    ...(level === null ? ['no admin has told the size of this pool yet'] : levelLines(level, now)),
    waitingJobs === 0
      ? 'no check waits for a worker with room'
      : `${plural(waitingJobs, 'check')} ${waitingJobs === 1 ? 'waits' : 'wait'} for a worker with room`,
    ...(quarantinedJobs === 0
      ? []
      : [
          `${plural(quarantinedJobs, 'check')} in quarantine, since workers have died of them: mend them, or watcher jobs release CHECK`,
        ]),
  ];
};

const levelLines = (level: ScalingRecord, now: number): readonly string[] => {
  const { workers, desiredWorkers, capacityUtilization, latenessP99Ms, episode, futile } = level;
  const missing = missingWorkers(level);
  const need = missing === 0 ? `${desiredWorkers} needed` : `${missing} more needed`;
  const late = latenessP99Ms === null ? '' : `; lateness p99 ${duration(latenessP99Ms)}`;
  const load = `load ${capacityUtilization} % of what they can take`;
  return [
    ...(episode === null ? [] : [`SCALING LIMIT HIT ${ago(episode.raisedAt, now)}`]),
    `${plural(workers, 'worker')}, ${need}; ${load}${late} (told ${ago(level.at, now)})`,
    ...(futile === null ? [] : [FUTILE[futile.why](futile.hosts.map(inert).join(', '))]),
  ];
};

const FUTILE: Readonly<
  Record<NonNullable<ScalingRecord['futile']>['why'], (hosts: string) => string>
> = {
  slow_target: (hosts) => `more workers will not help: slow to answer: ${hosts}`,
  per_host_cap: (hosts) =>
    `more workers will not help: as many runs at a time as per_host allows: ${hosts}`,
};

const ago = (at: number, now: number): string => `${duration(Math.max(0, now - at))} ago`;

export const WAITING_COLUMNS: readonly Column<WaitingJob>[] = [
  { title: 'CHECK', text: ({ check, id }) => inert(check ?? id), shrinks: true },
  { title: 'WAITS', text: ({ ageMs }) => duration(ageMs), align: 'right' },
  { title: 'REASON', text: ({ reason }) => reason },
  { title: 'FROM WORKER', text: ({ by }) => inert(by), shrinks: true },
  { title: 'JOBSET', text: ({ jobset }) => inert(jobset), shrinks: true },
];
