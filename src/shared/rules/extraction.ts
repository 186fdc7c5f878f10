/** The values that a check names, read from a response: answer → **values** → conditions. */

import type { CheckSpec, JsonValue, ValueQuery } from '../domain/check.ts';
import type { ReasonCode } from '../domain/reasons.ts';
import type { Answer } from '../domain/result.ts';
import { excerpt } from './excerpt.ts';
import { parseJson } from './json-body.ts';
import { compilePath, DESCENT_BODY_BYTES, hasDescent, type PathReader } from './jsonpath.ts';

/** One thing that is wrong with a response. */
export interface Finding {
  readonly code: ReasonCode;
  readonly reason: string;
}

export interface Extracted {
  /** In the order of the extraction's queries; undefined where the body lacks it. */
  readonly found: readonly (JsonValue | undefined)[];
  /** By name, each cut to MAX_VALUE_LENGTH, for results and posts. */
  readonly values: Readonly<Record<string, JsonValue>>;
  readonly finding: Finding | null;
}

export interface Extraction {
  /** Index in `found` of the value that an assertion speaks of. */
  indexOf(query: ValueQuery): number;
  read(answer: Answer, text: string): Extracted;
}

interface Query {
  readonly name: string;
  readonly path: string;
  readonly read: PathReader;
  readonly required: boolean;
}

const MAX_VALUE_LENGTH = 4096;
const EXCERPT_BYTES = 200;

/** Null when the check asks for no value, so that its bodies need not be JSON. */
export const compileExtraction = (spec: CheckSpec): Extraction | null => {
  const queries = queriesOf(spec);
  if (queries.length === 0) return null;
  const descends = queries.some(({ path }) => hasDescent(path));
  return {
    indexOf: (query) =>
      queries.findIndex(({ name, path }) => name === query.name && path === query.path),
    read: (answer, text) => {
      if (answer.oversize) return without('oversize', 'the body is longer than 1 MiB');
      if (descends && answer.body.length > DESCENT_BODY_BYTES) {
        return without('oversize', 'a path with ".." is followed in bodies up to 128 KiB');
      }
      const json = parseJson(text);
      return json === undefined ? without('not_json', describe(text)) : collect(queries, json);
    },
  };
};

/** Each distinct query once. What is listed must be there, and what is compared, too. */
const queriesOf = ({ values, assertions }: CheckSpec): readonly Query[] => {
  const queries = new Map<string, Query>();
  const add = ({ name, path }: ValueQuery, required: boolean): void => {
    const key = `${name}\n${path}`;
    const known = queries.get(key);
    queries.set(key, {
      name,
      path,
      read: known?.read ?? compilePath(path),
      required: required || known?.required === true,
    });
  };
  for (const query of values) add(query, true);
  for (const { value, operator, operand } of assertions) {
    if (value) add(value, !(operator === 'exists' && operand === false));
  }
  return [...queries.values()];
};

const collect = (queries: readonly Query[], json: JsonValue): Extracted => {
  const found: (JsonValue | undefined)[] = [];
  const values: Record<string, JsonValue> = {};
  let missing = '';
  for (const { name, read, required } of queries) {
    const value = read(json);
    found.push(value);
    if (value !== undefined) values[name] = bounded(value);
    else if (required) missing += missing === '' ? `missing:${name}` : `, missing:${name}`;
  }
  return { found, values, finding: missing === '' ? null : { code: 'missing', reason: missing } };
};

const without = (code: ReasonCode, why: string): Extracted => ({
  found: [],
  values: {},
  finding: { code, reason: `${code}: ${why}` },
});

const describe = (text: string): string =>
  text.trim() === '' ? 'the body is empty' : excerpt(text, EXCERPT_BYTES);

/** Results are kept and sent on: a value stays within bounds, and is always JSON. */
const bounded = (value: JsonValue): JsonValue => {
  if (typeof value === 'string') return value.length > MAX_VALUE_LENGTH ? cut(value) : value;
  // 1e400 is valid JSON and parses to Infinity, which JSON cannot say.
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value !== 'object' || value === null) return value;
  const text = jsonText(value);
  return text.length > MAX_VALUE_LENGTH ? cut(text) : value;
};

const cut = (text: string): string => `${text.slice(0, MAX_VALUE_LENGTH - 1).toWellFormed()}…`;

/** JSON.stringify recurses: a value nested thousands deep ends in a full stack. */
export const jsonText = (value: JsonValue): string => {
  try {
    return JSON.stringify(value);
  } catch {
    return 'a value nested too deep to show'.padEnd(MAX_VALUE_LENGTH + 1, '.');
  }
};
