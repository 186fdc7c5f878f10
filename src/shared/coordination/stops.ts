/** Where the last owner of a jobset stopped: claim → **stops** → the next owner's first ticks. */

import type { JobsetId, WorkerId } from '../domain/check.ts';
import type { Handover, Progress } from '../domain/jobset.ts';
import type { Clock } from '../runtime/clock.ts';
import { isUnavailable } from './backoff.ts';
import type { Keys } from './keys.ts';
import type { Entry, KeyValueStore } from './kv.ts';
import { decodeCheckpoint, decodeProgress } from './records.ts';

/** A killed worker's jobsets are taken over within this: older ticks than that are not caught up blindly. */
export const GAP_MS = 10_000;

export class Stops {
  readonly #options: {
    readonly store: KeyValueStore;
    readonly keys: Keys;
    readonly clock: Clock;
  };

  constructor(options: {
    readonly store: KeyValueStore;
    readonly keys: Keys;
    readonly clock: Clock;
  }) {
    this.#options = options;
  }

  /**
   * A damaged checkpoint must not stop its jobset: what is not known then is caught up for `GAP_MS`. The
   * same holds when the progress of the last owner cannot be read now: a store that goes away at this
   * moment must not make the jobset blind.
   */
  async of(jobset: JobsetId, entry: Entry | undefined): Promise<Handover> {
    if (entry === undefined) return { progress: null, states: {} };
    const unknown: Progress = { through: this.#options.clock.now() - GAP_MS, open: [] };
    const checkpoint = readable(entry, decodeCheckpoint);
    if (checkpoint === null) return { progress: unknown, states: {} };
    const { worker, states, waited } = checkpoint;
    // One of a first claim names its owner and has a progress: nothing has been told since.
    const told = checkpoint.progress;
    const progress = told ?? (worker === null ? null : await this.#progressOf(jobset, worker));
    return { progress: progress ?? unknown, states, ...(waited && { waited }) };
  }

  async #progressOf(jobset: JobsetId, worker: WorkerId): Promise<Progress | null> {
    const entry = await this.#read(this.#options.keys.progress(worker));
    const progress = entry === undefined ? null : readable(entry, decodeProgress);
    return progress?.left[jobset] ?? progress;
  }

  /** Undefined also when the store cannot be asked, twice in a row. */
  async #read(key: string): Promise<Entry | undefined> {
    for (let tries = 0; tries < 2; tries += 1) {
      try {
        return (await this.#options.store.commit([], [{ kind: 'get', key }])).reads[0]?.[0];
      } catch (error) {
        if (!isUnavailable(error)) throw error;
      }
    }
    return undefined;
  }
}

const readable = <T>(entry: Entry, decode: (entry: Entry) => T): T | null => {
  try {
    return decode(entry);
  } catch {
    return null;
  }
};
