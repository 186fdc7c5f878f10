import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Assertion } from '../../../src/shared/domain/check.ts';
import { compileJudge } from '../../../src/shared/rules/assertions.ts';
import { answer, json, judge, named, spec } from './judging.ts';

describe('bodies that are not what they should be', () => {
  const asked = { values: [named('status')] };
  it.each([
    ['', 'not_json', 'not_json: the body is empty'],
    [' \n', 'not_json', 'not_json: the body is empty'],
    ['<html>', 'not_json', 'not_json: <html>'],
    ['{"status":"ok"} trailing', 'not_json', 'not_json: {"status":"ok"} trailing'],
    ["{'status':'ok'}", 'not_json', "not_json: {'status':'ok'}"],
    ['{"status":NaN}', 'not_json', 'not_json: {"status":NaN}'],
    ['null', 'missing', 'missing:status'],
    ['"status"', 'missing', 'missing:status'],
    ['[]', 'missing', 'missing:status'],
    ['{}', 'missing', 'missing:status'],
    [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'missing', 'missing:status'],
  ])('%.30s', (text, code, reason) => {
    expect(judge(asked, answer(text))).toMatchObject({ status: 'critical', code, reason });
  });

  it('are shown in at most 200 bytes, without control characters', () => {
    const { reason } = judge(asked, answer(`\u001b[31m${'ü'.repeat(1000)}`));
    expect(reason).toMatch(/^not_json: \\u\{1b\}\[31mü+…$/);
    expect(Buffer.byteLength(reason ?? '')).toBeLessThanOrEqual(200 + 'not_json: '.length);
  });

  it('are oversize before they are anything else', () => {
    expect(judge(asked, answer('{"status":"ok"', { oversize: true }))).toMatchObject({
      code: 'oversize',
      reason: 'oversize: the body is longer than 1 MiB',
    });
  });

  it('may be of any size where no value is asked for', () => {
    expect(judge({}, answer('x', { oversize: true })).status).toBe('ok');
    const found: Assertion = { source: 'body', operator: 'matches', operand: 'x' };
    expect(judge({ assertions: [found] }, answer('x', { oversize: true })).status).toBe('ok');
  });

  it('are not searched by a path with ".." past 128 KiB', () => {
    const deep = { values: [{ name: 'status', path: '$..status' }] };
    const large = JSON.stringify({ status: 'ok', pad: 'x'.repeat(128 * 1024) });
    expect(judge(deep, answer('{"status":"ok"}')).values).toEqual({ status: ['ok'] });
    expect(judge(deep, answer(large)).code).toBe('oversize');
    expect(judge(asked, answer(large)).status).toBe('ok');
  });

  it('count the last of two equal keys', () => {
    expect(judge(asked, answer('{"status":"bad","status":"ok"}')).values).toEqual({ status: 'ok' });
  });
});

describe('hostile bodies', () => {
  const judgeAll = compileJudge(
    spec({
      values: [named('a'), { name: 'b', path: '$..a' }, { name: 'c', path: '$.*[0:2]' }],
      assertions: [
        json('equals', { a: [1] }, { value: named('a') }),
        json('matches', 'x+$', { value: { name: 'b', path: '$..a' } }),
        json('lt', 3, { value: named('a') }),
        { source: 'body', operator: 'not_matches', operand: '(x+x+)+y' },
      ],
    }),
  );
  const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
  const documents = fc.json({ depthSize: 'medium' }).map((text) => Buffer.from(text));
  const cut = fc.tuple(documents, fc.nat(100)).map(([body, end]) => body.subarray(0, end));
  const charset = fc.constantFrom('', 'utf-16', 'latin1', '"', 'x-user-defined', '\u0000');

  it('never make the judge throw, nor its verdict anything but JSON', () => {
    fc.assert(
      fc.property(fc.oneof(bytes, documents, cut), charset, (body, name) => {
        const verdict = judgeAll(
          answer(body, { headers: { 'content-type': `a/b; charset=${name}` } }),
        );
        expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
        expect(verdict.status).toMatch(/^(ok|critical)$/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('charsets', () => {
  const text = '{"status":"grün"}';
  const utf16 = Buffer.from(text, 'utf16le');
  it.each<[string, Buffer, string | undefined]>([
    ['UTF-8', Buffer.from(text), undefined],
    ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${text}`), undefined],
    ['declared UTF-8', Buffer.from(text), 'application/json; charset=UTF-8'],
    ['declared ISO-8859-1', Buffer.from(text, 'latin1'), 'application/json; charset=iso-8859-1'],
    ['declared UTF-16', utf16, 'application/json;charset="utf-16le"'],
    [
      'UTF-16 with a mark',
      Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
      'application/json; charset=utf-8',
    ],
    [
      'UTF-16BE with a mark',
      Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(utf16).swap16()]),
      undefined,
    ],
    ['an unknown charset, read as UTF-8', Buffer.from(text), 'application/json; charset=klingon'],
  ])('%s', (_, bytes, contentType) => {
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    expect(judge({ values: [named('status')] }, answer(bytes, { headers })).values).toEqual({
      status: 'grün',
    });
  });

  it('show bytes that are no text as replacement characters', () => {
    const bytes = Buffer.from('{"status":"gr\xfcn"}', 'latin1');
    expect(judge({ values: [named('status')] }, answer(bytes)).values).toEqual({
      status: 'gr\ufffdn',
    });
  });
});

describe('without a word on what a good answer is', () => {
  it.each([
    [200, 'ok'],
    [204, 'ok'],
    [399, 'ok'],
    [301, 'ok'],
    [199, 'critical'],
    [400, 'critical'],
    [503, 'critical'],
  ])('status %i is %s', (statusCode, status) => {
    expect(judge({}, answer('', { statusCode })).status).toBe(status);
  });

  it('a bound on the time alone still asks for a good status', () => {
    const fast: Assertion = { source: 'response_time', operator: 'lte', operand: 500 };
    expect(judge({ assertions: [fast] }, answer('', { statusCode: 500 })).reason).toBe(
      'http_status 500 not in 200-399',
    );
  });

  it('values that must be there still ask for a good status', () => {
    const verdict = judge({ values: [named('a')] }, answer('{"a":1}', { statusCode: 500 }));
    expect(verdict).toMatchObject({ code: 'http_status', values: { a: 1 } });
  });

  it('a success test alone decides, whatever the status', () => {
    expect(
      judge({ assertions: [json('equals', 'ok')] }, answer('{"v":"ok"}', { statusCode: 500 }))
        .status,
    ).toBe('ok');
  });
});

describe('values', () => {
  const extracted = (v: string) =>
    judge({ values: [named('v')] }, answer(`{"v":${v}}`)).values['v'];

  it('keep their JSON types, deep ones too', () => {
    expect(extracted('{"a":[1,null,true]}')).toEqual({ a: [1, null, true] });
  });

  it('are cut at 4 KiB of text, with a mark', () => {
    expect(extracted(JSON.stringify('x'.repeat(4096)))).toBe('x'.repeat(4096));
    expect(extracted(JSON.stringify('x'.repeat(4097)))).toBe(`${'x'.repeat(4095)}…`);
    expect(extracted(JSON.stringify(Array(3000).fill(1)))).toMatch(/^\[1,1,.{4000,4100}…$/);
  });

  it('are cut between characters', () => {
    expect(extracted(JSON.stringify('😀'.repeat(3000)))).not.toMatch(/\p{Cs}/u);
  });

  it('are JSON also where the body says 1e400', () => {
    expect(extracted('1e400')).toBe('Infinity');
  });

  it('nested too deep to be written again are told as such', () => {
    expect(extracted(`${'['.repeat(9_000)}${']'.repeat(9_000)}`)).toEqual(expect.any(String));
  });

  it('are there for those compared only, and absent for those that may be missing', () => {
    const verdict = judge(
      { assertions: [json('exists', false), json('equals', 1, { value: named('n') })] },
      answer('{"n":1}'),
    );
    expect(verdict).toEqual({ status: 'ok', code: null, reason: null, values: { n: 1 } });
  });
});

describe('a value that is listed', () => {
  it('must be there, even if a condition would do without it', () => {
    const parts = { values: [named('v')], assertions: [json('exists', false)] };
    expect(judge(parts, answer('{}')).reason).toBe('missing:v');
  });
});
