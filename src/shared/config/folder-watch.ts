/**
 * Tells when a folder of check files may have changed. Events of the file system are only a hint: they
 * get lost on network disks, and when the folder itself is swapped or moved away, so the folder is
 * looked at in between as well. Whoever is told loads, and finds by content whether anything has.
 */

import { type FSWatcher, watch } from 'chokidar';
import type { Clock, Timer } from '../runtime/clock.ts';

export interface FolderWatchOptions {
  readonly clock: Clock;
  readonly onChange: () => void;
  readonly pollMs?: number;
  readonly debounceMs?: number;
}

/** As long as an editor or a checkout may take between two files. */
const DEBOUNCE_MS = 300;
const MAX_WAIT_MS = 3_000;
const POLL_MS = 60_000;

export const watchFolder = (dir: string, options: FolderWatchOptions): FolderWatch =>
  new FolderWatch(dir, options);

export class FolderWatch implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #pollMs: number;
  readonly #debounceMs: number;
  readonly #watcher: FSWatcher;
  #poll: Timer;
  #pending: Timer | null = null;
  #firstChangeAt = 0;
  /** When events come from then on. */
  readonly ready: Promise<void>;

  constructor(dir: string, options: FolderWatchOptions) {
    const { clock, onChange, pollMs = POLL_MS, debounceMs = DEBOUNCE_MS } = options;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#pollMs = pollMs;
    this.#debounceMs = debounceMs;
    this.#poll = clock.after(pollMs, () => this.#look());
    this.#watcher = watch(dir, { depth: 0, ignoreInitial: true })
      .on('all', () => this.#changed())
      // Looking goes on without events; what is wrong with the folder, the loader tells.
      .on('error', () => {});
    this.ready = new Promise((resolve) => {
      this.#watcher.once('ready', () => {
        resolve();
        // What was written between the first load and now has made no event.
        this.#changed();
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#poll.cancel();
    this.#pending?.cancel();
    await this.#watcher.close();
  }

  /** Waits until all is quiet, but not for ever: something may write into the folder all the time. */
  #changed(): void {
    const now = this.#clock.monotonicMs();
    if (this.#pending) this.#pending.cancel();
    else this.#firstChangeAt = now;
    const wait = Math.min(this.#debounceMs, this.#firstChangeAt + MAX_WAIT_MS - now);
    this.#pending = this.#clock.after(Math.max(0, wait), () => {
      this.#pending = null;
      this.#onChange();
    });
  }

  #look(): void {
    this.#poll = this.#clock.after(this.#pollMs, () => this.#look());
    if (!this.#pending) this.#onChange();
  }
}
