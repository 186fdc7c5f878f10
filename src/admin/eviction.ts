/** Workers that live and do not work: their jobs belong elsewhere. Pure. */

import type { WorkerId } from '../shared/domain/check.ts';
import { mayRun } from '../shared/rules/ranking.ts';
import type { Fleet, FleetWorker } from './fleet.ts';

export interface Wedged {
  readonly reason: 'wedged';
  readonly worker: WorkerId;
  readonly overdueMs: number;
}

/** One alone may be a machine that was stopped for a moment. */
const BEATS = 3;

/**
 * One at a time, the longest stuck first; none for whom nobody could stand in, since a worker that may
 * come back is better than none.
 */
export const planEviction = ({ workers, jobsets }: Fleet): Wedged[] => {
  const stuck = [...workers.values()].filter(
    ({ stuckBeats, holds }) => stuckBeats >= BEATS && holds.size > 0,
  );
  const overdueOf = ({ beat }: FleetWorker): number => beat?.load.overdueMs ?? 0;
  stuck.sort((a, b) => overdueOf(b) - overdueOf(a));
  const sound = [...workers.values()].filter(
    ({ record, stuckBeats }) => record.state !== 'draining' && stuckBeats === 0,
  );
  const canBeHeld = ({ holds }: FleetWorker): boolean =>
    [...holds].every((id) => sound.some(({ record }) => mayRun(record, jobsets.get(id) ?? ANY)));
  const first = stuck.find(canBeHeld);
  if (first === undefined) return [];
  return [{ reason: 'wedged', worker: first.record.id, overdueMs: overdueOf(first) }];
};

const ANY = { zone: null };
