/** Who works in the pool, as this worker sees it: fed by the watch of `worker/`. */

import type { Keys } from '../shared/coordination/keys.ts';
import type { Change, Entry } from '../shared/coordination/kv.ts';
import { decodeWorker } from '../shared/coordination/records.ts';
import type { WorkerId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';

export class Members {
  readonly #keys: Keys;
  readonly #onSnapshot: () => void;
  readonly #records = new Map<WorkerId, WorkerRecord>();
  #live: readonly WorkerRecord[] | null = null;
  #isComplete = false;

  constructor(keys: Keys, onSnapshot: () => void) {
    this.#keys = keys;
    this.#onSnapshot = onSnapshot;
  }

  /** Before the first picture has come, everybody would think to be alone. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Those that take jobsets, be it last; another list after each change. */
  get live(): readonly WorkerRecord[] {
    this.#live ??= [...this.#records.values()].filter(isLive);
    return this.#live;
  }

  /** Also one on its way out. */
  has(id: WorkerId): boolean {
    return this.#records.has(id);
  }

  isLive(id: WorkerId): boolean {
    const record = this.#records.get(id);
    return record !== undefined && isLive(record);
  }

  membersAre(entries: readonly Entry[]): void {
    this.#records.clear();
    for (const entry of entries) this.#put(entry);
    this.#live = null;
    this.#isComplete = true;
    this.#onSnapshot();
  }

  membersChanged(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.kind === 'put') this.#put(change.entry);
      else this.#records.delete(this.#keys.workerOf(change.key));
    }
    this.#live = null;
  }

  /** A record that only a newer watcher can read is nobody to reckon with. */
  #put(entry: Entry): void {
    const id = this.#keys.workerOf(entry.key);
    try {
      this.#records.set(id, decodeWorker(id, entry));
    } catch {
      this.#records.delete(id);
    }
  }
}

const isLive = ({ state }: WorkerRecord): boolean => state !== 'draining';
