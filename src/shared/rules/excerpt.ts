/** Pieces of hostile text that are fit to stand in a reason, a log line or an alert. */

const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Control, format (right-to-left override, zero width) and lone surrogate characters as `\u{…}`. */
export const escapeControls = (text: string): string =>
  text.replace(CONTROL, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

/** At most `bytes` bytes of UTF-8, escapes included; `…` says that there was more. */
export const excerpt = (text: string, bytes: number): string => {
  const whole = escapeControls(text.slice(0, bytes));
  if (text.length <= bytes && Buffer.byteLength(whole) <= bytes) return whole;
  let size = ELLIPSIS_BYTES;
  let end = 0;
  for (const character of whole) {
    size += Buffer.byteLength(character);
    if (size > bytes) break;
    end += character.length;
  }
  return `${whole.slice(0, end)}…`;
};

const ELLIPSIS_BYTES = 3;
