import { describe, expect, it } from 'vitest';
import { check, codes, codesAndPlaces, definitions, fixture, read } from './reading.ts';

const ENDPOINTS = fixture('notes-endpoints.yml');
const SELF = fixture('notes-self.yml');

/** The same two files, as they should have been written. */
const CANONICAL = `
www.fabricsounds.com/health:
  cron_schedule: "* * * * *"
  scheme: http
  response_json_values: [status]
  success_test: { key: status, value: ok }
  post_endpoint:
    url: https://app.datadoghq.com/api/v1/events
    post_api_key: { param_name: api_key, param_value: 9775a026f1ca7d1c6c5af9d94d9595a4 }
    post_json_info: { title: fabricsounds health, text: health ok, tags: ["status:{status}"] }
mixsig.fabricsounds.com/health:
  cron_schedule: "* * * * *"
  scheme: http
  response_json_values: [status, app, version]
  success_test: { key: status, value: ok }
  post_service:
    service: aws-cloudwatch
    aws_key: asdfasdfsa
    aws_secret: asdfasdfa
    data_detail_type: type1
    data_details_json: { status: "{status}", app: "{app}", version: "{version}" }
    data_source: mixsig.fabricsounds.com/health
    data_resources: [health]
self:
  - post_service: { service: aws-cloudwatch, aws_key: asdfasdfsa, aws_secret: asdfasdfa }
    post_endpoint:
      url: https://app.datadoghq.com/api/v1/events
      post_api_key: { param_name: api_key, param_value: 9775a026f1ca7d1c6c5af9d94d9595a4 }
      post_json_info: { title: watcher-monitor, text: health ok }
  - post_service:
      service: aws-cloudwatch
      aws_key: asdfasdfsa
      aws_secret: asdfasdfa
      data_source: watcher.fabricsounds.com
`;

const warnings = (content: string | Buffer): readonly string[] =>
  codesAndPlaces(read(content)).filter((text) => text.startsWith('W'));

describe('what people write that is not YAML', () => {
  it('is accepted as it stands, with a warning for each repair', () => {
    expect(warnings(ENDPOINTS)).toEqual([
      'W101 2:18',
      'W102 10:18',
      'W103 20:19',
      'W101 23:18',
      'W102 32:17',
      'W103 37:17',
      'W103 38:14',
      'W103 39:18',
    ]);
    expect(warnings(SELF)).toEqual(['W102 2:17', 'W102 5:18', 'W104 13:1', 'W102 14:17']);
  });

  it('means what the canonical text says, which needs no repair', () => {
    const canonical = read(CANONICAL);
    const endpoints = read(ENDPOINTS);
    expect(warnings(CANONICAL)).toEqual([]);
    expect(definitions(endpoints)).toEqual(definitions(canonical));
    expect(definitions(endpoints)).toHaveLength(2);
    expect(read(SELF).selves).toEqual(canonical.selves);
    expect(canonical.selves).toHaveLength(2);
  });

  it('gets advice that is neither error nor warning', () => {
    const advice = [...codes(read(ENDPOINTS)), ...codes(read(SELF))].filter((c) =>
      c.startsWith('I'),
    );
    expect(new Set(advice)).toEqual(new Set(['I201', 'I202', 'I203', 'I204']));
  });

  it('may have Windows line ends and a byte order mark', () => {
    const windows = `\ufeff${ENDPOINTS.toString().replaceAll('\n', '\r\n')}`;
    expect(definitions(read(windows))).toEqual(definitions(read(ENDPOINTS)));
    expect(warnings(windows)).toEqual(warnings(ENDPOINTS));
  });

  it('is ignored as a whole when one error has no repair, which is then named', () => {
    const file = read(`${ENDPOINTS}broken: [\n`);
    expect(file.checks).toEqual([]);
    expect(codesAndPlaces(file)).toEqual(['E401 44:1']);
  });

  it.each([
    ['a cron expression with steps', 'cron_schedule: */5 * * * *', '*/5 * * * *'],
    ['a name', 'cron_schedule: @hourly', '@hourly'],
    ['a weekday with a number sign', 'cron_schedule: * * * * 1#2', '* * * * 1#2'],
    ['a comment behind it', 'cron_schedule: * * * * * # often', '* * * * *'],
  ])('repairs %s', (_, line, cron) => {
    const file = read(`shop.example.com/:\n  ${line}\n`);
    expect(codes(file)).toEqual(['W101']);
    expect(definitions(file)[0]?.spec.schedule.cron).toBe(cron);
  });

  it.each([
    ['text after a placeholder', '{status} ok'],
    ['two placeholders', '{status}-{app}'],
  ])('repairs %s', (_, text) => {
    const file = read(
      check(
        'response_json_values: [status, app]',
        'post_endpoint:',
        '  url: https://example.com/',
        `  post_json_info: `,
        `    text: ${text}`,
      ),
    );
    expect(codes(file)).toEqual(['W103']);
    expect(definitions(file)[0]?.spec.posts?.endpoint?.body).toEqual({ text });
  });

  it('repairs any number of mistakes', () => {
    const file = read(
      Array.from(
        { length: 100 },
        (_, n) => `n${n}.example.com/:\n  cron_schedule: */5 * * * *\n`,
      ).join(''),
    );
    expect(file.checks).toHaveLength(100);
  });

  it('takes a quoted value with keys below it for the same thing', () => {
    const file = read(
      check(
        'post_service: "aws-eventbridge"',
        '  aws_region: eu-west-1',
        '  data_source: s',
        '  data_detail_type: t',
      ),
    );
    expect(codes(file)).toEqual(['W102']);
    expect(definitions(file)[0]?.spec.posts?.service?.service).toBe('aws-eventbridge');
  });

  it('tells of a key that a list of one-key maps has twice, and takes the last', () => {
    const file = read(
      check(
        'post_service:',
        '  service: aws-cloudwatch',
        '  aws_region: eu-west-1',
        '  data_details_json: [{ a: 1 }, { b: 2 }, { a: 3 }]',
      ),
    );
    expect(codesAndPlaces(file)).toEqual(['W105 6:47']);
    expect(definitions(file)[0]?.spec.posts?.service?.detail).toEqual({ b: 2, a: 3 });
  });

  it('prefers a data_source inside post_service to one beside it', () => {
    const file = read(
      check(
        'data_source: outer',
        'post_service: { service: aws-cloudwatch, aws_region: eu-west-1, data_source: inner }',
      ),
    );
    expect(codes(file)).toEqual([]);
    expect(definitions(file)[0]?.spec.posts?.service?.source).toBe('inner');
  });

  it('keeps self blocks of several documents apart from each other', () => {
    const file = read(`${SELF}---\nself:\n  post_endpoint: https://example.com/\n`);
    expect(file.selves).toHaveLength(3);
  });
});

describe('numbers that would lose something', () => {
  it.each([
    ['97750261234567890123', '97750261234567890123'],
    ['0777', '0777'],
    ['1e400', '1e400'],
    ['1.10', '1.10'],
    ['True', 'True'],
    ['42', 42],
    ['-1.5', -1.5],
    ['true', true],
  ])('%s is compared as it was written', (written, operand) => {
    const file = read(check(`success_test: { key: status, value: ${written} }`));
    expect(definitions(file)[0]?.spec.assertions[0]?.operand).toBe(operand);
  });
});
