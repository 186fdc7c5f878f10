import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/shared/domain/check.ts';
import { checkPath, compilePath, hasDescent } from '../../../src/shared/rules/jsonpath.ts';

const BODY: JsonValue = {
  status: 'ok',
  db: [{ s: 1 }, { s: 2 }, { s: 3 }],
  'a b': { 'c.d': 5, "it's": 7 },
  list: ['ab', 'cd'],
  none: null,
  zero: 0,
  constructor: 9,
};
const read = (path: string, body: JsonValue = BODY) => compilePath(path)(body);

describe('a definite path yields the value', () => {
  it.each<[string, JsonValue]>([
    ['status', 'ok'],
    ['$.status', 'ok'],
    ["$['status']", 'ok'],
    ['$["status"]', 'ok'],
    ['db[0].s', 1],
    ['$.db[2].s', 3],
    ['$.db[-1].s', 3],
    ["$['a b']['c.d']", 5],
    ["$['a b']['it\\'s']", 7],
    ['$["a b"]["it\'s"]', 7],
    ['none', null],
    ['zero', 0],
    ['list.length', 2],
    ['status.length', 2],
    ['list.1', 'cd'],
    ['constructor', 9],
    ['$', BODY],
  ])('%s', (path, value) => {
    expect(checkPath(path)).toBeNull();
    expect(read(path)).toEqual(value);
  });
});

describe('an indefinite path yields the array of its matches', () => {
  it.each<[string, JsonValue]>([
    ['db[*].s', [1, 2, 3]],
    ['$..s', [1, 2, 3]],
    ['$.db[0:2].s', [1, 2]],
    ['$.db[-2:].s', [2, 3]],
    ['$.db[::2].s', [1, 3]],
    ['$.db[0,2].s', [1, 3]],
    ['$.db[0,-1].s', [1, 3]],
    ["$['status','zero']", ['ok', 0]],
    ['$..db[-1].s', [3]],
    ['$..db[-2].s', [2]],
    ['$..[0].s', [1]],
    ['list[*]', ['ab', 'cd']],
    ['$.list.*', ['ab', 'cd']],
  ])('%s', (path, values) => {
    expect(checkPath(path)).toBeNull();
    expect(read(path)).toEqual(values);
  });
});

describe('a path that leads nowhere yields undefined', () => {
  it.each([
    'absent',
    'status.x',
    'status[0]',
    'none.x',
    'zero.x.y',
    'db[3]',
    'db[-4]',
    'db[999999999]',
    'db.s',
    'status[-1]',
    'toString',
    'hasOwnProperty',
    'db.push',
    '$.list[*][0]',
    '$..absent',
    '$.db[*].t',
    '$.db[7:]',
  ])('%s', (path) => {
    expect(checkPath(path)).toBeNull();
    expect(read(path)).toBeUndefined();
  });

  it.each<JsonValue>([null, 0, '', 'text', true, [], {}])('in a body that is %j', (body) => {
    for (const path of ['a', 'a.b', '[0]'.replace('[', '$['), '$..a', '$.*.a'])
      expect(read(path, body)).toBeUndefined();
  });

  it('in a body nested 10,000 deep', () => {
    const deep = JSON.parse(`${'[['.repeat(10_000)}${']]'.repeat(10_000)}`) as JsonValue;
    expect(read('$..a', deep)).toBeUndefined();
    expect(read('$[0][0][0].a', deep)).toBeUndefined();
  });
});

