/** Where the bytes of a segment are: a file, or memory where there is no folder or no disk. */

import fs from 'node:fs';
import type { Frame } from './frame.ts';

export interface Storage {
  readonly kind: 'disk' | 'memory';
  /** Written so far. */
  readonly bytes: number;
  /** Taken from the bound of its kind. */
  readonly footprint: number;
  /** Throws where it could not be written whole. */
  write(frame: Frame): void;
  /** Throws where it cannot be read. */
  read(from: number, to: number): Buffer;
  /** Nothing will be read or written any more; what is on disk stays. */
  close(): void;
  /** Takes it away for good. Throws where the disk refuses. */
  remove(): void;
}

/**
 * No fsync: what a process has written survives its being killed, as the kernel has it. A power cut
 * may take the last seconds.
 */
export class FileStorage implements Storage {
  readonly kind = 'disk';
  readonly #path: string;
  readonly #fd: number;
  #bytes: number;

  private constructor(path: string, fd: number, bytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.#bytes = bytes;
  }

  /** Throws where it cannot be made, or is there already. */
  static create(path: string): FileStorage {
    return new FileStorage(path, fs.openSync(path, 'ax+', 0o600), 0);
  }

  /** For reading what a former process wrote. Throws where it cannot be read. */
  static open(path: string): FileStorage {
    const fd = fs.openSync(path, 'r');
    return new FileStorage(path, fd, fs.fstatSync(fd).size);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get footprint(): number {
    return this.#bytes;
  }

  write({ text, bytes }: Frame): void {
    try {
      const written = fs.writeSync(this.#fd, text);
      // A disk that is nearly full takes a part without an error, and tells with the rest.
      if (written < bytes) this.#writeRest(Buffer.from(text).subarray(written));
    } catch (error) {
      this.#forgetTail();
      throw error;
    }
    this.#bytes += bytes;
  }

  read(from: number, to: number): Buffer {
    const bytes = Buffer.allocUnsafe(to - from);
    return bytes.subarray(0, fs.readSync(this.#fd, bytes, 0, bytes.length, from));
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  remove(): void {
    this.close();
    fs.unlinkSync(this.#path);
  }

  #writeRest(rest: Buffer): void {
    for (let written = 0; written < rest.length; ) written += fs.writeSync(this.#fd, rest, written);
  }

  #forgetTail(): void {
    try {
      fs.ftruncateSync(this.#fd, this.#bytes);
    } catch {
      // Whoever recovers it skips the torn tail.
    }
  }
}

export class MemoryStorage implements Storage {
  readonly kind = 'memory';
  readonly #buffer: Buffer;
  #bytes = 0;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get bytes(): number {
    return this.#bytes;
  }

  get footprint(): number {
    return this.#buffer.length;
  }

  write({ text, bytes }: Frame): void {
    this.#buffer.write(text, this.#bytes);
    this.#bytes += bytes;
  }

  read(from: number, to: number): Buffer {
    return this.#buffer.subarray(from, to);
  }

  close(): void {}

  remove(): void {}
}
