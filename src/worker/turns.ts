/**
 * When it is this worker's turn to claim a vacancy: the order of rules/ranking.ts, in time.
 *
 * Most vacancies are anybody's, and each waits for those before it. One that the leader has ordered to a
 * worker is that worker's, and others come a lease later, should it not. One in the waiting queue is for
 * the leader to place. A worker that is full lets the others go first for a lease; where the pool sheds, it
 * takes nothing at all.
 */

import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type { Placement } from '../shared/coordination/records.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { ScalingMode } from '../shared/domain/pool-settings.ts';
import { type Field, fieldOf, mayRun, rankOf } from '../shared/rules/ranking.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Members } from './members.ts';
import type { Sightings } from './sightings.ts';

export interface TurnsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly me: WorkerRecord;
  readonly timing: Pick<LeaseTiming, 'ttlMs' | 'rankStepMs'>;
  readonly mode: ScalingMode;
  readonly isFull: () => boolean;
  readonly members: Members;
  readonly sightings: Sightings;
  /** It has come, for a jobset that had to wait. */
  readonly onTurn: (id: JobsetId) => void;
}

/** What waits is for the leader to place: one that has not done so for this long is not there. */
const UNPLACED_MS = 30_000;

interface Turn {
  /** The vacancy that it is for: of `own/` and of the jobset, as they were seen. */
  readonly ownRevision: Revision;
  readonly revision: Revision;
  /** Whether this worker was full then. */
  readonly isFull: boolean;
  /** Since when it has been vacant, as far as is known here; monotonic ms. */
  readonly vacantAt: number;
  /** Said by the timer, not by the time: a timer may go off a fraction of a millisecond early. */
  hasCome: boolean;
  /** Null where it is not for this worker as things are. */
  readonly timer: Timer | null;
}

/** What the ranks of many vacancies have in common. */
interface KnownField {
  readonly field: Field;
  readonly live: readonly WorkerRecord[];
  /** Monotonic ms. */
  readonly at: number;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #turns = new Map<JobsetId, Turn>();
  #known: KnownField | null = null;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /**
   * True when it has come; else `onTurn` is called when it does, unless it is not for this worker now.
   * `isMine`: this worker runs it already, or it was put under its lease; nobody is asked to wait then.
   */
  hasCome(id: JobsetId, isMine: boolean): boolean {
    const { clock, members, sightings, onTurn, isFull } = this.#options;
    if (!members.isComplete) return false;
    const { ownRevision, revision } = sightings.of(id);
    const now = { ownRevision, revision, isFull: isFull() };
    const known = this.#turns.get(id);
    if (known && isSame(known, now)) return known.hasCome;
    const vacantAt = known?.ownRevision === ownRevision ? known.vacantAt : clock.monotonicMs();
    this.over(id);
    const waitMs = isMine ? this.#mineMs(id) : this.#waitMs(id, { isFull: now.isFull, vacantAt });
    if (waitMs === 0) return true;
    const come = () => {
      turn.hasCome = true;
      onTurn(id);
    };
    const timer = waitMs === null ? null : clock.after(waitMs, come);
    const turn: Turn = { ...now, vacantAt, hasCome: false, timer };
    this.#turns.set(id, turn);
    return false;
  }

  /** It is vacant no more, or gone. */
  over(id: JobsetId): void {
    this.#turns.get(id)?.timer?.cancel();
    this.#turns.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#turns.keys()]) this.over(id);
  }

  #mineMs(id: JobsetId): number | null {
    const { me, sightings } = this.#options;
    return mayRun(me, sightings.placementOf(id)) ? 0 : null;
  }

  /** Null when it is not for this worker, or not while it is full. */
  #waitMs(id: JobsetId, { isFull, vacantAt }: Pick<Turn, 'isFull' | 'vacantAt'>): number | null {
    const { clock, me, mode, sightings } = this.#options;
    const placement = sightings.placementOf(id);
    const { waiting, moveTo } = placement;
    if (!mayRun(me, placement)) return null;
    // Counted from the vacancy: what the leader writes meanwhile makes it no longer.
    const holdMs = Math.max(0, vacantAt + sightings.holdMsOf(id) - clock.monotonicMs());
    if (moveTo === me.id) return holdMs;
    if (waiting !== null) {
      if (isFull || waiting.reason === 'quarantined') return null;
      return holdMs + UNPLACED_MS + this.#turnMs(id, placement);
    }
    if (isFull && mode === 'shed') return null;
    return holdMs + this.#behindMs(placement, isFull) + this.#turnMs(id, placement);
  }

  /** For how long others alone are to try. */
  #behindMs(placement: Placement, isFull: boolean): number {
    const { me, timing, members } = this.#options;
    const { avoid, moveTo } = placement;
    if (moveTo === null && !isFull && !avoid.includes(me.id)) return 0;
    const others = members.live.filter((one) => one.id !== me.id && mayRun(one, placement));
    const isOrdered = moveTo !== null && others.some(({ id }) => id === moveTo);
    // Whoever is to try its endpoints next may be slow for a moment, and it would stay here for good.
    const isAvoided = others.length > 0 && avoid.includes(me.id);
    const isSpared = isFull && others.some(({ state }) => state === 'up');
    return isOrdered || isAvoided || isSpared ? timing.ttlMs : 0;
  }

  #turnMs(id: JobsetId, placement: Placement): number {
    const { me, random, timing, members } = this.#options;
    if (members.live.every((one) => one.id === me.id)) return 0;
    const rank = rankOf({ id, ...placement }, this.#field) ?? 0;
    return (rank + random.next()) * timing.rankStepMs;
  }

  /** Counts change with each claim; what they were a moment ago is as good to rank by. */
  get #field(): Field {
    const { clock, me, isFull, timing, members, sightings } = this.#options;
    const { live } = members;
    const at = clock.monotonicMs();
    if (this.#known?.live === live && at - this.#known.at < timing.rankStepMs)
      return this.#known.field;
    const heldBy = (one: WorkerId): number => sightings.heldBy(one);
    const record = { ...me, state: isFull() ? ('full' as const) : me.state };
    const field = fieldOf(record, { candidates: live, heldBy });
    this.#known = { field, live, at };
    return field;
  }
}

const isSame = (turn: Turn, now: Pick<Turn, 'ownRevision' | 'revision' | 'isFull'>): boolean =>
  turn.ownRevision === now.ownRevision &&
  turn.revision === now.revision &&
  turn.isFull === now.isFull;
