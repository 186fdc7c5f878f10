import { describe, expect, it } from 'vitest';
import { createSecrets } from '../../../../src/shared/secrets/resolve.ts';
import { datadogDestinations } from '../../../../src/shared/sinks/datadog/destinations.ts';
import type { Call, Outcome } from '../../../../src/shared/sinks/destination.ts';
import { anEmission, aSelfEmission, TICK } from '../../../support/builders.ts';
import { datadogProblems } from '../../../support/datadog-constraints.ts';
import { startHttpSink, trustSinks } from '../../../support/http-sink.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { aContext, aSink, destination, itemsOf, KEY } from './support.ts';

trustSinks();

const never = new AbortController().signal;
const TO_CRITICAL = { from: 'ok', to: 'critical', at: TICK, reason: 'why' } as const;
const CHANGE = anEmission({ status: 'critical', reason: 'why' }, TO_CRITICAL);
const RUN = anEmission();
const SELF = aSelfEmission({
  status: 'degraded',
  samples: [{ name: 'watcher.x', kind: 'gauge', unit: 'count', labels: {}, value: 1 }],
});

const startIntake = () => startHttpSink({ tls: true, hosts: ['api.datadoghq.com'] });
const KINDS = ['series', 'events', 'checks'] as const;

describe('what each destination is for', () => {
  it.each([
    ['series', [true, true, true]],
    ['events', [true, false, false]],
    ['checks', [true, true, false]],
  ] as const)('%s: changes, runs, self', (kind, wanted) => {
    const { wants } = destination(kind);
    expect([CHANGE, RUN, SELF].map(wants)).toEqual(wanted);
  });

  it('is not for what would be empty', () => {
    const series = destination('series', aSink({ metrics: [] }));
    expect([series.wants(RUN), series.wants(SELF)]).toEqual([false, true]);
    expect(series.wants(aSelfEmission())).toBe(false);
  });

  it('is made only where the settings ask for it', () => {
    const labels = (events: boolean, serviceChecks: boolean) =>
      datadogDestinations(aSink({ events, serviceChecks }), aContext()).map(({ label }) => label);
    expect(labels(false, false)).toEqual(['datadog series']);
    expect(labels(true, false)).toEqual(['datadog series', 'datadog events']);
    expect(labels(false, true)).toEqual(['datadog series', 'datadog service checks']);
  });

  it('keeps what is older than Datadog takes from being sent, with time for the way', () => {
    const ages = KINDS.map((kind) => destination(kind).maxAgeMs / 60_000);
    expect(ages).toEqual([58, 18 * 60 - 2, 9]);
  });
});

it('has a key that stands in the settings hidden wherever watcher writes', () => {
  const hidden: string[] = [];
  const onValue = (value: string): number => hidden.push(value);
  const secrets = createSecrets({ clock: new ManualClock(), env: {}, onValue });
  datadogDestinations(aSink({ apiKey: KEY }), { ...aContext(), secrets });
  expect(hidden).toEqual([KEY]);
});