describe('what is refused', () => {
  it.each([
    ['', 'a member name or $'],
    ['$.', 'a member name'],
    ['$.a.', 'a member name'],
    ['.a', 'a member name or $'],
    ['$.a[', 'an index, a quoted name or *'],
    ['$.a[]', 'an index, a quoted name or *'],
    ['$.a[1', 'an index'],
    ['$.a[01]', 'an index'],
    ['$.a[b]', 'an index, a quoted name or *'],
    ["$.a['b]", 'an index, a quoted name or *'],
    ['$.a[0', 'expected'],
    ['$.a[1:2:3:4]', 'expected'],
    ['a b', '"." or "["'],
    ['$.a]', '"." or "["'],
    ['$..', 'a member name'],
    ['$..a..b', 'more than one ".."'],
    ['$.a[?(@.b)]', 'filters and scripts'],
    ['$[?(@.constructor.constructor("return process")())]', 'filters and scripts'],
    ['$.a[(@.length-1)]', 'filters and scripts'],
    ['$.a@number()', 'filters and scripts'],
    ['$.a^', 'operator "^"'],
    ['$.a~', 'operator "~"'],
    ['$.`a', 'operator "`"'],
    ['__proto__', '__proto__'],
    ["$..['__proto__'].x", '__proto__'],
    ["$..['a;b']", 'the name "a;b"'],
    ["$.*['*']", 'the name "*"'],
    ['a'.repeat(1025), 'at most 1024'],
  ])('%s', (path, message) => {
    expect(checkPath(path)).toContain(message);
    expect(() => compilePath(path)).toThrow(message);
  });

  it('is told without a throw, whatever the text', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'ab0-9.$[]*:,\'"\\?()@^~` '),
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, fc.jsonValue(), (path, body) => {
        if (checkPath(path) === null) expect(() => read(path, body as JsonValue)).not.toThrow();
        else expect(() => compilePath(path)).toThrow();
      }),
      { numRuns: 2000 },
    );
  });
});

describe('limits', () => {
  it('tells which paths visit the whole body', () => {
    expect(hasDescent('$..a')).toBe(true);
    expect(hasDescent('$.a[*].b')).toBe(false);
  });

  it('yields the first 1,000 matches', () => {
    const items = Array.from({ length: 1500 }, (_, n) => n);
    expect(read('$[*]', items)).toEqual(items.slice(0, 1000));
  });
});

describe('the library under the indefinite paths', () => {
  type Step = string | number | '*' | '..';
  const names = ['a', 'b', 'c d', 'e.f', 'length'];

  /** A second reading of the same steps: plain recursion over the definition. */
  const matches = (value: JsonValue, [step, ...rest]: readonly Step[]): JsonValue[] => {
    if (step === undefined) return [value];
    const children = typeof value === 'object' && value !== null ? Object.values(value) : [];
    if (step === '..') {
      const below = children.filter((child) => typeof child === 'object' && child !== null);
      return [
        ...matches(value, rest),
        ...below.flatMap((child) => matches(child, [step, ...rest])),
      ];
    }
    if (step === '*') return children.flatMap((child) => matches(child, rest));
    const child = compilePath(typeof step === 'number' ? `$[${step}]` : `$['${step}']`)(value);
    return child === undefined ? [] : matches(child, rest);
  };

  const text = (steps: readonly Step[]): string =>
    `$${steps.map((step) => (step === '..' ? step : `[${typeof step === 'number' || step === '*' ? step : `'${step}'`}]`)).join('')}`;

  const plainStep = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom(0, 1, -1, -2),
    fc.constant('*'),
  );
  const paths = fc
    .tuple(
      fc.array(plainStep, { maxLength: 3 }),
      fc.boolean(),
      fc.array(plainStep, { minLength: 1, maxLength: 3 }),
    )
    .map(([head, descent, tail]): Step[] => [...head, ...(descent ? ['..'] : []), ...tail])
    .filter((steps) => steps.includes('*') || steps.includes('..'));
  const { body } = fc.letrec<{ body: JsonValue }>((tie) => ({
    body: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<JsonValue>(0, 'xy', true, null),
      fc.array(tie('body'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names.slice(0, 4)), tie('body'), { maxKeys: 4 }),
    ),
  }));

  it('finds what the definition says, in document order', () => {
    fc.assert(
      fc.property(paths, fc.array(body, { maxLength: 3 }), (steps, value) => {
        const found = matches(value, steps);
        expect(read(text(steps), value)).toEqual(found.length > 0 ? found : undefined);
      }),
      { numRuns: 3000 },
    );
  });
});
