/**
 * `{name}` in what is posted stands for a value, `{{` and `}}` for braces. Compiled once, filled for
 * each run in a single pass: what comes out of a value is never searched for names again.
 */

import type { JsonValue } from '../domain/check.ts';
import { jsonText } from './extraction.ts';

/** Own properties only; undefined: has no value. */
export type Fields = (name: string) => JsonValue | undefined;

export type Template = (fields: Fields) => JsonValue;

/** Undefined: what it stands for is left out. */
export type Fill = (fields: Fields) => JsonValue | undefined;

/** Text as it stands, or a name. */
export type Part = string | { readonly name: string };

export interface TemplateOptions {
  /**
   * A text in a map that lacks a value: left with a gap, or dropped with its key. One that is a
   * placeholder and nothing else is always dropped, and so is any text in a list.
   */
  readonly gaps?: 'fill' | 'drop';
}

/** Secret references stay as they are: their braces follow a dollar. */
const TOKEN = /\{\{|\}\}|\$\{[^}]*\}|\{([\p{L}_$][\p{L}\p{N}_.$[\]'*:-]*)\}/gu;

export const partsOf = (text: string): readonly Part[] => {
  const parts: Part[] = [];
  let literal = '';
  let end = 0;
  for (const { 0: token, 1: name, index } of text.matchAll(TOKEN)) {
    literal += text.slice(end, index);
    end = index + token.length;
    if (name === undefined) literal += token === '{{' || token === '}}' ? token[0] : token;
    else {
      if (literal !== '') parts.push(literal);
      literal = '';
      parts.push({ name });
    }
  }
  literal += text.slice(end);
  if (literal !== '') parts.push(literal);
  return parts;
};

/** Each name as often as it stands there. */
export const namesIn = (text: string): readonly string[] =>
  partsOf(text).flatMap((part) => (typeof part === 'string' ? [] : part.name));

/** How a value reads in the middle of a text. */
export const textOf = (value: JsonValue): string => {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : jsonText(value);
};

/**
 * A text that is only a placeholder takes the value with its type. What holds no placeholder is the
 * same frozen value each time. A template that is itself left out is null.
 */
export const compileTemplate = (body: JsonValue, options: TemplateOptions = {}): Template => {
  const fill = compileFill(body, options);
  return (fields) => fill(fields) ?? null;
};

export const compileFill = (body: JsonValue, { gaps = 'fill' }: TemplateOptions = {}): Fill => {
  const compiled = compiledOf(body, gaps);
  return 'fill' in compiled ? compiled.fill : () => compiled.fixed;
};

type Compiled = { readonly fixed: JsonValue } | { readonly fill: Fill };
type Gaps = 'fill' | 'drop';

const compiledOf = (value: JsonValue, gaps: Gaps): Compiled => {
  if (typeof value === 'string') return compiledText(partsOf(value), gaps);
  if (typeof value !== 'object' || value === null) return { fixed: value };
  return Array.isArray(value)
    ? compiledList(value as readonly JsonValue[], gaps)
    : compiledMap(value as Readonly<Record<string, JsonValue>>, gaps);
};

const compiledText = (parts: readonly Part[], gaps: Gaps): Compiled => {
  const [first = '', ...others] = parts;
  if (others.length > 0) return { fill: (fields) => mixedText(parts, fields, gaps) };
  if (typeof first === 'string') return { fixed: first };
  return { fill: (fields) => sayable(fields(first.name)) };
};

const mixedText = (parts: readonly Part[], fields: Fields, gaps: Gaps): string | undefined => {
  let text = '';
  for (const part of parts) {
    const value = typeof part === 'string' ? part : fields(part.name);
    if (value !== undefined) text += textOf(value);
    else if (gaps === 'drop') return undefined;
  }
  return text;
};

/** JSON has no word for Infinity and NaN, and would say null. */
const sayable = (value: JsonValue | undefined): JsonValue | undefined =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

const compiledList = (list: readonly JsonValue[], gaps: Gaps): Compiled => {
  const elements = list.map((element) =>
    compiledOf(element, typeof element === 'string' ? 'drop' : gaps),
  );
  if (elements.every((element) => 'fixed' in element))
    return { fixed: Object.freeze(elements.map(({ fixed }) => fixed)) };
  return {
    fill: (fields) => {
      const filled: JsonValue[] = [];
      for (const element of elements) {
        const value = 'fill' in element ? element.fill(fields) : element.fixed;
        if (value !== undefined) filled.push(value);
      }
      return filled;
    },
  };
};

const compiledMap = (map: Readonly<Record<string, JsonValue>>, gaps: Gaps): Compiled => {
  const entries = Object.entries(map).map(
    ([key, value]) => [key, compiledOf(value, gaps)] as const,
  );
  const fixed = entries.flatMap(([key, value]) => ('fixed' in value ? [[key, value.fixed]] : []));
  if (fixed.length === entries.length) return { fixed: Object.freeze(Object.fromEntries(fixed)) };
  return {
    fill: (fields) => {
      const filled: [string, JsonValue][] = [];
      for (const [key, entry] of entries) {
        const value = 'fill' in entry ? entry.fill(fields) : entry.fixed;
        if (value !== undefined) filled.push([key, value]);
      }
      // Unlike an assignment this makes `__proto__` a key like any other.
      return Object.fromEntries(filled);
    },
  };
};
