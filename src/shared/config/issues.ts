/** zod's issues → **problems** in the words of a check file, with the nearest known key. */

import type { z } from 'zod';
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

interface Context {
  /** What was parsed, for its kinds and for what is missing. */
  readonly value: unknown;
  readonly schema: z.ZodType;
  /** Of the value in its file. */
  readonly base: Path;
}

export const faultsOf = (
  issues: readonly Issue[],
  { value, schema, path: base = [] }: { value: unknown; schema: z.ZodType; path?: Path },
): readonly Fault[] =>
  issues.flatMap((issue) => faults(issue, issue.path, { value, schema, base }));

/** `path` starts at the value. */
const faults = (issue: Issue, path: Path, context: Context): readonly Fault[] => {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(key, path, context));
  const branch = issue.code === 'invalid_union' ? meantBranch(issue) : null;
  if (branch) return branch.flatMap((inner) => faults(inner, [...path, ...inner.path], context));
  return [missingOrWrong(issue, path, context)];
};

type Union = Extract<Issue, { code: 'invalid_union' }>;

/** zod's own words, where a schema has none of ours. */
const GENERIC = 'Invalid input';

/** Of a union's branches the one whose kind the value has, when there is just one. */
const meantBranch = ({ message, errors }: Union): readonly Issue[] | null => {
  const isOfThatKind = (issues: readonly Issue[]): boolean =>
    issues.every(({ code, path }) => path.length > 0 || code === 'unrecognized_keys');
  const [meant, ...more] = errors.filter(isOfThatKind);
  return message === GENERIC && meant && more.length === 0 ? meant : null;
};

const missingOrWrong = (issue: Issue, path: Path, { value, base }: Context): Fault => {
  const found = valueAt(value, path);
  const whole = [...base, ...path];
  if (found === undefined)
    return { code: 'E503', path: whole, message: `"${String(path.at(-1))}" is missing` };
  const expected = issue.message.startsWith(GENERIC) ? expectation(issue) : issue.message;
  const name = whole.findLast((step) => typeof step === 'string') ?? 'this';
  return { code: 'E502', path: whole, message: `${name} ${expected}, not ${shown(found)}` };
};

const KINDS: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
};

const expectation = (issue: Issue): string => {
  const expected = 'expected' in issue ? String(issue.expected) : 'something else';
  return `must be ${KINDS[expected] ?? expected}`;
};

const MAX_SHOWN = 60;

const shown = (value: unknown): string => {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
};

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );

const unknownKey = (key: string, path: Path, { schema, base }: Context): Fault => {
  const known = keysAt(schema, path);
  const near = nearest(key, known);
  return {
    code: 'E501',
    path: [...base, ...path, key],
    atKey: true,
    message: `unknown key "${key}"`,
    hint: near ? `did you mean ${near}?` : listed(known),
  };
};

const MAX_LISTED = 8;

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
