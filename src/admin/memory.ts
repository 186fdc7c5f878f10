/**
 * What a leader has done and its picture does not show yet, or never will. A new leader begins with
 * nothing: what it then does twice is bounded by the same rules.
 */

import type { Revision } from '../shared/coordination/kv.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { FleetJobset, FleetWorker } from './fleet.ts';

/** By then most of what was placed has run, and the worker's own figure tells. */
const COUNTED_MS = 60_000;
/** A jobset is moved for balance at most once in that time, while it is where it was moved to. */
const MOVED_MS = 600_000;
/** A worker that was given its first jobsets so short a time ago is still being filled. */
const FILLING_MS = 15_000;
/** A balance that has moved something so short a time ago goes on until it is good, not only bearable. */
const BALANCING_MS = 90_000;
const MINUTE_MS = 60_000;
/** So often, and no more, donors may be asked again. */
export const ROUND_MS = 5_000;
/** A worker whose scheduler stood still is given nothing for that long. */
const EVICTED_MS = 600_000;

/** What was said of some keys, each for some time after it was last said. */
class Recent<K, V> {
  readonly #lastMs: number;
  /** In the order in which they end. */
  readonly #said = new Map<K, { readonly value: V; readonly at: number }>();

  constructor(lastMs: number) {
    this.#lastMs = lastMs;
  }

  say(key: K, value: V, now: number): void {
    this.#said.delete(key);
    this.#said.set(key, { value, at: now });
    for (const [old, { at }] of this.#said) {
      if (now - at < this.#lastMs) break;
      this.#said.delete(old);
    }
  }

  of(key: K, now: number): V | null {
    const said = this.#said.get(key);
    return said !== undefined && now - said.at < this.#lastMs ? said.value : null;
  }
}

/** What a worker holds asks for, said its last beat; without what it has handed over since, or is to. */
export const measuredOf = ({ beat, jobs, going }: FleetWorker): number => {
  if (beat === null || beat.checks === 0) return 0;
  return beat.load.places * Math.min(1, (jobs - going) / beat.checks);
};

export class Memory {
  readonly #given = new Map<WorkerId, { readonly places: number; readonly until: number }>();
  readonly #written = new Map<JobsetId, Revision>();
  readonly #moved = new Recent<JobsetId, WorkerId>(MOVED_MS);
  readonly #filling = new Recent<WorkerId, true>(FILLING_MS);
  readonly #evicted = new Recent<WorkerId, true>(EVICTED_MS);
  #balancingMoves: readonly number[] = [];
  #roundAt = Number.NEGATIVE_INFINITY;

  /** At least so many places will be asked of it by what it was given lately. */
  atLeast(worker: WorkerId, now: number): number {
    const given = this.#given.get(worker);
    return given !== undefined && now < given.until ? given.places : 0;
  }

  /** The picture does not show yet what has been written about it, or found. */
  isAhead({ id, revision }: FleetJobset): boolean {
    const written = this.#written.get(id);
    if (written === undefined || revision < written) return written !== undefined;
    this.#written.delete(id);
    return false;
  }

  /** To whom it was moved for balance lately; null: to nobody. */
  movedTo(jobset: JobsetId, now: number): WorkerId | null {
    return this.#moved.of(jobset, now);
  }

  isFilling(worker: WorkerId, now: number): boolean {
    return this.#filling.of(worker, now) !== null;
  }

  wasEvicted(worker: WorkerId, now: number): boolean {
    return this.#evicted.of(worker, now) !== null;
  }

  isBalancing(now: number): boolean {
    const last = this.#balancingMoves.at(-1);
    return last !== undefined && now - last < BALANCING_MS;
  }

  /** Moves for balance in the last minute. */
  balancingMoves(now: number): number {
    return this.#balancingMoves.filter((at) => now - at < MINUTE_MS).length;
  }

  isRoundDue(now: number): boolean {
    return now - this.#roundAt >= ROUND_MS;
  }

  round(now: number): void {
    this.#roundAt = now;
  }

  /** `revision`: where the jobset stands, says the store. */
  stands(jobset: JobsetId, revision: Revision): void {
    this.#written.set(jobset, revision);
  }

  gave(worker: FleetWorker, places: number, now: number): void {
    const { id } = worker.record;
    const before = Math.max(this.atLeast(id, now), measuredOf(worker));
    this.#given.set(id, { places: before + places, until: now + COUNTED_MS });
  }

  moved(jobset: JobsetId, to: WorkerId, now: number): void {
    this.#moved.say(jobset, to, now);
  }

  filled(worker: WorkerId, now: number): void {
    this.#filling.say(worker, true, now);
  }

  balanced(now: number): void {
    this.#balancingMoves = [...this.#balancingMoves.filter((at) => now - at < MINUTE_MS), now];
  }

  evicted(worker: WorkerId, now: number): void {
    this.#evicted.say(worker, true, now);
  }
}
