/**
 * Text → **YAML documents**, with repairs for the few things that people write in check files and
 * YAML does not accept. Only lines that YAML itself complains about are touched, and a file is
 * repaired as a whole or not at all: a wrong repair is worse than a file that is ignored.
 */

import { type Document, type ParsedNode, parseAllDocuments, type YAMLError } from 'yaml';
import type { Place } from './diagnostics.ts';

export interface Repair {
  readonly code: 'W101' | 'W102' | 'W103';
  readonly place: Place;
  readonly message: string;
}

/** The value that stood where keys follow below it, to become the first entry of their map. */
export interface Head {
  readonly text: string;
  readonly line: number;
}

export interface Reading {
  readonly documents: readonly Document.Parsed<ParsedNode>[];
  readonly repairs: readonly Repair[];
  /** By the offset at which the value stood. */
  readonly heads: ReadonlyMap<number, Head>;
  /** The first error that no repair removes; nothing else of the reading then counts. */
  readonly error: { readonly place: Place; readonly message: string } | null;
  /** Where an offset of the documents' nodes is in the text as it was given. */
  placeOf(offset: number): Place;
}

/** Each pass parses the whole text again, so all errors of a pass are repaired at once. */
const MAX_PASSES = 20;

export const readYaml = (text: string): Reading => {
  const lines = new Lines(text);
  let first: YAMLError | null = null;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const documents = parse(lines.text);
    const errors = documents.flatMap((document) => document.errors);
    if (errors.length === 0) return lines.reading(documents, null);
    first = errors[0] as YAMLError;
    if (!repairAll(lines, errors)) break;
  }
  return lines.reading([], first);
};

