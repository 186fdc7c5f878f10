import { describe, expect, it } from 'vitest';
import type { JobsetId, WorkerId } from '../../../src/shared/domain/check.ts';
import { WatcherError } from '../../../src/shared/domain/errors.ts';
import type {
  AddReport,
  JobIntake,
  JobsetView,
  LedgerSource,
  ScalingView,
} from '../../../src/shared/domain/pool-views.ts';
import {
  addJobsRoute,
  jobsetRoute,
  ledgerRoute,
  releaseJobRoute,
  removeJobRoute,
  scalingRoute,
  workersRoute,
} from '../../../src/shared/http/ledger-routes.ts';
import type { Route, RouteRequest } from '../../../src/shared/http/route.ts';

const ask = async (route: Route, request: Partial<RouteRequest> = {}) => {
  const whole = { query: {}, params: {}, body: new Uint8Array(), ...request };
  const { status = 200, body } = await route.handle(whole);
  return { status, body };
};

const aJobset = (overrides: Partial<JobsetView> = {}): JobsetView => ({
  id: 'js-1' as JobsetId,
  owner: 'w1' as WorkerId,
  heartbeat: 7,
  jobs: [],
  keys: [],
  source: 'folder',
  zone: null,
  avoid: [],
  waiting: null,
  moveTo: null,
  revision: 3,
  token: 4,
  unreadable: null,
  ...overrides,
});

const SCALING: ScalingView = {
  stale: false,
  staleForMs: 0,
  level: null,
  waitingJobs: 0,
  quarantinedJobs: 0,
  jobs: [],
};

/** Writes down what it is asked. */
const aSource = (jobsets: readonly JobsetView[] = []) => {
  const asked: unknown[] = [];
  const page = { stale: false, staleForMs: 0, jobsets, unreadable: 0, next: null };
  const source: LedgerSource = {
    page: async (query) => {
      asked.push(query);
      return page;
    },
    find: async (check) => (check === 'a/x' ? page : null),
    jobset: async (id) => jobsets.find((jobset) => jobset.id === id) ?? null,
    members: async () => ({ stale: false, staleForMs: 0, leader: 'admin-1', workers: [] }),
    scaling: async () => SCALING,
  };
  return { asked, source };
};

const anIntake = (overrides: Partial<JobIntake>): JobIntake => ({
  add: async () => ({ added: [], refused: [], diagnostics: [] }),
  remove: async (check) => ({ check, refused: null }),
  release: async (check) => ({ check, refused: null }),
  ...overrides,
});

describe('GET /v1/ledger', () => {
  it('asks for a page, of fifty jobsets at most', async () => {
    const { asked, source } = aSource();
    const route = ledgerRoute(source);
    await ask(route);
    await ask(route, { query: { after: 'js-7', limit: '9' } });
    await ask(route, { query: { limit: '999999' } });
    expect(asked).toEqual([
      { after: null, limit: 50 },
      { after: 'js-7', limit: 9 },
      { after: null, limit: 50 },
    ]);
  });

  it.each(['0', '-1', 'x', '1e3'])('refuses a limit of %s', async (limit) => {
    const reply = await ask(ledgerRoute(aSource().source), { query: { limit } });
    expect(reply).toMatchObject({ status: 400, body: { code: 'bad_page' } });
  });

  it('shows the jobset of one check', async () => {
    const route = ledgerRoute(aSource([aJobset()]).source);
    expect(await ask(route, { query: { check: 'a/x' } })).toMatchObject({
      status: 200,
      body: { jobsets: [{ id: 'js-1' }] },
    });
    expect(await ask(route, { query: { check: 'b/x' } })).toMatchObject({
      status: 404,
      body: { code: 'check_not_found' },
    });
  });
});

describe('GET /v1/jobsets/<id>', () => {
  it('is the record {owner, heartbeat, jobs} and nothing else', async () => {
    const route = jobsetRoute(aSource([aJobset({ jobs: ['j-1' as never] })]).source);
    const { body } = await ask(route, { params: { id: 'js-1' } });
    expect(JSON.stringify(body)).toBe('{"owner":"w1","heartbeat":7,"jobs":["j-1"]}');
  });

  it('says that there is none, or that it cannot be read', async () => {
    const route = jobsetRoute(aSource([aJobset({ unreadable: 'has version 2' })]).source);
    expect(await ask(route, { params: { id: 'js-2' } })).toMatchObject({
      status: 404,
      body: { code: 'jobset_not_found' },
    });
    expect(await ask(route, { params: { id: 'js-1' } })).toMatchObject({
      status: 500,
      body: { code: 'record_unreadable', message: 'has version 2' },
    });
  });
});

