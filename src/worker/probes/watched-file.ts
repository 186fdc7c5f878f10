/** A small file of the system that is read again when it changes, without ever blocking a run. */

import { readFile, readFileSync, type Stats, stat } from 'node:fs';
import type { Clock } from '../../shared/runtime/clock.ts';

/** How often a change is looked for, and only while the value is asked for. */
const CHECK_MS = 5_000;

export interface WatchedFileOptions<T> {
  readonly path: string;
  readonly clock: Clock;
  readonly parse: (text: string) => T;
  /** After the value has changed. */
  readonly onChange?: () => void;
}

export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #value: T;
  #version = '';
  #checkedAt: number;

  /** Read at once, so that the first run sees it; a file that is not there is empty. */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    this.#value = options.parse(readIfThere(options.path));
    this.#checkedAt = Number.NEGATIVE_INFINITY;
  }

  /** The value as last read; a change shows within two calls that are some seconds apart. */
  get(): T {
    const now = this.#options.clock.monotonicMs();
    if (now - this.#checkedAt >= CHECK_MS) {
      this.#checkedAt = now;
      stat(this.#options.path, this.#onStat);
    }
    return this.#value;
  }

  readonly #onStat = (_: unknown, stats: Stats | undefined): void => {
    const version = stats === undefined ? 'absent' : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
    if (version === this.#version) return;
    const isFirst = this.#version === '';
    readFile(this.#options.path, 'utf8', (error, text) => {
      this.#version = version;
      this.#value = this.#options.parse(error === null ? text : '');
      if (!isFirst) this.#options.onChange?.();
    });
  };
}

const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
