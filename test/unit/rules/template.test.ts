import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/shared/domain/check.ts';
import { compileTemplate, type Fields } from '../../../src/shared/rules/template.ts';

const VALUES: Readonly<Record<string, JsonValue>> = {
  status: 'ok',
  n: 5,
  none: null,
  ready: false,
  list: [1, 'a'],
  map: { a: { b: 1 } },
  'a.b[0]': 'deep',
  nested: '{status} {{ }}',
};

const fields: Fields = (name) => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined);
const filled = (body: JsonValue, gaps: 'fill' | 'drop' = 'fill') =>
  compileTemplate(body, { gaps })(fields);

describe('a template', () => {
  it.each<[JsonValue, JsonValue]>([
    ['{status}', 'ok'],
    ['{n}', 5],
    ['{none}', null],
    ['{ready}', false],
    ['{list}', [1, 'a']],
    ['{map}', { a: { b: 1 } }],
    ['{a.b[0]}', 'deep'],
  ])('keeps the type of a value that stands alone: %j', (body, value) => {
    expect(filled(body)).toEqual(value);
  });

  it.each([
    ['status:{status}', 'status:ok'],
    ['{n}%', '5%'],
    ['{none} {ready}', 'null false'],
    ['{list} {map}', '[1,"a"] {"a":{"b":1}}'],
    ['{status}{n}', 'ok5'],
  ])('writes values into a text: %j', (body, text) => {
    expect(filled(body)).toBe(text);
  });

  it.each([
    ['{{status}}', '{status}'],
    ['{{{status}}}', '{ok}'],
    ['${env:KEY} {status}', '${env:KEY} ok'],
    ['${status}', '${status}'],
    ['{ status } {} { {1a}', '{ status } {} { {1a}'],
    ['', ''],
  ])('leaves braces that are no placeholder: %j', (body, text) => {
    expect(filled(body)).toBe(text);
  });

  it('looks at no value twice', () => {
    expect(filled('{nested}')).toBe('{status} {{ }}');
    expect(filled('a {nested} {status}')).toBe('a {status} {{ }} ok');
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'finds nothing that the response did not say: {%s}',
    (name) => {
      expect(filled({ alone: `{${name}}`, text: `a{${name}}` })).toEqual({ text: 'a' });
    },
  );

  it('drops what has no value from lists, and keys that would hold nothing else', () => {
    const body = { alone: '{gone}', text: 'app {gone}', tags: ['a:{gone}', '{gone}', 'b:{n}'] };
    expect(filled(body)).toStrictEqual({ text: 'app ', tags: ['b:5'] });
    expect(filled(body, 'drop')).toStrictEqual({ tags: ['b:5'] });
    expect(filled([[{ a: '{gone}', b: 'x{gone}' }]])).toStrictEqual([[{ b: 'x' }]]);
    expect(filled('{gone}')).toBeNull();
  });

  it.each([
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NaN, 'NaN'],
    [-0, -0],
    [2 ** 53, 2 ** 53],
  ])('turns %d into what JSON can say', (value, said) => {
    expect(compileTemplate('{x}')(() => value)).toBe(said);
    expect(compileTemplate('x={x}')(() => value)).toBe(`x=${value}`);
  });

  it('is the same frozen value each time where nothing is to be filled in', () => {
    const template = compileTemplate({ a: [1, { b: 'x {{y}}' }], c: null });
    const value = template(fields) as { readonly a: readonly object[] };
    expect(value).toEqual({ a: [1, { b: 'x {y}' }], c: null });
    expect(template(fields)).toBe(value);
    expect([value, value.a, value.a[1]].every(Object.isFrozen)).toBe(true);
  });

  it('shares its fixed parts between runs, frozen, and nothing else', () => {
    const template = compileTemplate({ fixed: ['x'], list: ['{n}'] });
    const [first, second] = [template(fields), template(fields)] as Record<string, object>[];
    expect(first?.['fixed']).toBe(second?.['fixed']);
    expect(Object.isFrozen(first?.['fixed'])).toBe(true);
    expect(first?.['list']).not.toBe(second?.['list']);
  });

  it('takes "__proto__" for a key like any other', () => {
    const body = JSON.parse('{"__proto__": "{n}", "a": {"__proto__": 1}}');
    const value = filled(body) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(JSON.stringify(value)).toBe('{"__proto__":5,"a":{"__proto__":1}}');
  });

  it('repeats any JSON without braces', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!/[{}]/.test(JSON.stringify(texts(value))));
        expect(filled(value as JsonValue)).toEqual(value);
      }),
    );
  });
});

const texts = (value: unknown): readonly unknown[] => {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? [value] : [];
  return Object.values(value).flatMap(texts);
};
