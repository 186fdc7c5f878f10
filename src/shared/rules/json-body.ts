/** From the bytes of a body to text and JSON, by the charset that the response declares. */

import type { JsonValue } from '../domain/check.ts';
import type { Answer } from '../domain/result.ts';

/**
 * A byte order mark wins over the declared charset, that over UTF-8; a charset that nobody knows is
 * read as UTF-8. Bytes that are no text in their charset become U+FFFD.
 */
export const bodyText = ({ body, headers }: Pick<Answer, 'body' | 'headers'>): string => {
  const charset = charsetByMark(body) ?? declaredCharset(headers['content-type']);
  const decoder = charset === 'utf-8' ? undefined : decoderOf(charset);
  if (decoder) return decoder.decode(body);
  const text = body.toString('utf8');
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
};

/** Undefined when the text is not JSON. Of a key given twice the last one counts. */
export const parseJson = (text: string): JsonValue | undefined => {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
};

const BYTE_ORDER_MARK = 0xfeff;

const charsetByMark = (body: Buffer): string | undefined => {
  const [first, second] = body;
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return first === 0xff && second === 0xfe ? 'utf-16le' : undefined;
};

// The last header's answer: checks of one kind, and of one target, send the same one.
let knownHeader: string | undefined;
let knownCharset = 'utf-8';

const declaredCharset = (header: string | string[] | undefined): string => {
  const text = typeof header === 'string' ? header : header?.[0];
  if (text === undefined) return 'utf-8';
  if (text !== knownHeader) {
    knownHeader = text;
    knownCharset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(text)?.[1]?.toLowerCase() ?? 'utf-8';
  }
  return knownCharset;
};

const decoderOf = (charset: string) => {
  try {
    return new TextDecoder(charset);
  } catch {
    return undefined;
  }
};
