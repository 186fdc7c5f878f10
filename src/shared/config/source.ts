/** Bytes → **text**: a check file is UTF-8, of at most 1 MiB, with or without a byte order mark. */

import type { Problem } from './diagnostics.ts';
import { WHOLE_FILE } from './diagnostics.ts';

export const MAX_FILE_BYTES = 1024 * 1024;

const decoder = new TextDecoder('utf-8', { fatal: true });

export const decodeText = (bytes: Uint8Array): string | Problem => {
  if (bytes.length > MAX_FILE_BYTES) {
    const message = `${bytes.length} bytes; a check file has at most ${MAX_FILE_BYTES}`;
    return { code: 'E304', place: WHOLE_FILE, message, hint: 'split it into several files' };
  }
  try {
    return decoder.decode(bytes);
  } catch {
    return notUtf8(bytes);
  }
};

const notUtf8 = (bytes: Uint8Array): Problem => {
  const offset = firstInvalid(bytes);
  const before = new TextDecoder().decode(bytes.subarray(0, offset)).split('\n');
  const utf16 = bytes[0] === 0xff || bytes[0] === 0xfe;
  return {
    code: 'E305',
    place: { line: before.length, column: (before.at(-1) as string).length + 1 },
    message: `not UTF-8 from byte ${offset} on${utf16 ? '; this looks like UTF-16' : ''}`,
    hint: 'save the file as UTF-8',
  };
};

/** Length of the longest valid prefix, by halving: a prefix may end inside a character. */
const firstInvalid = (bytes: Uint8Array): number => {
  let low = 0;
  let high = bytes.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (isValidPrefix(bytes.subarray(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
};

const isValidPrefix = (bytes: Uint8Array): boolean => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
};
