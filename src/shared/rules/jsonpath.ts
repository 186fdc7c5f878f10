/**
 * Values of a JSON body by path. A plain path (members and indices) is walked here at no cost;
 * wildcards, slices, unions and `..` go to jsonpath-plus, of which this is the only importer.
 */

import { JSONPath } from 'jsonpath-plus';
import type { JsonValue } from '../domain/check.ts';
import { type Key, PathError, parsePath, type Step } from './jsonpath-syntax.ts';

/** Reads a parsed body; undefined where the path leads nowhere. Never throws. */
export type PathReader = (json: JsonValue) => JsonValue | undefined;

/** A path with `..` visits every node: on 1 MiB that takes longer than a check may. */
export const DESCENT_BODY_BYTES = 128 * 1024;
const MAX_MATCHES = 1000;

/** What is wrong with a path; null when nothing is. */
export const checkPath = (path: string): string | null => {
  try {
    parsePath(path);
    return null;
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
};

export const hasDescent = (path: string): boolean =>
  parsePath(path).some((step) => step.kind === 'descent');

/**
 * A definite path (members and indices only) yields its value, any other the array of its matches,
 * the first 1,000 in document order; undefined when there is none. Throws PathError.
 */
export const compilePath = (path: string): PathReader => {
  const steps = parsePath(path);
  const keys = steps.flatMap((step) => (step.kind === 'key' ? [step.key] : []));
  if (keys.length < steps.length) return searcher(steps);
  const [only] = keys;
  if (keys.length === 1 && only !== undefined) return (json) => follow(json, only);
  return (json) => {
    let value: JsonValue | undefined = json;
    for (const key of keys) value = follow(value, key);
    return value;
  };
};

/**
 * Own properties only: a body does not reach what JavaScript's objects inherit. `length` is that of
 * an array or a string.
 */
const follow = (value: JsonValue | undefined, key: Key): JsonValue | undefined => {
  if (typeof value === 'string') return key === 'length' ? value.length : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (typeof key === 'number') {
    return Array.isArray(value) ? value[key < 0 ? value.length + key : key] : undefined;
  }
  return Object.hasOwn(value, key)
    ? (value as { readonly [name: string]: JsonValue })[key]
    : undefined;
};

const searcher = (steps: readonly Step[]): PathReader => {
  const path = `$${steps.map(asLibraryText).join('')}`;
  return (json) => {
    if (typeof json !== 'object' || json === null) return undefined;
    try {
      const matches = JSONPath({ path, json, eval: false, wrap: true }) as readonly JsonValue[];
      return matches.length > 0 ? matches.slice(0, MAX_MATCHES) : undefined;
    } catch (error) {
      // It recurses: a body nested thousands deep ends in a full stack, and has no such value.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  };
};

const asLibraryText = (step: Step): string => {
  switch (step.kind) {
    case 'key':
      return bracketed([step.key]);
    case 'union':
      return bracketed(step.keys);
    case 'slice':
      return `[${step.text}]`;
    case 'wildcard':
      return '[*]';
    case 'descent':
      return '..';
  }
};

const bracketed = (keys: readonly Key[]): string => `[${keys.map(asLibraryKey).join(',')}]`;

/** An index becomes a slice of one: the library knows no negative index, and takes strings apart by index. */
const asLibraryKey = (key: Key): string => {
  if (typeof key === 'string') return `'${key}'`;
  return `${key}:${key === -1 ? '' : key + 1}`;
};