describe('GET /v1/workers', () => {
  it('is the members of the pool', async () => {
    expect(await ask(workersRoute(aSource().source))).toMatchObject({
      body: { leader: 'admin-1' },
    });
  });
});

describe('POST /v1/jobs', () => {
  const place = { check: 'a/x', jobset: 'js-1' as JobsetId, worker: null };
  const refusal = { check: 'a/y', why: 'it is there already' };
  const diagnostic = {
    severity: 'error',
    code: 'E504',
    file: 'jobs.yml',
    line: 2,
    column: 3,
    message: 'no cron',
  } as const;

  it('gives on the bytes and the worker', async () => {
    const given: unknown[] = [];
    const route = addJobsRoute(
      anIntake({
        add: async (file, worker) => {
          given.push(Buffer.from(file).toString(), worker);
          return { added: [place], refused: [], diagnostics: [] };
        },
      }),
    );
    const body = Buffer.from('a/x:');
    expect(await ask(route, { body, query: { worker: 'w1' } })).toMatchObject({ status: 200 });
    await ask(route, { body });
    expect(given).toEqual(['a/x:', 'w1', 'a/x:', null]);
  });

  it.each<[string, AddReport, number, string | undefined]>([
    ['all is added', { added: [place], refused: [], diagnostics: [] }, 200, undefined],
    ['some is added', { added: [place], refused: [refusal], diagnostics: [] }, 200, undefined],
    ['none is added', { added: [], refused: [refusal], diagnostics: [] }, 409, refusal.why],
    [
      'the file is bad',
      { added: [], refused: [], diagnostics: [diagnostic] },
      422,
      'line 2: no cron',
    ],
  ])('says by its status that %s, with the whole report', async (_, report, status, message) => {
    const reply = await ask(addJobsRoute(anIntake({ add: async () => report })));
    expect(reply.status).toBe(status);
    expect(reply.body).toMatchObject(report);
    expect(reply.body).toEqual(
      message === undefined ? report : { ...report, message, code: expect.any(String) },
    );
  });

  it.each([
    ['WCH_USAGE', 400],
    ['WCH_SECRET', 422],
    ['WCH_STORE_LIMIT', 413],
    ['WCH_RECORD', 409],
    ['WCH_STORE_UNAVAILABLE', 503],
    ['WCH_STORE_FULL', 503],
  ] as const)('answers %s with %i and its message', async (code, status) => {
    const add = () => Promise.reject(new WatcherError(code, 'what to do'));
    expect(await ask(addJobsRoute(anIntake({ add })))).toEqual({
      status,
      body: { code, message: 'what to do' },
    });
  });

  it('hides a defect from the caller', async () => {
    const add = () => Promise.reject(new TypeError('the password is hunter2'));
    await expect(ask(addJobsRoute(anIntake({ add })))).rejects.toThrow(TypeError);
  });
});

describe('DELETE /v1/jobs', () => {
  it('removes the check that it names', async () => {
    const route = removeJobRoute(anIntake({}));
    expect(await ask(route, { query: { check: 'a/x' } })).toEqual({
      status: 200,
      body: { check: 'a/x' },
    });
  });

  it('says why a check stays, and that one must be named', async () => {
    const remove = async (check: string) => ({ check, refused: 'it is of the folder' });
    const route = removeJobRoute(anIntake({ remove }));
    expect(await ask(route, { query: { check: 'a/x' } })).toMatchObject({
      status: 409,
      body: { message: 'it is of the folder' },
    });
    expect(await ask(route)).toMatchObject({ status: 400, body: { code: 'no_check' } });
  });
});

describe('GET /v1/scaling', () => {
  it('tells how well the pool fits its load', async () => {
    expect(await ask(scalingRoute(aSource().source))).toEqual({ status: 200, body: SCALING });
  });
});

describe('POST /v1/jobs/release', () => {
  it('releases the check that it names', async () => {
    const released: string[] = [];
    const release = async (check: string) => {
      released.push(check);
      return { check, refused: null };
    };
    const route = releaseJobRoute(anIntake({ release }));
    expect(await ask(route, { query: { check: 'a/x' } })).toEqual({
      status: 200,
      body: { check: 'a/x' },
    });
    expect(released).toEqual(['a/x']);
  });

  it('says why a check stays where it is, and that one must be named', async () => {
    const release = async (check: string) => ({ check, refused: 'it waits for nothing' });
    const route = releaseJobRoute(anIntake({ release }));
    expect(await ask(route, { query: { check: 'a/x' } })).toMatchObject({
      status: 409,
      body: { code: 'not_released', message: 'it waits for nothing' },
    });
    expect(await ask(route)).toMatchObject({ status: 400, body: { code: 'no_check' } });
  });
});
