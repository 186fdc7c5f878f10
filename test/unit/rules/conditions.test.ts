import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type {
  Assertion,
  AssertionSource,
  JsonValue,
  Operator,
} from '../../../src/shared/domain/check.ts';
import type { Answer } from '../../../src/shared/domain/result.ts';
import { compileJudge } from '../../../src/shared/rules/assertions.ts';
import { assertionProblem, OPERATORS, operandKind } from '../../../src/shared/rules/operators.ts';
import { answer, body, json, judge, named, reasonOf, spec } from './judging.ts';

describe('a success test', () => {
  it.each<[JsonValue, JsonValue, loose: boolean, strict: boolean]>([
    ['ok', 'ok', true, true],
    [1, 1, true, true],
    [1, '1', true, false],
    ['1', 1, true, false],
    [true, true, true, true],
    [true, 'true', true, false],
    [null, null, true, true],
    [null, 'null', true, false],
    ['ok', 'OK', false, false],
    [1, 1.5, false, false],
    [0, false, false, false],
    ['', null, false, false],
    [['a', 1], ['a', '1'], true, false],
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true, true],
    [{ a: 1 }, { a: 1, b: 2 }, false, false],
    [{ a: null }, { b: 1 }, false, false],
    [[], {}, false, false],
    ['[object Object]', {}, false, false],
    [{}, '[object Object]', false, false],
    [['a'], 'a', false, false],
  ])('of %j against %j: by text %s, strictly %s', (operand, value, loose, strict) => {
    expect(judge({ assertions: [json('equals', operand)] }, body(value)).status).toBe(
      loose ? 'ok' : 'critical',
    );
    expect(judge({ assertions: [json('not', operand)] }, body(value)).status).toBe(
      loose ? 'critical' : 'ok',
    );
    expect(
      judge({ assertions: [json('equals', operand, { strict: true })] }, body(value)).status,
    ).toBe(strict ? 'ok' : 'critical');
  });
});

describe('the reason says what was found', () => {
  it.each<[Assertion, Answer, string]>([
    [json('lt', 200), body(250), 'v 250 not < 200'],
    [json('lt', 200), body('250'), 'v "250" is not a number'],
    [json('lt', 200), body('100'), 'v "100" is not a number'],
    [json('gte', 3), body(2.5), 'v 2.5 not >= 3'],
    [json('equals', 'ok'), body('bad'), 'v "bad" is not "ok"'],
    [json('equals', 1, { strict: true }), body('1'), 'v "1" is not 1'],
    [json('not', 'bad'), body('bad'), 'v "bad" is "bad"'],
    [json('in', ['a', 'b']), body('c'), 'v "c" not in [a, b]'],
    [json('matches', '^o'), body('bad'), 'v "bad" does not match "^o"'],
    [json('not_matches', 'a'), body('bad'), 'v "bad" matches "a"'],
    [json('exists', false), body('here'), 'v "here" should not be there'],
    [json('exists', true), answer('{}'), 'missing:v'],
    [json('equals', 'ok'), answer('{}'), 'missing:v'],
    [
      { source: 'http_status', operator: 'in', operand: [200, 201] },
      answer('', { statusCode: 500 }),
      'http_status 500 not in [200, 201]',
    ],
    [
      { source: 'http_status', operator: 'in', operand: ['2xx', 301] },
      answer('', { statusCode: 302 }),
      'http_status 302 not in [2xx, 301]',
    ],
    [
      { source: 'response_time', operator: 'lte', operand: 500 },
      answer('', { durationMs: 811.2 }),
      'response_time 812 ms not <= 500 ms',
    ],
    [
      { source: 'body', operator: 'matches', operand: 'ready' },
      answer('starting\u0007\n'),
      'body "starting\\u{7}\\u{a}" does not match "ready"',
    ],
    [
      { source: 'body', operator: 'not_matches', operand: 'error' },
      answer('an error'),
      'body "an error" matches "error"',
    ],
  ])('%j', (assertion, given, reason) => {
    expect(reasonOf(assertion, given)).toBe(reason);
  });

  it('for each condition that does not hold, with the code of the first', () => {
    const verdict = judge(
      {
        values: [named('app')],
        assertions: [
          json('equals', 'ok'),
          { source: 'http_status', operator: 'in', operand: [200] },
          { source: 'response_time', operator: 'lte', operand: 5 },
        ],
      },
      answer('{"v":"bad"}', { statusCode: 503 }),
    );
    expect(verdict).toEqual({
      status: 'critical',
      code: 'http_status',
      reason:
        'http_status 503 not in [200]; missing:app; v "bad" is not "ok"; response_time 10 ms not <= 5 ms',
      values: { v: 'bad' },
    });
  });

  it('in few bytes, whatever the target sent', () => {
    const long = reasonOf(json('equals', 'ok'), body('é'.repeat(5000)));
    expect(Buffer.byteLength(long ?? '')).toBeLessThan(150);
    expect(reasonOf(json('equals', 'ok'), body('\u202e\u0000'))).toBe(
      'v "\\u{202e}\\u{0}" is not "ok"',
    );
  });
});

