/** The routes that every process gives, each made from the one narrow port that it reads. */

import {
  CHECK_STATUSES,
  type CheckStatus,
  type Health,
  type ReloadReport,
  type SelfSource,
  type StatusFilter,
  type StatusPage,
  type StatusSource,
} from '../domain/status.ts';
import type { Meter } from '../runtime/meter.ts';
import { problem, type Route, type RouteReply, type RouteRequest, whole } from './route.ts';

/** A page of checks; 100,000 of them in one answer would block the event loop. */
const PAGE = 1000;

/** 200 while this process can run checks, else 503 with the reason. */
export const healthRoute = (health: () => Health): Route => ({
  method: 'GET',
  path: '/healthz',
  open: true,
  handle: () => {
    const body = health();
    return { status: body.status === 'ok' ? 200 : 503, body };
  },
});

/** prom-client is loaded by the first scrape. */
export const metricsRoute = (meter: Meter): Route => {
  const exposition = lazily(async () => {
    const { Exposition } = await import('../runtime/exposition.ts');
    return new Exposition(meter);
  });
  return {
    method: 'GET',
    path: '/metrics',
    handle: async () => {
      const format = await exposition();
      return { contentType: format.contentType, body: await format.text() };
    },
  };
};

/** `?check=KEY` for one check, else pages: `?status=`, `?offset=`, `?limit=` up to 1000. */
export const statusRoute = (source: StatusSource): Route => ({
  method: 'GET',
  path: '/v1/status',
  handle: ({ query }) => {
    const key = query['check'];
    return key === undefined ? pageOf(source, query) : checkOf(source, key);
  },
});

export const selfRoute = (source: SelfSource): Route => ({
  method: 'GET',
  path: '/v1/self',
  handle: () => ({ body: source.self() }),
});

/** `?confirm=1` lets many checks disappear at once. */
export const reloadRoute = (reload: (confirm: boolean) => Promise<ReloadReport>): Route => ({
  method: 'POST',
  path: '/v1/reload',
  handle: async ({ query }) => ({ body: await reload(query['confirm'] === '1') }),
});

const checkOf = (source: StatusSource, key: string): RouteReply => {
  const view = source.find(key);
  if (view === null) return problem(404, 'check_not_found', `no check is named ${key}`);
  return { body: { summary: source.summary(), checks: [view], next: null } satisfies StatusPage };
};

const pageOf = (source: StatusSource, query: RouteRequest['query']): RouteReply => {
  const { status } = query;
  if (status !== undefined && !isCheckStatus(status))
    return problem(400, 'bad_status', `status is one of ${CHECK_STATUSES.join(', ')}`);
  const offset = whole(query['offset'] ?? '0');
  const limit = whole(query['limit'] ?? String(PAGE));
  if (offset === null || limit === null || limit < 1)
    return problem(400, 'bad_page', 'offset and limit are whole numbers, limit from 1 on');
  const size = Math.min(limit, PAGE);
  const filter: StatusFilter = { offset, limit: size, ...(status === undefined ? {} : { status }) };
  const checks = source.checks(filter);
  const next = checks.length < size ? null : offset + size;
  return { body: { summary: source.summary(), checks, next } satisfies StatusPage };
};

const isCheckStatus = (text: string): text is CheckStatus =>
  (CHECK_STATUSES as readonly string[]).includes(text);

const lazily = <T>(make: () => Promise<T>): (() => Promise<T>) => {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
};
