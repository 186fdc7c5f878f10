/** *Scaling limit hit* as people read it, and as programs do: event → **texts** → sinks, hook, commands. */

import type { JsonValue } from '../domain/check.ts';
import { eventIdOf, type ScalingEvent } from '../domain/delivery.ts';

/** How many more workers the load asks for. */
export const missingWorkers = (
  given: Readonly<Record<'workers' | 'desiredWorkers', number>>,
): number => Math.max(0, given.desiredWorkers - given.workers);

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

type Numbers = Pick<
  ScalingEvent,
  'waitingJobs' | 'oldestWaitingMs' | 'workers' | 'desiredWorkers' | 'jobs'
>;

/** `5 jobs wait for a worker with room, the first for 12 s; 2 workers, 3 needed: a/x, b/y, and 3 more`. */
export const scalingText = (numbers: Numbers): string => {
  const { waitingJobs, oldestWaitingMs, workers, desiredWorkers, jobs } = numbers;
  const pool = `${counted(workers, 'worker')}, ${desiredWorkers} needed`;
  if (waitingJobs === 0) return `no job waits for a worker with room; ${pool}`;
  const wait = waitingJobs === 1 ? 'job waits' : 'jobs wait';
  const seconds = Math.round(oldestWaitingMs / 1000);
  const head = `${waitingJobs} ${wait} for a worker with room, the first for ${seconds} s; ${pool}`;
  if (jobs.length === 0) return head;
  const rest = waitingJobs - jobs.length;
  return `${head}: ${[...jobs, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ')}`;
};

/** `id` tells a repeat from news; the episode has the same `episode` when it is over. */
export const scalingBody = (
  pool: string,
  event: ScalingEvent,
  timeOf: (at: number) => string,
): { readonly [key: string]: JsonValue } => ({
  id: eventIdOf(event),
  episode: event.episode,
  change: event.change,
  pool,
  raised_at: timeOf(event.raisedAt),
  waiting_jobs: event.waitingJobs,
  oldest_waiting_ms: event.oldestWaitingMs,
  workers: event.workers,
  desired_workers: event.desiredWorkers,
  missing_workers: missingWorkers(event),
  capacity_utilization: event.capacityUtilization,
  jobs: event.jobs,
  text: scalingText(event),
});
