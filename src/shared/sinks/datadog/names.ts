/**
 * Names and tags as Datadog keeps them. What breaks its rules is accepted with 202 and altered or lost
 * without a word, so it is made valid here.
 */

import { mix32 } from '../../rules/hash.ts';

const MAX_NAME = 200;
const MAX_TAG = 200;
const HASH_DIGITS = 8;
/** Of checks; their tags are asked for with each result. */
const MAX_CACHED = 100_000;

/** Starts with a letter; letters, digits, `_` and `.` of ASCII. */
export const metricName = (name: string): string =>
  name
    .replace(/^[^A-Za-z]+/, '')
    .replace(/[^A-Za-z0-9_.]/g, '_')
    .slice(0, MAX_NAME);

/**
 * Lower case, starts with a letter; letters, digits and `_-:./`. Two long ones that differ only
 * beyond the limit stay two. Empty when nothing is left.
 */
export const tagOf = (text: string): string => {
  const tag = text
    .toLowerCase()
    .replace(/^\P{L}+/u, '')
    .replace(/[^\p{L}\p{N}_\-:./]/gu, '_');
  if (tag.length <= MAX_TAG) return tag;
  const hash = mix32(text).toString(16).padStart(HASH_DIGITS, '0');
  return `${tag.slice(0, MAX_TAG - HASH_DIGITS - 1).toWellFormed()}_${hash}`;
};

export const tagsOf = (texts: readonly string[]): readonly string[] =>
  texts.map(tagOf).filter((tag) => tag !== '');

export interface TagsText {
  /** A JSON list. */
  readonly json: string;
  readonly bytes: number;
}

/** The tags of each check, `check:<key>` and those of the sink, as they stand in bodies. */
export class CheckTags {
  /** Those of the sink. */
  readonly common: readonly string[];
  readonly #texts = new Map<string, TagsText>();

  constructor(common: readonly string[]) {
    this.common = tagsOf(common);
  }

  list(check: string): readonly string[] {
    return [tagOf(`check:${check}`), ...this.common];
  }

  of(check: string): TagsText {
    const known = this.#texts.get(check);
    if (known) return known;
    const json = JSON.stringify(this.list(check));
    const text = { json, bytes: Buffer.byteLength(json) };
    // Starting anew costs each check its tags once; keeping an order would cost every result.
    if (this.#texts.size >= MAX_CACHED) this.#texts.clear();
    this.#texts.set(check, text);
    return text;
  }
}
