import { describe, expect, it } from 'vitest';
import { checkIdOf } from '../../../src/shared/config/check-id.ts';
import type { CheckInput } from '../../../src/shared/config/check-schema.ts';
import { check, codes, definitions, fixture, read } from './reading.ts';

const specOf = (...lines: readonly string[]) => {
  const file = read(check(...lines));
  expect(codes(file)).toEqual([]);
  return definitions(file)[0]?.spec;
};

describe('the definition of a check', () => {
  it('has the documented defaults', () => {
    expect(specOf()).toEqual({
      kind: 'http',
      schedule: { cron: '* * * * *', timezone: 'UTC', splayMs: 60_000 },
      request: {
        scheme: 'https',
        method: 'GET',
        headers: [],
        timeoutMs: 10_000,
        followRedirects: 5,
        ipFamily: 'any',
        connection: 'fresh',
      },
      values: [],
      assertions: [],
      failAfter: 1,
      onCoordinationLoss: 'run',
    });
  });

  it('has every key of the file in it', () => {
    expect(definitions(read(fixture('configs/good/every-key.yml')))).toMatchSnapshot();
  });

  it.each([
    ['true', 5],
    ['false', 0],
    ['3', 3],
  ])('follow_redirects: %s follows %i', (written, hops) => {
    expect(specOf(`follow_redirects: ${written}`)?.request.followRedirects).toBe(hops);
  });

  it.each([
    ['500ms', 500],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ])('timeout: %s is %i ms', (written, ms) => {
    const file = read(check(`timeout: ${written}`));
    expect(definitions(file)[0]?.spec.request.timeoutMs).toBe(ms);
  });

  it.each([
    ['GET', 'run'],
    ['HEAD', 'run'],
    ['POST', 'stop'],
    ['DELETE', 'stop'],
    ['OPTIONS', 'stop'],
  ])('%s without on_coordination_loss: %s', (method, then) => {
    expect(specOf(`method: ${method}`)?.onCoordinationLoss).toBe(then);
  });

  it('does what on_coordination_loss says, whatever the method is', () => {
    expect(specOf('on_coordination_loss: stop')?.onCoordinationLoss).toBe('stop');
    const lines = ['method: POST', 'on_coordination_loss: run'];
    expect(specOf(...lines)?.onCoordinationLoss).toBe('run');
  });

  it('has a zone only where one is given, by itself or by the folder', () => {
    expect(specOf()).not.toHaveProperty('zone');
    expect(specOf('zone: eu-west-1')?.zone).toBe('eu-west-1');
    const [definition] = definitions(read(check(), { zone: 'dmz' }));
    expect(definition?.spec.zone).toBe('dmz');
  });

  it.each([
    ['status', [{ name: 'status', path: 'status' }]],
    [
      '[a.b, $.c]',
      [
        { name: 'a.b', path: 'a.b' },
        { name: '$.c', path: '$.c' },
      ],
    ],
    ['{ db: $.dep.db }', [{ name: 'db', path: '$.dep.db' }]],
    [
      '[a, { b: $.c, d: e }]',
      [
        { name: 'a', path: 'a' },
        { name: 'b', path: '$.c' },
        { name: 'd', path: 'e' },
      ],
    ],
  ])('response_json_values: %s', (written, values) => {
    expect(specOf(`response_json_values: ${written}`)?.values).toEqual(values);
  });

  it.each([
    ['{ key: status, value: ok }', { source: 'json', operator: 'equals', operand: 'ok' }],
    ['{ key: status, equals: null }', { source: 'json', operator: 'equals', operand: null }],
    [
      '{ key: status, not: bad, strict: true }',
      { source: 'json', operator: 'not', operand: 'bad', strict: true },
    ],
    ['{ key: status, in: [a, b] }', { source: 'json', operator: 'in', operand: ['a', 'b'] }],
    ['{ key: status, matches: ^o }', { source: 'json', operator: 'matches', operand: '^o' }],
    ['{ key: latency, lt: 2.0 }', { source: 'json', operator: 'lt', operand: 2 }],
    ['{ key: error, exists: false }', { source: 'json', operator: 'exists', operand: false }],
    ['{ http_status: 200 }', { source: 'http_status', operator: 'in', operand: [200] }],
    [
      '{ http_status: [200, 3xx] }',
      { source: 'http_status', operator: 'in', operand: [200, '3xx'] },
    ],
    ['{ max_response_time: 500ms }', { source: 'response_time', operator: 'lte', operand: 500 }],
    ['{ body_match: ok }', { source: 'body', operator: 'matches', operand: 'ok' }],
    [
      '{ body_match: ok, invert: true }',
      { source: 'body', operator: 'not_matches', operand: 'ok' },
    ],
  ])('success_test: %s', (written, assertion) => {
    const [found, ...more] = specOf(`success_test: ${written}`)?.assertions ?? [];
    expect(more).toEqual([]);
    expect(found).toMatchObject(assertion);
  });

  it('holds all that one test asks', () => {
    const { assertions } = specOf('success_test: { key: n, gt: 1, lt: 9, http_status: 200 }') ?? {};
    expect(assertions?.map(({ operator }) => operator)).toEqual(['lt', 'gt', 'in']);
  });

  it('reads a tested value by the path that response_json_values gives to its name', () => {
    const spec = specOf(
      'response_json_values: { db: $.dep.db }',
      'success_test: { key: db, value: up }',
    );
    expect(spec?.assertions[0]?.value).toEqual({ name: 'db', path: '$.dep.db' });
  });

  it('takes what it does not say from the defaults', () => {
    const defaults: CheckInput = { timeout: 3000, headers: { 'X-Team': 'a' }, scheme: 'http' };
    const [definition] = definitions(read(check('headers: { X-Own: b }'), defaults));
    expect(definition?.spec.request).toMatchObject({
      timeoutMs: 3000,
      scheme: 'http',
      headers: [['X-Own', 'b']],
    });
  });
});

