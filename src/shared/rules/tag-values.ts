/**
 * Tags and dimensions with values in them. Each distinct one is billed as a metric of its own, so
 * that a version number may stand in a tag and a request's id may not.
 */

import { mix32 } from './hash.ts';
import { cut } from './post-text.ts';
import { type Fields, type Part, partsOf, textOf } from './template.ts';

/** Undefined when one of its values is missing. The check is whose values are counted. */
export type Tag = (fields: Fields, check: string) => string | undefined;

/** Characters of a tag; Datadog cuts more off. */
const MAX_TAG = 200;
const MAX_DISTINCT = 100;
/** Over all checks that share one tag of one spec: some megabytes at most. */
const MAX_REMEMBERED = 250_000;
const BEYOND = 'other';

/** They separate tags, or parts of a StatsD line. */
const SEPARATOR = /[,|#\p{Cc}\p{Zl}\p{Zp}]/gu;

/** From the hundred and first distinct text of a check on, its values are `other`. */
export const compileTag = (template: string, max: number = MAX_TAG): Tag => {
  const parts = partsOf(template);
  if (parts.every((part) => typeof part === 'string')) {
    const text = cut(parts.join(''), max);
    return () => text;
  }
  const distinct = new DistinctTexts();
  return (fields, check) => {
    const text = filled(parts, fields);
    if (text === undefined) return undefined;
    return cut(distinct.admits(check, text) ? text : (filled(parts, () => BEYOND) ?? BEYOND), max);
  };
};

const filled = (parts: readonly Part[], fields: Fields): string | undefined => {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else {
      const value = fields(part.name);
      if (value === undefined) return undefined;
      text += textOf(value).replace(SEPARATOR, '_');
    }
  }
  return text;
};

/** Remembers hashes: two texts that share one are taken for the same, which costs one more tag. */
class DistinctTexts {
  readonly #hashes = new Map<string, number[]>();
  #remembered = 0;

  admits(check: string, text: string): boolean {
    const hash = mix32(text);
    const known = this.#hashes.get(check);
    if (known?.includes(hash)) return true;
    if (known && known.length >= MAX_DISTINCT) return false;
    if (known) known.push(hash);
    else this.#hashes.set(check, [hash]);
    this.#remembered += 1;
    if (this.#remembered > MAX_REMEMBERED) this.#forgetOldest();
    return true;
  }

  #forgetOldest(): void {
    for (const [check, hashes] of this.#hashes) {
      this.#hashes.delete(check);
      this.#remembered -= hashes.length;
      return;
    }
  }
}
