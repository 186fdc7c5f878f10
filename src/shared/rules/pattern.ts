/**
 * Patterns that check files match against responses. RE2's syntax, matched in linear time, since
 * one `(a+)+$` on a hostile body would otherwise stop every check. The only importer of re2js.
 */

import { RE2JS, RE2JSSyntaxException } from 're2js';

export interface Pattern {
  /** Whether the pattern is found anywhere in the text. */
  test(text: string): boolean;
}

/** What is wrong with a pattern, in one line for whoever wrote it. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const MAX_LENGTH = 1024;
/** What other engines have and a linear-time one cannot: named, as RE2 only says "invalid". */
const UNSUPPORTED: readonly (readonly [RegExp, string])[] = [
  [/^\\(?:[1-9]|k)/, 'backreferences'],
  [/^\(\?<?[=!]/, 'lookahead and lookbehind'],
  [/^\(\?>/, 'atomic groups'],
  [/^[*+?}]\+/, 'possessive repetition'],
];

/** Throws PatternError. */
export const compilePattern = (text: string): Pattern => {
  if (text.length > MAX_LENGTH)
    throw new PatternError(`a pattern has at most ${MAX_LENGTH} characters`);
  try {
    return RE2JS.compile(text);
  } catch (error) {
    if (error instanceof RE2JSSyntaxException)
      throw new PatternError(explain(error), { cause: error });
    throw error;
  }
};

const explain = (error: RE2JSSyntaxException): string => {
  const where = error.getPattern() ?? '';
  const [, feature] = UNSUPPORTED.find(([syntax]) => syntax.test(where)) ?? [];
  return feature
    ? `"${where}": ${feature} cannot be matched in linear time and are not supported (RE2 syntax)`
    : `"${where}": ${error.getDescription()} (RE2 syntax)`;
};
