/**
 * Texts that people read in Datadog. There `%%%` starts Markdown, and `@name` sends mail and wakes
 * people: what a file configures may do so, what a target answers may not.
 */

import { type Fields, partsOf, textOf } from './template.ts';

/** Characters of an event's text; Datadog refuses more. */
export const MAX_POST_TEXT = 4_000;

/** Seen by nobody, but what stands at its two sides is no longer one word. */
const ZERO_WIDTH_SPACE = '\u200b';

/** `%%`, a mention, a tag of HTML, and the middle of a Markdown link. */
const ACTIVE = /%(?=%)|[@<]|\](?=\()/g;
const ACTIVE_PAIR = /^(?:[@<].|%%|\]\()/s;

/** The same text for the eye, without effect. */
export const harmless = (text: string): string => text.replace(ACTIVE, `$&${ZERO_WIDTH_SPACE}`);

/** At most `max` UTF-16 units, the ellipsis included. */
export const cut = (text: string, max: number): string =>
  text.length > max ? `${text.slice(0, max - 1).toWellFormed()}…` : text;

/** Values are made harmless, and are empty where there is none. */
export const compileText = (template: string, max: number): ((fields: Fields) => string) => {
  const parts = partsOf(template);
  if (parts.every((part) => typeof part === 'string')) {
    const text = cut(parts.join(''), max);
    return () => text;
  }
  return (fields) => {
    let text = '';
    for (const part of parts)
      text = joined(text, typeof part === 'string' ? part : harmless(valueText(part.name, fields)));
    return cut(text, max);
  };
};

const valueText = (name: string, fields: Fields): string => textOf(fields(name) ?? '');

/** A value must not take effect together with what stands beside it, as in `@{name}`. */
const joined = (left: string, right: string): string =>
  ACTIVE_PAIR.test(left.slice(-1) + right.slice(0, 1))
    ? left + ZERO_WIDTH_SPACE + right
    : left + right;
