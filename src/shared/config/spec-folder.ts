/**
 * Folder → **bytes of its check files**: which names count, and what is not read although its name
 * would. Nothing here blocks, whatever lies in the folder: pipes and devices are never opened to wait.
 */

import { hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Problem } from './diagnostics.ts';
import { WHOLE_FILE } from './diagnostics.ts';
import { MAX_FILE_BYTES } from './source.ts';

export interface SpecFile {
  readonly name: string;
  readonly path: string;
  /** Null for one that cannot be read: `problem` says why. */
  readonly content: { readonly bytes: Uint8Array; readonly hash: string } | null;
  readonly problem: Problem | null;
}

export interface FolderListing {
  /** Names of check files, in the order in which they count. */
  readonly names: readonly string[];
  /** Names that somebody may take for one. */
  readonly nearMisses: readonly string[];
}

/** Throws what the file system throws when the folder is not there. */
export const listSpecs = async (dir: string): Promise<FolderListing> => {
  const entries = (await readdir(dir)).filter((name) => !name.startsWith('.'));
  entries.sort();
  const names = entries.filter((name) => name.endsWith('.yml'));
  const nearMisses = entries.filter((name) => /\.ya?ml$/i.test(name) && !name.endsWith('.yml'));
  return { names, nearMisses };
};

const whole = (code: Problem['code'], message: string, hint?: string): Problem => ({
  code,
  place: WHOLE_FILE,
  message,
  ...(hint ? { hint } : {}),
});

export const nearMiss = (name: string): Problem =>
  whole('W301', `${name} is not read`, 'rename it to *.yml');

const readSpec = async (dir: string, name: string, root: string | null): Promise<SpecFile> => {
  const path = join(dir, name);
  const failed = (problem: Problem): SpecFile => ({ name, path, content: null, problem });
  try {
    const real = await realpath(path);
    if (root !== null && !real.startsWith(root + sep))
      return failed(whole('E303', `it leads to ${real}`, 'copy the file into the folder'));
    await using file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK);
    const content = await contentOf(file);
    return 'code' in content ? failed(content) : { name, path, content, problem: null };
  } catch (error) {
    return failed(problemOf(error as NodeJS.ErrnoException));
  }
};

const contentOf = async (file: FileHandle): Promise<NonNullable<SpecFile['content']> | Problem> => {
  const { size, ...stat } = await file.stat().then((s) => ({ size: s.size, isFile: s.isFile() }));
  if (!stat.isFile) return whole('E302', 'it is not a regular file');
  if (size > MAX_FILE_BYTES) {
    const message = `${size} bytes; a check file has at most ${MAX_FILE_BYTES}`;
    return whole('E304', message, 'split it into several files');
  }
  const bytes = await file.readFile();
  return { bytes, hash: hash('sha256', bytes) };
};

const LINKS: Readonly<Record<string, string>> = {
  ELOOP: 'it is a link that leads to itself',
  ENOENT: 'it is a link that leads nowhere',
  EISDIR: 'it is a directory',
  ENXIO: 'it is not a regular file',
};

const problemOf = ({ code = '', message }: NodeJS.ErrnoException): Problem => {
  const known = LINKS[code];
  if (known) return whole('E302', known);
  return whole('E301', code === 'EACCES' ? 'no permission to read it' : message);
};

/** Reads that overlap: each waits for the disk more than it works. */
const READS_AT_ONCE = 16;

/** `confined`: no link may lead out of the folder. */
export const readSpecs = async (
  dir: string,
  names: readonly string[],
  { confined }: { readonly confined: boolean },
): Promise<SpecFile[]> => {
  const root = confined ? await realpath(dir) : null;
  const files: SpecFile[] = [];
  for (let start = 0; start < names.length; start += READS_AT_ONCE) {
    const batch = names.slice(start, start + READS_AT_ONCE);
    files.push(...(await Promise.all(batch.map((name) => readSpec(dir, name, root)))));
  }
  return files;
};
