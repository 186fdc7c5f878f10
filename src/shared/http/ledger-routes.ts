/** The routes of the pool: who runs what, who works, and the jobs that are added from outside. */

import { WatcherError } from '../domain/errors.ts';
import type {
  AddReport,
  JobIntake,
  JobsetRecord,
  JobsetView,
  LedgerSource,
} from '../domain/pool-views.ts';
import { type Problem, problem, type Route, type RouteReply, whole } from './route.ts';

/** Jobsets of up to a hundred jobs each: a page of more would block the event loop. */
const PAGE = 50;

/** `?check=KEY` for the jobset of one check, else pages: `?after=JOBSET`, `?limit=` up to 50. */
export const ledgerRoute = (source: LedgerSource): Route => ({
  method: 'GET',
  path: '/v1/ledger',
  handle: async ({ query }) => {
    const { check, after = null } = query;
    if (check !== undefined) {
      const page = await source.find(check);
      return page === null ? noCheck(check) : { body: page };
    }
    const limit = whole(query['limit'] ?? String(PAGE));
    if (limit === null || limit < 1)
      return problem(400, 'bad_page', 'limit is a whole number from 1 on');
    return { body: await source.page({ after, limit: Math.min(limit, PAGE) }) };
  },
});

/** The record of the ledger and nothing else: `{owner, heartbeat, jobs}`. */
export const jobsetRoute = (source: LedgerSource): Route => ({
  method: 'GET',
  path: '/v1/jobsets/:id',
  handle: async ({ params }) => {
    const { id = '' } = params;
    const jobset = await source.jobset(id);
    if (jobset === null) return problem(404, 'jobset_not_found', `no jobset is called ${id}`);
    const { unreadable } = jobset;
    if (unreadable !== null) return problem(500, 'record_unreadable', unreadable);
    return { body: recordOf(jobset) };
  },
});

export const workersRoute = (source: LedgerSource): Route => ({
  method: 'GET',
  path: '/v1/workers',
  handle: async () => ({ body: await source.members() }),
});

export const scalingRoute = (source: LedgerSource): Route => ({
  method: 'GET',
  path: '/v1/scaling',
  handle: async () => ({ body: await source.scaling() }),
});

/** The body is what a check file holds; `?worker=ID` names the worker that runs it first. */
export const addJobsRoute = (intake: JobIntake): Route => ({
  method: 'POST',
  path: '/v1/jobs',
  handle: ({ query, body }) =>
    answering(async () => replyTo(await intake.add(body, query['worker'] ?? null))),
});

export const removeJobRoute = (intake: JobIntake): Route => ({
  method: 'DELETE',
  path: '/v1/jobs',
  handle: ({ query }) =>
    answering(async () => {
      const { check } = query;
      if (check === undefined) return problem(400, 'no_check', 'name a check: ?check=KEY');
      const { refused } = await intake.remove(check);
      return refused === null ? { body: { check } } : problem(409, 'not_removed', refused);
    }),
});

/** Runs one again that waits or is quarantined. */
export const releaseJobRoute = (intake: JobIntake): Route => ({
  method: 'POST',
  path: '/v1/jobs/release',
  handle: ({ query }) =>
    answering(async () => {
      const { check } = query;
      if (check === undefined) return problem(400, 'no_check', 'name a check: ?check=KEY');
      const { refused } = await intake.release(check);
      return refused === null ? { body: { check } } : problem(409, 'not_released', refused);
    }),
});

const noCheck = (check: string): RouteReply =>
  problem(404, 'check_not_found', `no jobset has a check named ${check}`);

const recordOf = ({ owner, heartbeat, jobs }: JobsetView): JobsetRecord => ({
  owner,
  heartbeat,
  jobs,
});

/** Something is added, or there is a reason why not; the report comes with each. */
const replyTo = (report: AddReport): RouteReply => {
  const { added, refused, diagnostics } = report;
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (error) {
    const message = `line ${error.line}: ${error.message}`;
    return { status: 422, body: { ...report, code: 'bad_file', message } satisfies Problem };
  }
  const [first] = refused;
  if (added.length > 0 || first === undefined) return { body: report };
  const { why: message } = first;
  return { status: 409, body: { ...report, code: 'not_added', message } satisfies Problem };
};

const answering = async (answer: () => Promise<RouteReply>): Promise<RouteReply> => {
  try {
    return await answer();
  } catch (error) {
    const status = error instanceof WatcherError ? STATUS[error.code] : undefined;
    if (!(error instanceof WatcherError) || status === undefined) throw error;
    return problem(status, error.code, error.message);
  }
};

/** What goes wrong with jobs that is told to the caller. */
const STATUS: Partial<Record<WatcherError['code'], number>> = {
  WCH_USAGE: 400,
  WCH_SECRET: 422,
  WCH_STORE_LIMIT: 413,
  WCH_RECORD: 409,
  WCH_STORE_UNAVAILABLE: 503,
  WCH_STORE_FULL: 503,
};