describe('advice', () => {
  it('is not given for a URL that is kept elsewhere', () => {
    const hook = '$' + '{env:HOOK}';
    expect(specOf(`post_endpoint: { url: "${hook}" }`)?.posts?.endpoint?.url).toBe(hook);
  });

  it.each([
    ['I201', ['auth: { bearer: abc }']],
    ['I201', ['headers: { X-Api-Key: abc }']],
    ['I202', ['post_endpoint: https://app.datadoghq.com/api/v1/events']],
    ['I203', ['post_service: { service: aws-cloudwatch, aws_region: a, data_resources: [x] }']],
    ['I204', ['post_service: aws-cloudwatch']],
    ['I205', ['timeout: 2m']],
  ])('%s is given and the check runs all the same', (code, lines) => {
    const file = read(check(...lines));
    expect(codes(file)).toEqual([code]);
    expect(file.checks).toHaveLength(1);
  });

  it('never repeats a secret', () => {
    const secret = 'hunter2-hunter2';
    const file = read(
      check(
        `auth: { bearer: ${secret}, basic: { username: a, password: ${secret} } }`,
        `url: https://me:${secret}@shop.example.com/`,
        `headers: { Authorization: "${secret}\\n" }`,
        `post_endpoint: https://example.com/?key=${secret}`,
        '  post_api_key:',
        `    param_name: a`,
        `    param_value: ${secret}`,
      ),
    );
    expect(file.diagnostics.length).toBeGreaterThan(5);
    expect(JSON.stringify(file.diagnostics)).not.toContain(secret);
  });
});

describe('a check with several mistakes', () => {
  it('gets all of them told at once, whatever stage finds them', () => {
    const file = read(
      'shop.example.com/:\n  cron_schedule: "* * * *"\n  timeout: 5\n  timout: 5s\n  method: get\n',
    );
    expect(codes(file)).toEqual(['E504', 'E502', 'E501', 'E502']);
  });

  it('gets none told that only follow from others', () => {
    const file = read(
      check(
        'url: [a]',
        'response_json_values: 5.5',
        'post_endpoint:',
        '  url: https://example.com/',
        '  post_json_info: { text: "{status}" }',
      ),
    );
    expect(codes(file)).toEqual(['E502']);
  });
});

describe('the id of a check', () => {
  it('is a UUIDv5 that never changes', () => {
    expect(checkIdOf('www.fabricsounds.com/health')).toBe('b3187087-3866-5391-99d7-932cbec8d3be');
    expect(checkIdOf('a')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(checkIdOf('a')).not.toBe(checkIdOf('b'));
  });
});
