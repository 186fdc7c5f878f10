/**
 * The grammar of assertions: which source knows which operators, and what each operator takes.
 * The one table: the evaluator, the configuration's check and docs/assertions.md follow from it.
 */

import type { Assertion, AssertionSource, JsonValue, Operator } from '../domain/check.ts';
import { compilePattern, PatternError } from './pattern.ts';

export type OperandKind =
  | 'value'
  | 'values'
  | 'pattern'
  | 'number'
  | 'milliseconds'
  | 'boolean'
  | 'statuses';

/** Source -> operator -> the kind of its operand. */
export const OPERATORS = {
  json: {
    equals: 'value',
    not: 'value',
    in: 'values',
    matches: 'pattern',
    not_matches: 'pattern',
    lt: 'number',
    lte: 'number',
    gt: 'number',
    gte: 'number',
    exists: 'boolean',
  },
  http_status: { in: 'statuses' },
  body: { matches: 'pattern', not_matches: 'pattern' },
  response_time: { lte: 'milliseconds' },
} as const satisfies Record<AssertionSource, Partial<Record<Operator, OperandKind>>>;

const table: Record<AssertionSource, Partial<Record<Operator, OperandKind>>> = OPERATORS;

export const operandKind = (source: AssertionSource, operator: Operator): OperandKind | undefined =>
  table[source][operator];

/** What is wrong with an assertion's operator and operand; null when nothing is. */
export const assertionProblem = ({ source, operator, operand }: Assertion): string | null => {
  const kind = operandKind(source, operator);
  if (!kind)
    return `${source} has no "${operator}"; it has ${Object.keys(table[source]).join(', ')}`;
  return operandProblem(kind, operand);
};

export const operandProblem = (kind: OperandKind, operand: JsonValue): string | null =>
  CHECKS[kind](operand);

/** A class of HTTP statuses such as "2xx". */
const STATUS_CLASS = /^[1-5]xx$/;

const isStatus = (item: JsonValue): boolean =>
  typeof item === 'number'
    ? Number.isInteger(item) && item >= 100 && item <= 599
    : typeof item === 'string' && STATUS_CLASS.test(item);

const unless = (fine: boolean, expected: string): string | null =>
  fine ? null : `must be ${expected}`;

const CHECKS: Record<OperandKind, (operand: JsonValue) => string | null> = {
  value: () => null,
  values: (operand) => unless(Array.isArray(operand) && operand.length > 0, 'a list of values'),
  pattern: (operand) =>
    typeof operand === 'string' ? patternProblem(operand) : 'must be a pattern (text)',
  number: (operand) => unless(Number.isFinite(operand), 'a number'),
  milliseconds: (operand) =>
    unless(typeof operand === 'number' && operand > 0 && operand < Infinity, 'a duration above 0'),
  boolean: (operand) => unless(typeof operand === 'boolean', 'true or false'),
  statuses: (operand) =>
    unless(
      Array.isArray(operand) && operand.length > 0 && operand.every(isStatus),
      'a list of HTTP statuses (100 to 599) or classes ("2xx")',
    ),
};

const patternProblem = (text: string): string | null => {
  try {
    compilePattern(text);
    return null;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
};
