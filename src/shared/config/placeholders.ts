/** `{name}` in texts that are posted stands for a value of the response; `{{` and `}}` for braces. */

import type { JsonValue } from '../domain/check.ts';
import type { Path } from './values.ts';

/** Secret references are left out: their braces follow a dollar. */
const TOKEN = /\{\{|\}\}|\$\{[^}]*\}|\{([\p{L}_$][\p{L}\p{N}_.$[\]'*:-]*)\}/gu;

export interface Placeholder {
  readonly name: string;
  readonly path: Path;
}

/** All placeholders of a value, however deep, with the path of the text that holds them. */
export const placeholdersOf = (value: JsonValue, path: Path): readonly Placeholder[] => {
  if (typeof value === 'string') return namesOf(value).map((name) => ({ name, path }));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    placeholdersOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
};

const namesOf = (text: string): readonly string[] =>
  text.includes('{') ? [...text.matchAll(TOKEN)].flatMap(([, name]) => name ?? []) : [];
