/** A file to which another process appends lines, read as far as it has come. */

import { type FileHandle, open } from 'node:fs/promises';

export class LineFile {
  readonly #path: string;
  readonly #onLine: (line: string) => void;
  #at = 0;
  #rest = '';
  #reading: Promise<void> = Promise.resolve();

  constructor(path: string, onLine: (line: string) => void) {
    this.#path = path;
    this.#onLine = onLine;
  }

  /** Hands over every line that is complete by now. A file that does not exist has none. */
  read(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readOn());
    return this.#reading;
  }

  async #readOn(): Promise<void> {
    await using file = await open(this.#path).catch(() => null);
    if (file === null) return;
    const lines = (this.#rest + (await this.#fresh(file))).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }

  async #fresh(file: FileHandle): Promise<string> {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.max(0, size - this.#at));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#at);
    // A character of several bytes is never cut: whole lines are appended at once.
    this.#at += bytesRead;
    return bytes.subarray(0, bytesRead).toString();
  }
}
