import { describe, expect, it } from 'vitest';
import { compilePattern, PatternError } from '../../../src/shared/rules/pattern.ts';

describe('a pattern', () => {
  it.each([
    ['status.*ok', '{"status": "ok"}', true],
    ['^ok$', 'not ok', false],
    ['(?i)READY', 'ready', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['a.c', 'a\nc', false],
    ['(?s)a.c', 'a\nc', true],
    ['\\p{Greek}', 'λ', true],
    ['', 'anything', true],
  ])('%j on %j: %s', (pattern, text, found) => {
    expect(compilePattern(pattern).test(text)).toBe(found);
  });

  it('takes linear time where a backtracking engine would take for ever', () => {
    expect(compilePattern('(a+)+$').test(`${'a'.repeat(100_000)}!`)).toBe(false);
    expect(compilePattern('(x?){50}x{50}').test('x'.repeat(50))).toBe(true);
  });

  it.each([
    ['(a)\\1', 'backreferences'],
    ['(?<n>a)\\k<n>', 'backreferences'],
    ['a(?=b)', 'lookahead'],
    ['a(?!b)', 'lookahead'],
    ['(?<=a)b', 'lookbehind'],
    ['(?<!a)b', 'lookbehind'],
    ['(?>a)', 'atomic groups'],
    ['a++', 'possessive repetition'],
    ['a(b', 'missing'],
    ['[a', 'missing closing ]'],
    ['*a', 'repetition'],
    ['a{2,1}', 'repeat count'],
    ['((x{1000}){1000}){1000}', 'repeat count'],
    ['a'.repeat(1025), 'at most 1024'],
  ])('is refused with the reason: %s', (pattern, reason) => {
    expect(() => compilePattern(pattern)).toThrow(PatternError);
    expect(() => compilePattern(pattern)).toThrow(reason);
  });
});
