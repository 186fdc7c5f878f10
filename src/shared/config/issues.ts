/** zod's issues → **problems** in the words of a check file, with the nearest known key. */

import type { z } from 'zod';
import { kindOf } from './canonical.ts';
import type { Code } from './diagnostics.ts';
import type { Path } from './values.ts';

export interface Fault {
  readonly code: Code;
  readonly path: Path;
  /** The problem is the key at the end of the path, not its value. */
  readonly atKey?: boolean;
  readonly message: string;
  readonly hint?: string | undefined;
}

type Issue = z.core.$ZodIssue;

/** `value` is what was parsed, for its kind and for the keys that are there. */
export const faultsOf = (
  issues: readonly Issue[],
  { value, schema, path = [] }: { value: unknown; schema: z.ZodType; path?: Path },
): readonly Fault[] =>
  issues.flatMap((issue) => fault(issue, { value, schema, path: [...path, ...issue.path] }, path));

interface Context {
  readonly value: unknown;
  readonly schema: z.ZodType;
  readonly path: Path;
}

const fault = (issue: Issue, context: Context, base: Path): readonly Fault[] => {
  const { path } = context;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, context, base));
    case 'invalid_union':
      return union(issue, context, base);
    default:
      return [{ ...missingOrWrong(issue, context, base), path }];
  }
};

/** Of a union's branches the one that the value was meant for, when that is clear. */
const union = (
  issue: Extract<Issue, { code: 'invalid_union' }>,
  context: Context,
  base: Path,
): readonly Fault[] => {
  const meant = issue.errors.filter((errors) =>
    errors.every(({ path }) => path.length > 0 || isInside(errors)),
  );
  const [branch] = meant;
  if (issue.message === GENERIC && meant.length === 1 && branch) {
    return branch.flatMap((inner) =>
      fault(inner, { ...context, path: [...context.path, ...inner.path] }, base),
    );
  }
  return [{ ...missingOrWrong(issue, context, base), path: context.path }];
};

const GENERIC = 'Invalid input';

/** An unknown key is a complaint about what is inside, not about the kind of the value. */
const isInside = (errors: readonly Issue[]): boolean =>
  errors.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');

const missingOrWrong = (
  issue: Issue,
  { value, path }: Context,
  base: Path,
): Pick<Fault, 'code' | 'message'> => {
  const found = at(value, path.slice(base.length));
  if (found === undefined) return { code: 'E503', message: `"${String(path.at(-1))}" is missing` };
  const expected = issue.message.startsWith(GENERIC) ? expectation(issue) : issue.message;
  return { code: 'E502', message: `${named(path)} ${expected}, not ${shown(found)}` };
};

const named = (path: Path): string => {
  const key = path.findLast((step) => typeof step === 'string');
  return key === undefined ? 'this' : String(key);
};

const expectation = (issue: Issue): string => {
  const expected = 'expected' in issue ? String(issue.expected) : '';
  const kinds: Readonly<Record<string, string>> = {
    object: 'a map',
    record: 'a map',
    array: 'a list',
    string: 'text',
  };
  return `must be ${kinds[expected] ?? (expected || 'something else')}`;
};

const shown = (value: unknown): string =>
  typeof value === 'object'
    ? value === null
      ? 'empty'
      : Array.isArray(value)
        ? 'a list'
        : 'a map'
    : JSON.stringify(value).length > 60
      ? kindOf(value)
      : JSON.stringify(value);

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );

const MAX_LISTED = 8;

const unknownKey = (key: string, context: Context, base: Path): Fault => {
  const known = keysAt(context.schema, context.path.slice(base.length));
  const near = nearest(key, known);
  return {
    code: 'E501',
    path: [...context.path, key],
    atKey: true,
    message: `unknown key "${key}"`,
    hint: near ? `did you mean ${near}?` : listed(known),
  };
};

const listed = (known: readonly string[]): string =>
  known.length > 0 && known.length <= MAX_LISTED
    ? `known: ${known.join(', ')}`
    : 'watcher schema lists those that are known';

/** The keys that a schema knows at a path: walks maps, lists, unions and optional parts. */
const keysAt = (schema: unknown, path: Path): readonly string[] => {
  const def = (schema as { _zod?: { def: Record<string, unknown> } } | undefined)?._zod?.def;
  if (!def) return [];
  const inner = def['innerType'] ?? def['in'];
  if (inner) return keysAt(inner, path);
  if (Array.isArray(def['options']))
    return def['options'].flatMap((option) => keysAt(option, path));
  const [step, ...rest] = path;
  if (def['type'] === 'array') return typeof step === 'number' ? keysAt(def['element'], rest) : [];
  const shape = def['shape'] as Record<string, unknown> | undefined;
  if (!shape) return [];
  return step === undefined ? Object.keys(shape) : keysAt(shape[String(step)], rest);
};

/** The closest of the known names, when it is close enough to be meant. */
export const nearest = (name: string, known: readonly string[]): string | null => {
  const lower = name.toLowerCase().replaceAll('-', '_');
  const [best] = known
    .map((candidate) => ({ candidate, distance: distance(lower, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3))
    ? best.candidate
    : null;
};

/** Levenshtein's; a swap of neighbours counts as one. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (before[j - 2] as number) + 1 : Infinity;
      row[j] = Math.min(change, (previous[j] as number) + 1, (row[j - 1] as number) + 1, swap);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length] as number;
};
