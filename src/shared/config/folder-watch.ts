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

export interface FolderWatch {
  close(): Promise<void>;
}

/** As long as an editor or a checkout may take between two files. */
const DEBOUNCE_MS = 300;
const POLL_MS = 60_000;

export const watchFolder = (
  dir: string,
  { clock, onChange, pollMs = POLL_MS, debounceMs = DEBOUNCE_MS }: FolderWatchOptions,
): FolderWatch => {
  let pending: Timer | null = null;
  let poll: Timer | null = null;
  const tell = (): void => {
    pending = null;
    onChange();
  };
  const changed = (): void => {
    pending?.cancel();
    pending = clock.after(debounceMs, tell);
  };
  const look = (): void => {
    poll = clock.after(pollMs, look);
    if (!pending) onChange();
  };
  const watcher = watchEvents(dir, changed);
  poll = clock.after(pollMs, look);
  return {
    close: async () => {
      pending?.cancel();
      poll?.cancel();
      await watcher.close();
    },
  };
};

const watchEvents = (dir: string, changed: () => void): FSWatcher =>
  watch(dir, { depth: 0, ignoreInitial: true })
    .on('all', changed)
    // Polling goes on without events; what is wrong with the folder, the loader tells.
    .on('error', () => {});