describe('the table of operators', () => {
  const OPERANDS = {
    value: { good: ['ok', 1, null, [1]], bad: [] },
    values: { good: [['a', 1]], bad: ['a', [], 1] },
    pattern: { good: ['o.*k'], bad: [1, '(', '(a)\\1'] },
    number: { good: [5, -0.5], bad: ['5', null, Number.NaN, Number.POSITIVE_INFINITY] },
    milliseconds: { good: [5], bad: [0, -1, '5s', Number.NaN] },
    boolean: { good: [true, false], bad: ['true', 1] },
    statuses: { good: [[200, '3xx']], bad: [200, [], [99], [600], ['6xx'], ['2XX'], [200.5]] },
  } as const;
  const sources = Object.keys(OPERATORS) as AssertionSource[];
  const operators = Object.keys(OPERATORS.json) as Operator[];
  const pairs = sources.flatMap((source) =>
    operators.map((operator): [AssertionSource, Operator] => [source, operator]),
  );
  const make = (source: AssertionSource, operator: Operator, operand: JsonValue): Assertion =>
    source === 'json' ? json(operator, operand) : { source, operator, operand };
  const manual = readFileSync(new URL('../../../docs/assertions.md', import.meta.url), 'utf8');

  it.each(pairs)('agrees with check, judge and manual on %s %s', (source, operator) => {
    const kind = operandKind(source, operator);
    const row = `| \`${source}\` | \`${operator}\` |`;
    expect(manual.includes(row)).toBe(kind !== undefined);
    if (kind === undefined) {
      expect(assertionProblem(make(source, operator, 1))).toContain(`has no "${operator}"`);
      expect(() => compileJudge(spec({ assertions: [make(source, operator, 1)] }))).toThrow(
        operator,
      );
      return;
    }
    for (const operand of OPERANDS[kind].good) {
      const assertion = make(source, operator, operand);
      expect(assertionProblem(assertion)).toBeNull();
      expect(judge({ assertions: [assertion] }, body(5)).status).toMatch(/ok|critical/);
    }
    for (const operand of OPERANDS[kind].bad) {
      expect(assertionProblem(make(source, operator, operand as JsonValue))).toEqual(
        expect.any(String),
      );
    }
  });

  it.each<[Assertion, good: Answer, bad: Answer]>([
    [json('in', ['a', 1]), body('1'), body('b')],
    [json('in', ['1'], { strict: true }), body('1'), body(1)],
    [json('matches', 'o.*k'), body('xoyk'), body('no')],
    [json('matches', '"a":1'), body({ a: 1 }), body({ a: 2 })],
    [json('not_matches', 'err'), body('fine'), body('error')],
    [json('lt', 5), body(4), body(5)],
    [json('lte', 5), body(5), body(6)],
    [json('gt', 5), body(6), body(5)],
    [json('gte', 5), body(5), body(4)],
    [json('exists', true), body(null), answer('{}')],
    [json('exists', false), answer('{}'), body(null)],
    [
      { source: 'http_status', operator: 'in', operand: ['5xx'] },
      answer('', { statusCode: 503 }),
      answer(''),
    ],
    [{ source: 'body', operator: 'matches', operand: '^a' }, answer('ab'), answer('ba')],
    [{ source: 'body', operator: 'not_matches', operand: '^a' }, answer('ba'), answer('ab')],
    [
      { source: 'response_time', operator: 'lte', operand: 500 },
      answer('', { durationMs: 500 }),
      answer('', { durationMs: 500.1 }),
    ],
  ])('tells good from bad: %j', (assertion, good, bad) => {
    expect(judge({ assertions: [assertion] }, good).status).toBe('ok');
    expect(judge({ assertions: [assertion] }, bad).status).toBe('critical');
  });
});
