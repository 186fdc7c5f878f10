/** One assertion, compiled: what it compares, how, and what it says when it does not hold. */

import type { Assertion, JsonValue, Operator } from '../domain/check.ts';
import type { Answer } from '../domain/result.ts';
import { excerpt } from './excerpt.ts';
import { type Extraction, type Finding, jsonText } from './extraction.ts';
import { operandKind } from './operators.ts';
import { compilePattern } from './pattern.ts';

/** What an answer offers to its conditions. */
export interface Facts {
  readonly answer: Answer;
  /** The decoded body; empty when no condition asks for it. */
  readonly text: string;
  readonly found: readonly (JsonValue | undefined)[];
}

/** Null when the condition holds, or when its value is missing, which the extraction has reported. */
export type Condition = (facts: Facts) => Finding | null;

type Test = (value: JsonValue) => boolean;

const SHOWN_BYTES = 100;

/** The assertion must be one that operators.ts accepts; throws Error or PatternError else. */
export const compileCondition = (
  assertion: Assertion,
  extraction: Extraction | null,
): Condition => {
  const { source, operator } = assertion;
  if (!operandKind(source, operator)) throw new Error(`${source} has no operator "${operator}"`);
  const test = TESTS[operator](assertion);
  const name = assertion.value?.name ?? source;
  const subject = subjectOf(assertion, extraction);
  const unit = source === 'response_time' ? ' ms' : '';
  const code = source === 'http_status' ? 'http_status' : 'assertion';
  return (facts) => {
    const value = subject(facts);
    if (value === undefined || test(value)) return null;
    return { code, reason: `${name} ${complaint(assertion, value, unit)}` };
  };
};

const subjectOf = (
  { source, value }: Assertion,
  extraction: Extraction | null,
): ((facts: Facts) => JsonValue | undefined) => {
  switch (source) {
    case 'json': {
      if (!value || !extraction) throw new Error('a json assertion names a value');
      const index = extraction.indexOf(value);
      return ({ found }) => found[index];
    }
    case 'http_status':
      return ({ answer }) => answer.statusCode;
    case 'body':
      return ({ text }) => text;
    case 'response_time':
      return ({ answer }) => Math.ceil(answer.durationMs);
  }
};

const TESTS: Record<Operator, (assertion: Assertion) => Test> = {
  equals: ({ operand, strict }) => equalTo(operand, strict),
  not: ({ operand, strict }) => negate(equalTo(operand, strict)),
  in: (assertion) => {
    const items = assertion.operand as readonly JsonValue[];
    const tests = items.map((item) =>
      assertion.source === 'http_status' ? statusTest(item) : equalTo(item, assertion.strict),
    );
    return (value) => tests.some((test) => test(value));
  },
  matches: ({ operand }) => matcher(operand),
  not_matches: ({ operand }) => negate(matcher(operand)),
  lt: ({ operand }) => comparison(operand, (value, bound) => value < bound),
  lte: ({ operand }) => comparison(operand, (value, bound) => value <= bound),
  gt: ({ operand }) => comparison(operand, (value, bound) => value > bound),
  gte: ({ operand }) => comparison(operand, (value, bound) => value >= bound),
  exists: ({ operand }) => (operand === true ? () => true : () => false),
};

const negate =
  (test: Test): Test =>
  (value) =>
    !test(value);

const matcher = (operand: JsonValue): Test => {
  const pattern = compilePattern(String(operand));
  return (value) => pattern.test(textOf(value));
};

const comparison = (operand: JsonValue, holds: (value: number, bound: number) => boolean): Test => {
  const bound = Number(operand);
  return (value) => typeof value === 'number' && holds(value, bound);
};

const statusTest = (item: JsonValue): Test => {
  const hundreds = Number(String(item)[0]);
  return typeof item === 'number'
    ? (value) => value === item
    : (value) => Math.floor(Number(value) / 100) === hundreds;
};

/** By text unless `strict`, so that a file's `value: 1` is true of both 1 and "1". */
const equalTo = (operand: JsonValue, strict = false): Test => {
  if (typeof operand === 'object' && operand !== null)
    return (value) => sameJson(value, operand, strict);
  if (strict) return (value) => value === operand;
  const text = String(operand);
  return (value) => value === operand || (isScalar(value) && String(value) === text);
};

const isScalar = (value: JsonValue): value is null | boolean | number | string =>
  typeof value !== 'object' || value === null;

/** Recurses as deep as the operand, which a check file bounds, not as the value. */
const sameJson = (value: JsonValue, operand: JsonValue, strict: boolean): boolean => {
  if (isScalar(operand)) return equalTo(operand, strict)(value);
  if (isScalar(value) || Array.isArray(value) !== Array.isArray(operand)) return false;
  const keys = Object.keys(operand);
  const actual = value as { readonly [key: string]: JsonValue };
  const expected = operand as { readonly [key: string]: JsonValue };
  return (
    Object.keys(actual).length === keys.length &&
    keys.every(
      (key) =>
        Object.hasOwn(actual, key) && sameJson(actual[key] ?? null, expected[key] ?? null, strict),
    )
  );
};

const textOf = (value: JsonValue): string => (isScalar(value) ? String(value) : jsonText(value));

/** What a failed condition says between the value and the operand. */
const WORDS: Record<Exclude<Operator, 'exists'>, string> = {
  equals: 'is not',
  not: 'is',
  in: 'not in',
  matches: 'does not match',
  not_matches: 'matches',
  lt: 'not <',
  lte: 'not <=',
  gt: 'not >',
  gte: 'not >=',
};
const NUMERIC: ReadonlySet<Operator> = new Set(['lt', 'lte', 'gt', 'gte']);

const complaint = ({ operator, operand }: Assertion, value: JsonValue, unit: string): string => {
  if (operator === 'exists') return `${shown(value)} should not be there`;
  if (NUMERIC.has(operator) && typeof value !== 'number') return `${shown(value)} is not a number`;
  return `${shown(value)}${unit} ${WORDS[operator]} ${shown(operand)}${unit}`;
};

const shown = (value: JsonValue): string => {
  if (typeof value === 'string') return `"${excerpt(value, SHOWN_BYTES)}"`;
  if (Array.isArray(value)) return excerpt(`[${value.map(itemText).join(', ')}]`, SHOWN_BYTES);
  return excerpt(textOf(value), SHOWN_BYTES);
};

const itemText = (item: JsonValue): string => (typeof item === 'string' ? item : textOf(item));
