/**
 * Secrets that are looked for: of every shape that a format escapes, each with the one place where it
 * belongs.
 */

import { randomBytes } from 'node:crypto';
import type { SinkRequest } from '../support/http-sink.ts';
import { hitsIn } from '../support/secret-forms.ts';

export interface Canary {
  readonly value: string;
  /** Requests with such a path may hold it there, and nowhere else; null: nobody may see it. */
  readonly belongs: Place | null;
}

export interface Place {
  /** Null: whatever it is. */
  readonly path: string | null;
  readonly part: Part;
}

/** `url`, `body`, or the name of a header in lower case. */
export type Part = string;

const SHAPES: readonly (() => string)[] = [
  () => randomBytes(16).toString('hex'),
  () => `${randomBytes(20).toString('base64url')}+/${randomBytes(6).toString('base64url')}==`,
  () => `${letters()}"${letters()}'${letters()}`,
  () => `${letters()}\\${letters()}\\n${letters()}`,
  () => `${letters()}äÖü${letters()}ß${letters()}`,
  () => `${letters()}%41${letters()}%${letters()}`,
  () => `${letters()}&${letters()}=${letters()}?${letters()}`,
];

const letters = (): string => randomBytes(8).toString('hex');

export class Canaries {
  readonly #all: Canary[] = [];

  get count(): number {
    return this.#all.length;
  }

  /** Each time another shape, unless the place takes plain ones only. */
  make(belongs: Place | null = null, { plain = false } = {}): string {
    const shape = SHAPES[plain ? 0 : this.#all.length % SHAPES.length];
    const value = shape?.() ?? '';
    this.#all.push({ value, belongs });
    return value;
  }

  /** In what people may read: also halves, as a text may be cut. */
  hits(texts: Readonly<Record<string, string>>): readonly string[] {
    const looked = this.#all.flatMap(({ value }) => [value, ...halvesOf(value)]);
    return hitsIn(looked, texts);
  }

  /** In what a sink has received, but for the place where each belongs. */
  misplaced(request: SinkRequest): readonly string[] {
    const parts = partsOf(request);
    return this.#all.flatMap(({ value, belongs }) => {
      const allowed = belongs && isAt(belongs, request) ? belongs.part : null;
      const others = Object.entries(parts).filter(([part]) => part !== allowed);
      return hitsIn([value], Object.fromEntries(others));
    });
  }

  /** Places where what belongs there has not come. */
  unplaced(requests: readonly SinkRequest[]): readonly string[] {
    const has = ({ value, belongs }: Canary): boolean =>
      requests.some(
        (request) =>
          belongs !== null &&
          isAt(belongs, request) &&
          hitsIn([value], { part: partsOf(request)[belongs.part] ?? '' }).length > 0,
      );
    return this.#all
      .filter((canary) => canary.belongs !== null && !has(canary))
      .map(({ belongs }) => `${belongs?.path} ${belongs?.part}`);
  }

  get belonging(): number {
    return this.#all.filter(({ belongs }) => belongs !== null).length;
  }
}

const isAt = (place: Place, request: SinkRequest): boolean =>
  place.path === null || place.path === request.path;

const HALF = 10;
const halvesOf = (value: string): readonly string[] => [value.slice(0, HALF), value.slice(-HALF)];

const partsOf = ({ target, headers, text }: SinkRequest): Readonly<Record<Part, string>> => ({
  url: target,
  body: text,
  // Node hands headers over byte by byte, whatever they are in.
  ...Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      `${value} ${Buffer.from(String(value), 'latin1')}`,
    ]),
  ),
});
