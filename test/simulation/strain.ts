/** How much there is to do in a simulated pool for what its workers can: said by their heartbeats. */

import type { Keys } from '../../src/shared/coordination/keys.ts';
import { type Change, keyOf } from '../../src/shared/coordination/kv.ts';
import type { Capacity } from '../../src/shared/domain/jobset.ts';
import type { ScalingMode } from '../../src/shared/domain/pool-settings.ts';
import { ROOM_BELOW } from '../../src/shared/rules/load.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { Ownership } from './ownership.ts';

const ROOMY_PLACES = 256;
/** Enough for targets that answer soon. */
const CRAMPED_PLACES = 1;

export class Strain {
  /** Half of the worlds are. */
  readonly isCramped: boolean;
  readonly mode: ScalingMode;
  readonly #keys: Keys;
  readonly #asked = new Map<string, number>();
  /** Workers whose records say that they take something. */
  readonly #roomy = new Set<string>();

  constructor(keys: Keys, random: Random) {
    this.#keys = keys;
    this.isCramped = random.next() < 0.5;
    this.mode = random.next() < 0.5 ? 'rebalance' : 'shed';
  }

  /** Of each worker. */
  get capacity(): Capacity {
    return { places: this.isCramped ? CRAMPED_PLACES : ROOMY_PLACES, jobs: null };
  }

  /** By some worker's record. */
  get isRoomSaid(): boolean {
    return this.#roomy.size > 0;
  }

  /** Says its record. */
  hasRoom(worker: string): boolean {
    return this.#roomy.has(worker);
  }

  see(change: Change): void {
    const key = keyOf(change);
    if (key.startsWith(this.#keys.workers)) {
      const isUp =
        change.kind === 'put' && JSON.parse(change.entry.value.toString()).state === 'up';
      const worker = this.#keys.workerOf(key);
      if (isUp) this.#roomy.add(worker);
      else this.#roomy.delete(worker);
    }
    if (change.kind !== 'put' || !change.entry.key.startsWith(this.#keys.beats)) return;
    const worker = change.entry.key.slice(this.#keys.beats.length);
    this.#asked.set(worker, JSON.parse(change.entry.value.toString()).load.places);
  }

  /** Nothing waits for a place or an owner, and nobody has to give anything away. */
  isOver({ waitingJobs, quarantined, jobsets }: Ownership, workers: Iterable<string>): boolean {
    if (waitingJobs > 0 || quarantined.length > 0) return false;
    for (const { exists, term } of jobsets.values()) if (exists && term === null) return false;
    const most = ROOM_BELOW * this.capacity.places;
    for (const worker of workers) if ((this.#asked.get(worker) ?? 0) >= most) return false;
    return true;
  }
}
