/** `response_json_values` and `success_test` → what is read from a response, and what must hold. */

import type { Assertion, JsonValue, Operator, ValueQuery } from '../domain/check.ts';
import { checkPath } from '../rules/jsonpath.ts';
import { assertionProblem } from '../rules/operators.ts';
import type { TestInput, ValueInput } from './check-schema.ts';
import { type Fault, nearest } from './issues.ts';
import type { Path } from './values.ts';

export type Tell = (fault: Fault) => void;

export const valueQueries = (
  given: readonly ValueInput[] | undefined,
  tell: Tell,
): readonly ValueQuery[] => {
  const queries = new Map<string, ValueQuery>();
  for (const [index, item] of (given ?? []).entries()) {
    const path = ['response_json_values', index];
    const named = typeof item === 'string' ? { [item]: item } : item;
    for (const [name, jsonPath] of Object.entries(named)) {
      pathFault(jsonPath, typeof item === 'string' ? path : [...path, name], tell);
      if (queries.has(name)) tell({ code: 'E403', path, message: `"${name}" is here twice` });
      queries.set(name, { name, path: jsonPath });
    }
  }
  return [...queries.values()];
};

const pathFault = (jsonPath: string, path: Path, tell: Tell): void => {
  const problem = checkPath(jsonPath);
  if (problem) tell({ code: 'E507', path, message: problem });
};

export const assertionsOf = (
  given: readonly TestInput[] | undefined,
  values: readonly ValueQuery[],
  tell: Tell,
): readonly Assertion[] => {
  if (!given) return [];
  if (given.length === 0)
    tell({ code: 'E508', path: ['success_test'], message: 'no test is given' });
  return given.flatMap((test, index) => {
    const path = ['success_test', index];
    checkTest(test, path, tell);
    const tests = [...onValue(test, values, path, tell), ...onResponse(test)];
    for (const { key, assertion } of tests) {
      const problem = assertionProblem(assertion);
      if (problem) tell({ code: 'E508', path: [...path, key], message: `${key} ${problem}` });
    }
    return tests.map(({ assertion }) => assertion);
  });
};

/** An assertion and the key that asks for it. */
interface Asked {
  readonly key: keyof TestInput;
  readonly assertion: Assertion;
}

const ON_VALUE = [
  'value',
  'equals',
  'not',
  'in',
  'matches',
  'not_matches',
  'lt',
  'lte',
  'gt',
  'gte',
  'exists',
] as const satisfies readonly (Operator | 'value')[];

const onValue = (
  test: TestInput,
  values: readonly ValueQuery[],
  path: Path,
  tell: Tell,
): readonly Asked[] => {
  if (test.key === undefined) return [];
  const listed = values.find(({ name }) => name === test.key);
  if (!listed) pathFault(test.key, [...path, 'key'], tell);
  const value = listed ?? { name: test.key, path: test.key };
  const strict = test.strict ? { strict: true } : {};
  return operands(test).map(([key, operand]) => {
    const operator = key === 'value' ? 'equals' : key;
    return { key, assertion: { source: 'json', value, operator, operand, ...strict } };
  });
};

type OperandKey = (typeof ON_VALUE)[number];

const operands = (test: TestInput): readonly (readonly [OperandKey, JsonValue])[] =>
  ON_VALUE.flatMap((key) => (test[key] === undefined ? [] : [[key, test[key] as JsonValue]]));

const onResponse = (test: TestInput): readonly Asked[] => {
  const { http_status: status, max_response_time: longest, body_match: pattern } = test;
  const asked: Asked[] = [];
  const add = (key: keyof TestInput, assertion: Assertion): void => {
    asked.push({ key, assertion });
  };
  if (status !== undefined)
    add('http_status', { source: 'http_status', operator: 'in', operand: status });
  if (longest !== undefined)
    add('max_response_time', { source: 'response_time', operator: 'lte', operand: longest });
  if (pattern !== undefined) {
    const operator = test.invert ? 'not_matches' : 'matches';
    add('body_match', { source: 'body', operator, operand: pattern });
  }
  return asked;
};

const checkTest = (test: TestInput, path: Path, tell: Tell): void => {
  const faults = contradictions(test);
  for (const message of faults) tell({ code: 'E510', path, message });
  const isEmpty = operands(test).length + onResponse(test).length === 0;
  if (isEmpty && faults.length === 0) tell({ code: 'E508', path, message: nothingTested(test) });
};

const contradictions = (test: TestInput): readonly string[] => {
  const found: string[] = [];
  const compares = operands(test).length > 0;
  if (compares && test.key === undefined) found.push('"key" is missing: which value is compared?');
  if (test.value !== undefined && test.equals !== undefined)
    found.push('value is equals: give one');
  if (test.invert !== undefined && test.body_match === undefined)
    found.push('invert needs body_match');
  if (test.strict !== undefined && test.key === undefined) found.push('strict needs a key');
  return found;
};

const nothingTested = ({ key }: TestInput): string =>
  key === undefined
    ? 'nothing is tested'
    : `nothing is asked of "${key}": give value, not, in, matches, lt, lte, gt, gte or exists`;

/** For a placeholder that no value fills. */
export const placeholderHint = (name: string, values: readonly ValueQuery[]): string => {
  const known = values.map((value) => value.name);
  const near = nearest(name, known);
  if (near) return `did you mean {${near}}?`;
  return known.length > 0
    ? `response_json_values has ${known.join(', ')}; {{${name}}} is the plain text`
    : `add ${name} to response_json_values; {{${name}}} is the plain text`;
};
