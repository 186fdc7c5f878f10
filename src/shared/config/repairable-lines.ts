/**
 * A text under repair, line by line (counted from 0). Lines change; how many there are, and where their
 * values start, never does, so that places of the repaired text are those of the text as given.
 */

import type { Place } from './diagnostics.ts';

/** Indent with list dashes, key, colon, value, comment. */
const PAIR = /^(\s*(?:- +)*)([^\s:#'"][^:#]*?)(\s*:[ \t]+)(.*?)([ \t]+#.*)?$/;
const ITEM = /^(\s*(?:- +)+)()()(.*?)([ \t]+#.*)?$/;
const QUOTED = /^(?:"[^"\\]*"|'[^']*')$/;

const unquoted = (value: string): string => (QUOTED.test(value) ? value.slice(1, -1) : value);

export interface Repair {
  readonly code: 'W101' | 'W102' | 'W103';
  readonly place: Place;
  readonly message: string;
}

interface Pieces {
  readonly before: string;
  readonly key: string;
  readonly value: string;
  readonly after: string;
}

/** The lines of a text under repair; their number never changes. Counted from 0. */
export class RepairableLines {
  readonly #lines: string[];
  readonly #repairs: Repair[] = [];
  readonly #repaired = new Set<number>();
  /** Line -> the value that was blanked out, and its column. */
  readonly #lifted = new Map<number, { readonly text: string; readonly column: number }>();
  #starts: readonly number[] | null = null;

  constructor(text: string) {
    this.#lines = text.split('\n');
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  get repairs(): readonly Repair[] {
    return this.#repairs;
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
    return true;
  }

  /** Blanks a value out; the keys below it then are its map. */
  lift(line: number, message: string): boolean {
    if (this.#repaired.has(line)) return false;
    const { before, value, after } = this.split(line);
    const column = before.length + 1;
    const blank = before + ' '.repeat(value.length) + after;
    this.#replace(line, blank, { code: 'W102', message, column });
    this.#lifted.set(line, { text: unquoted(value), column });
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
    const starts = this.#lineStarts();
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  placeOf(offset: number): Place {
    const line = this.lineOf(offset);
    const column = offset - (this.#lineStarts()[line] as number) + 1;
    return { line: line + 1, column };
  }

  /** The values that were lifted, by offset. */
  heads(): ReadonlyMap<number, string> {
    const heads = new Map<number, string>();
    for (const [line, { text, column }] of this.#lifted) {
      heads.set((this.#lineStarts()[line] as number) + column - 1, text);
    }
    return heads;
  }

  #lineStarts(): readonly number[] {
    this.#starts ??= startsOf(this.#lines);
    return this.#starts;
  }

  #replace(
    line: number,
    text: string,
    { code, message, column }: Omit<Repair, 'place'> & { readonly column: number },
  ): void {
    this.#lines[line] = text;
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