describe('the id of a destination', () => {
  const idsOf = (overrides: Parameters<typeof aSink>[0] = {}) =>
    datadogDestinations(aSink(overrides), aContext()).map(({ id }) => id);

  it('is the same for the same settings, and another for each of its parts', () => {
    expect(idsOf()).toEqual(idsOf());
    const all = [
      ...idsOf(),
      ...idsOf({ site: 'datadoghq.eu' }),
      ...idsOf({ apiKey: '${env:OTHER}' }),
      ...idsOf({ tags: ['env', 'prod'] }),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(idsOf({ metrics: ['success'] })[0]).not.toBe(idsOf()[0]);
  });
});

describe('a call to Datadog', () => {
  const callsFor = (kind: (typeof KINDS)[number], context: ReturnType<typeof aContext>) => {
    const made = destination(kind, aSink(), context);
    const [call] = made.encode(itemsOf([CHANGE]));
    return { made, call: call as Call };
  };

  it.each([
    ['series', '/api/v2/series', '{"errors":[]}'],
    ['events', '/api/v1/events', '{"status":"ok","event":{"id":1}}'],
    ['checks', '/api/v1/check_run', '{"status":"ok"}'],
  ] as const)('posts %s with the key in the header alone', async (kind, path, body) => {
    await using intake = await startIntake();
    intake.always({ status: 202, body });
    await using context = aContext({ intake });
    const { made, call } = callsFor(kind, context);
    expect(await made.send(call, never)).toEqual({ kind: 'delivered' });
    const [request] = intake.requests;
    expect(request).toMatchObject({ method: 'POST', path });
    expect(request?.headers['dd-api-key']).toBe(KEY);
    expect([...(request?.query.keys() ?? [])]).toEqual([]);
    expect(request && datadogProblems(request, TICK)).toEqual([]);
    expect(request?.raw.length).toBe(call.bytes);
  });

  it.each<[number, Partial<Outcome>]>([
    [403, { kind: 'denied' }],
    [413, { kind: 'split', drop: 'size' }],
    [400, { kind: 'split', drop: 'refused' }],
    [503, { kind: 'retry' }],
    [429, { kind: 'retry', afterMs: 7_000 }],
  ])('tells what HTTP %i means', async (status, outcome) => {
    await using intake = await startIntake();
    intake.always({ status, headers: { 'x-ratelimit-reset': '7' } });
    await using context = aContext({ intake });
    const { made, call } = callsFor('series', context);
    expect(await made.send(call, never)).toMatchObject(outcome);
  });

  it('uses a rotated key at once', async () => {
    await using intake = await startIntake();
    const env = { DD_API_KEY: 'old' };
    await using context = aContext({ intake, env });
    const { made, call } = callsFor('series', context);
    await made.send(call, never);
    env.DD_API_KEY = 'new';
    await made.send(call, never);
    expect(intake.requests.map(({ headers }) => headers['dd-api-key'])).toEqual(['old', 'new']);
  });

  it('is not made without a key, and says which one is missing', async () => {
    await using intake = await startIntake();
    await using context = aContext({ intake, env: {} });
    const { made, call } = callsFor('events', context);
    const outcome = await made.send(call, never);
    expect(outcome).toEqual({
      kind: 'denied',
      reason: '${env:DD_API_KEY}: the variable is not set',
    });
    expect(intake.connections()).toBe(0);
  });

  it('may come later when it is given up, or nobody answers', async () => {
    await using intake = await startIntake();
    intake.always('hang');
    await using context = aContext({ intake });
    const { made, call } = callsFor('series', context);
    const giveUp = new AbortController();
    const sent = made.send(call, giveUp.signal);
    await intake.received(1);
    giveUp.abort();
    expect((await sent).kind).toBe('retry');
    intake.always('half');
    expect((await made.send(call, never)).kind).toBe('retry');
  });

  it('asks for wall-clock time where an answer names an instant', async () => {
    await using intake = await startIntake();
    intake.always({ status: 429, headers: { 'retry-after': 'Thu, 01 Jan 2026 00:01:00 GMT' } });
    await using context = aContext({ intake });
    const clock = new ManualClock(TICK);
    const { made, call } = callsFor('series', { ...context, clock });
    expect(await made.send(call, never)).toMatchObject({ kind: 'retry', afterMs: 60_000 });
  });
});

describe('the verification of a key', () => {
  const verify = async (
    answer: { status: number; body?: string },
    env?: Record<string, string>,
  ) => {
    await using intake = await startIntake();
    intake.always(answer);
    await using context = aContext({ intake, ...(env && { env }) });
    const verified = await destination('events', aSink(), context).verify(never);
    return { verified, requests: intake.requests };
  };

  it('asks Datadog, and posts nothing', async () => {
    const { verified, requests } = await verify({ status: 200, body: '{"valid": true}' });
    expect(verified).toEqual({ state: 'ok', message: 'datadoghq.com knows the key' });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ method: 'GET', path: '/api/v1/validate' });
    expect(requests[0]?.headers['dd-api-key']).toBe(KEY);
  });

  it.each([
    [{ status: 403, body: '{"errors":["Forbidden"]}' }, /403.*check site, api_key/],
    [{ status: 200, body: '{"valid":false}' }, /does not know the key/],
    [{ status: 200, body: '<html>proxy</html>' }, /HTML/],
    [{ status: 503 }, /503/],
  ])('fails with what to do about it: %j', async (answer, message) => {
    const { verified } = await verify(answer);
    expect(verified.state).toBe('failed');
    expect(verified.message).toMatch(message);
    expect(verified.message).not.toContain(KEY);
  });

  it('fails where the key cannot be read', async () => {
    const { verified, requests } = await verify({ status: 200 }, {});
    expect(verified.message).toContain('${env:DD_API_KEY}: the variable is not set');
    expect([verified.state, requests.length]).toEqual(['failed', 0]);
  });
});
