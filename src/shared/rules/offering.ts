/**
 * What a worker does about endpoints that it cannot reach: preflight → **decision** → split. An endpoint
 * behind a road that only others have is offered to them; one that is simply down looks the same from
 * everywhere, and must be reported. So a job is offered to two other workers at most, then it stays.
 */

import type { CheckId, WorkerId } from '../domain/check.ts';
import type { Jobset, WorkerRecord } from '../domain/jobset.ts';
import { isCheckerFault, isNetworkLevel, type ReasonCode } from '../domain/reasons.ts';
import { mayRun } from './ranking.ts';

/** `unsure`: what went wrong is a fault here, and no evidence about the endpoint. */
export type Reach = 'reached' | 'unreached' | 'unsure';

/** What connecting to one endpoint has shown, and whose endpoint it is. */
export interface Finding {
  readonly reach: Reach;
  readonly jobs: readonly CheckId[];
}

export type Offer =
  | { readonly kind: 'keep' }
  /** These to others, the rest stays. */
  | { readonly kind: 'split'; readonly jobs: ReadonlySet<CheckId> }
  /** The jobset as a whole. */
  | { readonly kind: 'handOn' };

/** A job is offered to this many other workers: so many may stand in `avoid`. */
const MOST_OFFERS = 2;
/** Of fewer endpoints, most are soon unreached. */
const MIN_ENDPOINTS = 5;
const MIN_JOBSETS = 3;

/** No connection came, though no fault of this process explains it. */
const NO_CONNECTION: ReadonlySet<ReasonCode> = new Set([
  'refused',
  'dns_not_found',
  // Another machine may have the route.
  'checker_no_route',
]);

/** Of a connection that failed. */
export const reachOf = (code: ReasonCode): Reach => {
  if (isNetworkLevel(code) || NO_CONNECTION.has(code)) return 'unreached';
  // A certificate was shown, so somebody is there.
  if (code === 'checker_clock') return 'reached';
  return isCheckerFault(code) ? 'unsure' : 'reached';
};

/** Whether a result with this code is a reason to ask if others reach the endpoint. */
export const suggestsUnreachable = (code: ReasonCode | null): boolean =>
  code !== null && (isNetworkLevel(code) || code === 'checker_no_route');

/** Who may be offered jobs of this jobset by `me`; nobody when they have been offered often enough. */
export const offerees = (
  me: WorkerId,
  jobset: Pick<Jobset, 'zone' | 'avoid'>,
  workers: readonly WorkerRecord[],
): readonly WorkerRecord[] => {
  const { avoid } = jobset;
  if (avoid.length >= MOST_OFFERS || avoid.includes(me)) return [];
  return workers.filter(
    (worker) =>
      worker.state === 'up' &&
      worker.id !== me &&
      !avoid.includes(worker.id) &&
      mayRun(worker, jobset),
  );
};

/** For a worker that does not suspect itself. */
export const offerOf = (
  me: WorkerId,
  jobset: Pick<Jobset, 'zone' | 'avoid' | 'jobs'>,
  {
    workers,
    findings,
  }: { readonly workers: readonly WorkerRecord[]; readonly findings: readonly Finding[] },
): Offer => {
  if (offerees(me, jobset, workers).length === 0) return { kind: 'keep' };
  const unreached = new Set(
    findings.filter(({ reach }) => reach === 'unreached').flatMap(({ jobs }) => jobs),
  );
  const jobs = new Set(jobset.jobs.filter((job) => unreached.has(job)));
  if (jobs.size === 0) return { kind: 'keep' };
  return jobs.size === jobset.jobs.length ? { kind: 'handOn' } : { kind: 'split', jobs };
};

/**
 * Whether the road from here is at fault rather than the endpoints: most of one jobset's are unreached, or
 * several jobsets at once and more of them than are not. One list of findings for each jobset.
 */
export const suspectsSelf = (jobsets: readonly (readonly Pick<Finding, 'reach'>[])[]): boolean => {
  let dead = 0;
  let alive = 0;
  for (const findings of jobsets) {
    const unreached = findings.filter(({ reach }) => reach === 'unreached').length;
    const reached = findings.filter(({ reach }) => reach === 'reached').length;
    if (unreached > reached && unreached + reached >= MIN_ENDPOINTS) return true;
    if (reached > 0) alive += 1;
    else if (unreached > 0) dead += 1;
  }
  return dead >= MIN_JOBSETS && dead > alive;
};
