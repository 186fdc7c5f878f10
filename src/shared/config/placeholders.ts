/** The placeholders of what a check file posts: which names it asks for, and where. */

import type { JsonValue } from '../domain/check.ts';
import { namesIn } from '../rules/template.ts';
import type { Path } from './values.ts';

export interface Placeholder {
  readonly name: string;
  readonly path: Path;
}

/** All placeholders of a value, however deep, with the path of the text that holds them. */
export const placeholdersOf = (value: JsonValue, path: Path): readonly Placeholder[] => {
  if (typeof value === 'string') return namesIn(value).map((name) => ({ name, path }));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    placeholdersOf(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
};
