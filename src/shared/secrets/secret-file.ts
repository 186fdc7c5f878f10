/** Files with secrets: regular, small, and read without the line end that editors leave behind. */

import { readFileSync, statSync } from 'node:fs';

const MAX_FILE_BYTES = 64 * 1024;

/** Throws an Error whose message says what is wrong with the file, and nothing of what is in it. */
export const readSecretFile = (path: string): string => {
  try {
    // Reading a pipe or a device would block the whole process.
    const stats = statSync(path);
    if (stats.isFile() && stats.size <= MAX_FILE_BYTES)
      return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    throw new Error(stats.isFile() ? 'the file is longer than 64 KiB' : 'not a regular file');
  } catch (error) {
    throw error instanceof Error && 'code' in error ? new Error(String(error.code)) : error;
  }
};