/** Own checks follow for tags, keys and aliases (values.ts), with places and in our words. */
const parse = (text: string): Document.Parsed<ParsedNode>[] => {
  const parsed = parseAllDocuments(text, {
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  return Array.isArray(parsed) ? parsed : [];
};

const repairAll = (lines: Lines, errors: readonly YAMLError[]): boolean => {
  let repaired = false;
  const seen = new Set<number>();
  for (const error of errors) {
    const line = lines.lineOf(error.pos[0]);
    if (seen.has(line)) continue;
    seen.add(line);
    if (RULES.some((rule) => rule(lines, line))) repaired = true;
  }
  return repaired;
};

/** Tries one repair on a line; false when it does not fit, or was made there before. */
type Rule = (lines: Lines, line: number) => boolean;

/** Indent with list dashes, key, colon, value, comment. */
const PAIR = /^(\s*(?:- +)*)([^\s:#'"][^:#]*?)(\s*:[ \t]+)(.*?)([ \t]+#.*)?$/;
const ITEM = /^(\s*(?:- +)+)()()(.*?)([ \t]+#.*)?$/;
const QUOTED = /^(?:"[^"\\]*"|'[^']*')$/;
/** A word, quoted or not, that cannot be the start of a map, a list, a block or a tag. */
const HEAD = /^(?:[^\s{}[\]|>&*!%@`"',#]\S*|"[^"\\]*"|'[^']*')$/;
const HEADED_KEYS: ReadonlySet<string> = new Set(['post_service', 'post_endpoint']);

const quoteCron: Rule = (lines, line) => {
  const { key, value } = lines.split(line);
  if (key !== 'cron_schedule' || value === '' || /^['"]/.test(value)) return false;
  return lines.quote(line, `'${value.replaceAll("'", "''")}'`, {
    code: 'W101',
    message: `quote the cron expression: cron_schedule: "${value}"`,
  });
};

const quotePlaceholder: Rule = (lines, line) => {
  const { value } = lines.split(line);
  if (!/\{[\w$.-]+\}/.test(value) || /^['"|>]/.test(value)) return false;
  return lines.quote(line, JSON.stringify(value), {
    code: 'W103',
    message: `quote the placeholder: "${value}"`,
  });
};

const nestHead: Rule = (lines, line) => {
  const { key, value } = lines.split(line);
  if (!HEADED_KEYS.has(key) || !HEAD.test(value) || !lines.isDeeperBelow(line)) return false;
  return lines.lift(line);
};

const nestHeadAbove: Rule = (lines, line) => {
  const above = lines.parentOf(line);
  return above !== null && nestHead(lines, above);
};

const RULES: readonly Rule[] = [quoteCron, quotePlaceholder, nestHead, nestHeadAbove];

interface Pieces {
  readonly before: string;
  readonly key: string;
  readonly value: string;
  readonly after: string;
}

/** The lines of a text under repair; their number never changes. Counted from 0. */
class Lines {
  readonly #lines: string[];
  #starts: readonly number[] | null = null;
  #text: string;
  readonly #repairs: Repair[] = [];
  readonly #repaired = new Set<number>();
  readonly #heads = new Map<number, { readonly text: string; readonly column: number }>();
  /** Line -> column of an opening quote that the text as given does not have. */
  readonly #quotes = new Map<number, number>();

  constructor(text: string) {
    this.#text = text;
    this.#lines = text.split('\n');
  }

  get text(): string {
    return this.#text;
  }

  split(line: number): Pieces {
    const text = (this.#lines[line] ?? '').replace(/\r$/, '');
    const [, indent = '', key = '', colon = '', value = '', comment = ''] =
      PAIR.exec(text) ?? ITEM.exec(text) ?? [];
    const end = this.#lines[line]?.endsWith('\r') ? '\r' : '';
    return { before: indent + key + colon, key: key.trim(), value, after: comment + end };
  }

  quote(line: number, value: string, { code, message }: Omit<Repair, 'place'>): boolean {
    if (this.#repaired.has(line)) return false;
    const { before, after } = this.split(line);
    this.#replace(line, before + value + after, { code, message, column: before.length + 1 });
    this.#quotes.set(line, before.length + 1);
    return true;
  }

  /** Blanks a value of the same length out, so that every other place stays where it is. */
  lift(line: number): boolean {
    if (this.#repaired.has(line)) return false;
    const { before, key, value, after } = this.split(line);
    const text = QUOTED.test(value) ? value.slice(1, -1) : value;
    const column = before.length + 1;
    const field = key === 'post_service' ? 'service' : 'url';
    const message = `write "${text}" below ${key}, as ${field}`;
    this.#replace(line, before + ' '.repeat(value.length) + after, { code: 'W102', message, column });
    this.#heads.set(line, { text, column });
    return true;
  }

  isDeeperBelow(line: number): boolean {
    const indent = this.#indent(line);
    for (let next = line + 1; next < this.#lines.length; next++) {
      if (!this.#isEmpty(next)) return this.#indent(next) > indent;
    }
    return false;
  }

  /** The nearest earlier line with less indent. */
  parentOf(line: number): number | null {
    const indent = this.#indent(line);
    for (let above = line - 1; above >= 0; above--) {
      if (!this.#isEmpty(above) && this.#indent(above) < indent) return above;
    }
    return null;
  }

  lineOf(offset: number): number {
    this.#starts ??= startsOf(this.#lines);
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  reading(documents: readonly Document.Parsed<ParsedNode>[], error: YAMLError | null): Reading {
    const heads = new Map<number, Head>();
    for (const [line, { text, column }] of this.#heads) {
      this.#starts ??= startsOf(this.#lines);
      heads.set((this.#starts[line] as number) + column - 1, { text, line });
    }
    return {
      documents,
      repairs: this.#repairs,
      heads,
      error: error && { place: this.#placeOf(error.pos[0]), message: error.message },
      placeOf: (offset) => this.#placeOf(offset),
    };
  }

  #placeOf(offset: number): Place {
    const line = this.lineOf(offset);
    const column = offset - ((this.#starts as readonly number[])[line] as number) + 1;
    const quote = this.#quotes.get(line) ?? column;
    return { line: line + 1, column: column > quote ? column - 1 : column };
  }

  #replace(
    line: number,
    text: string,
    { code, message, column }: Omit<Repair, 'place'> & { readonly column: number },
  ): void {
    this.#lines[line] = text;
    this.#text = this.#lines.join('\n');
    this.#starts = null;
    this.#repaired.add(line);
    this.#repairs.push({ code, message, place: { line: line + 1, column } });
  }

  #indent(line: number): number {
    return (this.#lines[line] ?? '').search(/\S|$/);
  }

  #isEmpty(line: number): boolean {
    return /^\s*(?:#.*)?$/.test(this.#lines[line] ?? '');
  }
}

const startsOf = (lines: readonly string[]): readonly number[] => {
  const starts: number[] = [];
  let start = 0;
  for (const line of lines) {
    starts.push(start);
    start += line.length + 1;
  }
  return starts;
};
