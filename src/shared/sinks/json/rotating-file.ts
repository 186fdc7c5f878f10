/**
 * A file that whole lines are appended to, with its rotated ones: destination → **file**. It may be
 * moved away at any time by somebody else's rotation, and the disk may fill up in the middle of a
 * line. One writer a path.
 */

import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';

export interface RotatingFileOptions {
  readonly path: string;
  /** A file that would grow beyond this is rotated first. */
  readonly maxBytes: number;
  /** `path.1` is the latest of the rotated ones, `path.keep` the oldest. */
  readonly keep: number;
}

/** Read and written, so that opening a pipe that nobody reads does not wait for its reader. */
const FLAGS = constants.O_APPEND | constants.O_CREAT | constants.O_RDWR;
const MODE = 0o600;
const NEWLINE = Buffer.from('\n');

export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #handle: FileHandle | null = null;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** All of the lines, or none: rejects with the error of the system when they are not written. */
  async append(lines: Buffer): Promise<void> {
    let handle = await this.#current();
    let { size } = await handle.stat();
    if (size > 0 && size + lines.length > this.#options.maxBytes) {
      await this.#rotate();
      handle = await this.#current();
      ({ size } = await handle.stat());
    }
    try {
      await handle.appendFile(lines);
    } catch (error) {
      await handle.truncate(size).catch(() => this.close());
      throw error;
    }
  }

  /** Rejects when lines could not be appended now. */
  async check(): Promise<void> {
    await (await openFile(this.#options.path)).close();
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  /** The file that the path names now, which need not be the one that was opened. */
  async #current(): Promise<FileHandle> {
    const { path } = this.#options;
    if (this.#handle !== null) {
      const [open, named] = await Promise.all([this.#handle.stat(), stat(path).catch(() => null)]);
      if (named?.ino === open.ino && named.dev === open.dev) return this.#handle;
      await this.close();
    }
    const handle = await openFile(path);
    try {
      await endLine(handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#handle = handle;
    return handle;
  }

  async #rotate(): Promise<void> {
    const { path, keep } = this.#options;
    await this.close();
    if (keep === 0) return rm(path, { force: true });
    for (let n = keep - 1; n >= 1; n--) await renameIfThere(`${path}.${n}`, `${path}.${n + 1}`);
    await renameIfThere(path, `${path}.1`);
  }
}

const openFile = async (path: string): Promise<FileHandle> => {
  const handle = await open(path, FLAGS, MODE);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw Object.assign(new Error('not a regular file'), { code: 'ENOTREG' });
};

/** A process that was killed while it wrote has left half a line: what follows must not join it. */
const endLine = async (handle: FileHandle): Promise<void> => {
  const { size } = await handle.stat();
  if (size === 0) return;
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: size - 1 });
  if (!buffer.equals(NEWLINE)) await handle.appendFile(NEWLINE);
};

const renameIfThere = async (from: string, to: string): Promise<void> => {
  await rename(from, to).catch((error) => {
    if (error.code !== 'ENOENT') throw error;
  });
};
