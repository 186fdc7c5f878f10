/** The double's judge is itself judged: it must refuse what Datadog refuses or drops in silence. */

import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { datadogProblems } from '../../../support/datadog-constraints.ts';

const NOW = Date.UTC(2026, 0, 1);
const SECOND = NOW / 1000;
const HEADERS = { 'dd-api-key': 'k', 'content-type': 'application/json' };

const problems = (path: string, body: unknown, headers: Record<string, string> = HEADERS) =>
  datadogProblems({ path, headers, raw: Buffer.from(JSON.stringify(body)) }, NOW);

const point = { timestamp: SECOND, value: 1 };
const series = (overrides: object) => ({
  series: [{ metric: 'a.b', type: 3, points: [point], tags: ['a:b'], ...overrides }],
});
const event = (overrides: object) => ({ title: 't', text: 'x', ...overrides });
const check = (overrides: object) => [
  { check: 'a.b', host_name: 'h', status: 0, tags: [], timestamp: SECOND, ...overrides },
];

const SERIES = '/api/v2/series';
const EVENTS = '/api/v1/events';
const CHECKS = '/api/v1/check_run';

it('takes what Datadog takes', () => {
  expect(problems(SERIES, series({}))).toEqual([]);
  expect(problems(SERIES, series({ type: 1, interval: 60 }))).toEqual([]);
  expect(problems(EVENTS, event({ alert_type: 'error', date_happened: SECOND }))).toEqual([]);
  expect(problems(CHECKS, check({ message: 'm' }))).toEqual([]);
});

describe('what Datadog would refuse or lose', () => {
  it.each<[string, unknown]>([
    ['body.series is missing', {}],
    ['body.series is no list', { series: {} }],
    ['body.series[0] is no object', { series: [1] }],
    ['body.series[0].metric is missing', series({ metric: undefined })],
    ['body.series[0].metric is no string', series({ metric: 1 })],
    ['body.series[0].type is none of 0,1,2,3', series({ type: 4 })],
    ['body.series[0].host is unknown', series({ host: 'h' })],
    ['body.series[0].constructor is unknown', series({ constructor: 1 })],
    [
      'body.series[0].points[0].value is no number',
      series({ points: [{ timestamp: SECOND, value: '1' }] }),
    ],
    [
      'body.series[0].points[0].value is no number',
      series({ points: [{ timestamp: SECOND, value: null }] }),
    ],
    [
      'body.series[0].points[0].timestamp is no whole number',
      series({ points: [{ timestamp: 1.5, value: 1 }] }),
    ],
    ['a.b has a point without value', series({ points: [{ timestamp: SECOND }] })],
    ['a point without timestamp', series({ points: [{ value: 1 }] })],
    ['a.b has no point', series({ points: [] })],
    ['a.b lacks its interval', series({ type: 1 })],
    ['"1a" is no name of a metric', series({ metric: '1a' })],
    ['"a b" is no name of a metric', series({ metric: 'a b' })],
    ['"A" is no tag', series({ tags: ['A'] })],
    ['"a b" is no tag', series({ tags: ['a b'] })],
    ['"1" is no tag', series({ tags: ['1'] })],
    ['body.series[0].tags[0] is no string', series({ tags: [1] })],
    [`${SECOND - 3_601} is too old`, series({ points: [{ ...point, timestamp: SECOND - 3_601 }] })],
    [
      `${SECOND + 601} is in the future`,
      series({ points: [{ ...point, timestamp: SECOND + 601 }] }),
    ],
  ])('series: %s', (problem, body) => {
    expect(problems(SERIES, body)).toEqual([problem]);
  });

  it('series: names and tags that are too long', () => {
    expect(problems(SERIES, series({ metric: 'a'.repeat(200), tags: ['a'.repeat(200)] }))).toEqual(
      [],
    );
    expect(
      problems(SERIES, series({ metric: 'a'.repeat(201), tags: ['a'.repeat(201)] })),
    ).toHaveLength(2);
  });

  it.each<[string, unknown]>([
    ['body.title is missing', event({ title: undefined })],
    ['body.text is missing', event({ text: undefined })],
    ['body.text is too long', event({ text: 'x'.repeat(4_001) })],
    ['body.aggregation_key is too long', event({ aggregation_key: 'x'.repeat(101) })],
    ['body.date_happened is no whole number', event({ date_happened: String(SECOND) })],
    [
      'body.alert_type is none of error,warning,info,success,user_update,recommendation,snapshot',
      event({ alert_type: 'critical' }),
    ],
    ['body.severity is unknown', event({ severity: 1 })],
    [`${SECOND - 64_801} is too old`, event({ date_happened: SECOND - 64_801 })],
  ])('events: %s', (problem, body) => {
    expect(problems(EVENTS, body)).toEqual([problem]);
  });

  it.each<[string, unknown]>([
    ['body is no list', check({})[0]],
    ['body[0].check is missing', check({ check: undefined })],
    ['body[0].host_name is missing', check({ host_name: undefined })],
    ['body[0].tags is missing', check({ tags: undefined })],
    ['body[0].status is none of 0,1,2,3', check({ status: 'ok' })],
    ['"a-b" is no name of a service check', check({ check: 'a-b' })],
    [`${SECOND - 601} is too old`, check({ timestamp: SECOND - 601 })],
  ])('service checks: %s', (problem, body) => {
    expect(problems(CHECKS, body)).toEqual([problem]);
  });

  it('no key, no type, no such path, no JSON', () => {
    expect(problems(SERIES, series({}), {})).toEqual(['no dd-api-key header', 'not sent as JSON']);
    expect(problems('/api/v1/series', series({}))).toEqual(['no such path: /api/v1/series']);
    const raw = Buffer.from('{"series":[NaN]}');
    expect(datadogProblems({ path: SERIES, headers: HEADERS, raw }, NOW)).toEqual(['not JSON']);
  });

  it('what is too large, packed or not', () => {
    const points = Array.from({ length: 200_000 }, () => point);
    const raw = gzipSync(JSON.stringify(series({ points })));
    const headers = { ...HEADERS, 'content-encoding': 'gzip' };
    expect(datadogProblems({ path: SERIES, headers, raw }, NOW)).toEqual([
      'too large when unpacked',
    ]);
    const text = problems(SERIES, series({ points: points.slice(0, 15_000) }));
    expect(text).toEqual(['too large']);
  });
});
