import { describe, expect, it } from 'vitest';
import type { CheckView } from '../../../src/shared/domain/status.ts';
import type { Route } from '../../../src/shared/http/route.ts';
import {
  healthRoute,
  metricsRoute,
  reloadRoute,
  statusRoute,
} from '../../../src/shared/http/routes.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { aView, sourceOf } from '../../support/views.ts';

const ask = async (route: Route, query: Readonly<Record<string, string>> = {}) => {
  const { status = 200, body } = await route.handle({ query, params: {}, body: new Uint8Array() });
  return { status, body };
};

describe('GET /healthz', () => {
  it('is 200 while the process can run checks, else 503 with the reason', async () => {
    expect(await ask(healthRoute(() => ({ status: 'ok', reason: null })))).toEqual({
      status: 200,
      body: { status: 'ok', reason: null },
    });
    const stopping = healthRoute(() => ({ status: 'unavailable', reason: 'stopping' }));
    expect(await ask(stopping)).toMatchObject({ status: 503, body: { reason: 'stopping' } });
  });
});

describe('GET /metrics', () => {
  it('is the meter in the text format of Prometheus', async () => {
    const meter = new Meter();
    meter.gauge('watcher.checks.held').set(12);
    const reply = await metricsRoute(meter).handle({
      query: {},
      params: {},
      body: new Uint8Array(),
    });
    expect(reply.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(reply.body).toContain('\nwatcher_checks_held 12\n');
  });
});

describe('GET /v1/status', () => {
  const many = statusRoute(
    sourceOf(Array.from({ length: 2500 }, (_, n) => aView({ check: `c${n}` }))),
  );

  it('shows one check by its key', async () => {
    const route = statusRoute(sourceOf([aView({ check: 'a/x' }), aView({ check: 'b/y' })]));
    expect(await ask(route, { check: 'b/y' })).toMatchObject({
      status: 200,
      body: { checks: [{ check: 'b/y' }], next: null },
    });
    expect(await ask(route, { check: 'c/z' })).toMatchObject({
      status: 404,
      body: { code: 'check_not_found' },
    });
  });

  it('shows only checks of one status', async () => {
    const route = statusRoute(
      sourceOf([aView({ check: 'a' }), aView({ check: 'b', status: 'critical' })]),
    );
    expect(await ask(route, { status: 'critical' })).toMatchObject({
      body: { checks: [{ check: 'b' }] },
    });
  });

  it('leads through many checks page by page, each once', async () => {
    const keys: string[] = [];
    for (let next: number | null = 0; next !== null; ) {
      const { body } = await ask(many, { offset: String(next) });
      const page = body as { checks: CheckView[]; next: number | null };
      expect(page.checks.length).toBeLessThanOrEqual(1000);
      keys.push(...page.checks.map((each) => each.check));
      next = page.next;
    }
    expect(keys).toHaveLength(2500);
    expect(new Set(keys).size).toBe(2500);
  });

  it.each([
    [{ status: 'bad' }, 'bad_status'],
    [{ offset: '-1' }, 'bad_page'],
    [{ limit: '0' }, 'bad_page'],
    [{ limit: '1e3' }, 'bad_page'],
  ])('refuses %j', async (query, code) => {
    expect(await ask(many, query)).toMatchObject({ status: 400, body: { code } });
  });

  it('never answers with more than a page', async () => {
    const { body } = await ask(many, { limit: '999999' });
    expect(body).toMatchObject({ next: 1000, checks: { length: 1000 } });
  });
});

describe('POST /v1/reload', () => {
  it.each([
    [{}, false],
    [{ confirm: '1' }, true],
    [{ confirm: '0' }, false],
  ])('with %j confirms: %s', async (query, expected) => {
    const confirmed: boolean[] = [];
    const route = reloadRoute(async (confirm) => {
      confirmed.push(confirm);
      return { checks: 1, errors: 0, warnings: 0, held: 0, waitingMs: null };
    });
    expect(await ask(route, query)).toMatchObject({ body: { checks: 1 } });
    expect(confirmed).toEqual([expected]);
  });
});
