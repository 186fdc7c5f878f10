/** When it is this worker's turn to claim a vacancy: the order of rules/ranking.ts, in time. */

import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type { JobsetId, WorkerId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import { rankOf } from '../shared/rules/ranking.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Members } from './members.ts';
import type { Sightings } from './sightings.ts';

export interface TurnsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly me: WorkerRecord;
  readonly timing: Pick<LeaseTiming, 'ttlMs' | 'rankStepMs'>;
  readonly members: Members;
  readonly sightings: Sightings;
  /** It has come, for a jobset that had to wait. */
  readonly onTurn: (id: JobsetId) => void;
}

interface Turn {
  /** The vacancy that it is for: of `own/` and of the jobset, as they were seen. */
  readonly ownRevision: Revision;
  readonly revision: Revision;
  /** Said by the timer, not by the time: a timer may go off a fraction of a millisecond early. */
  hasCome: boolean;
  readonly timer: Timer;
}

export class Turns {
  readonly #options: TurnsOptions;
  readonly #turns = new Map<JobsetId, Turn>();

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /**
   * True when it has come; else `onTurn` is called when it does. `isMine`: this worker runs it already,
   * or it was put under its lease; nobody is asked to wait then.
   */
  hasCome(id: JobsetId, isMine: boolean): boolean {
    const { clock, members, sightings, onTurn } = this.#options;
    if (!members.isComplete) return false;
    const { ownRevision, revision } = sightings.of(id);
    const known = this.#turns.get(id);
    if (known?.ownRevision === ownRevision && known.revision === revision) return known.hasCome;
    this.over(id);
    const waitMs = this.#waitMs(id, isMine);
    if (waitMs === 0) return true;
    if (waitMs === null) return false;
    const timer = clock.after(waitMs, () => {
      turn.hasCome = true;
      onTurn(id);
    });
    const turn: Turn = { ownRevision, revision, hasCome: false, timer };
    this.#turns.set(id, turn);
    return false;
  }

  /** It is vacant no more, or gone. */
  over(id: JobsetId): void {
    this.#turns.get(id)?.timer.cancel();
    this.#turns.delete(id);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#turns.keys()]) this.over(id);
  }

  /** Null when it is not for this worker. */
  #waitMs(id: JobsetId, isMine: boolean): number | null {
    const { me, random, timing, members, sightings } = this.#options;
    const candidates = members.live;
    const heldBy = (one: WorkerId): number => sightings.heldBy(one);
    const vacancy = { id, ...sightings.placementOf(id) };
    const rank = rankOf(me, vacancy, { candidates, heldBy });
    if (rank === null) return null;
    if (isMine) return 0;
    const isAlone = candidates.every((one) => one.id === me.id);
    const turnMs = isAlone ? 0 : (rank + random.next()) * timing.rankStepMs;
    // Whoever is to try its endpoints next may be slow for a moment, and it would stay here for good.
    const avoidedMs = vacancy.avoid.includes(me.id) && !isAlone ? timing.ttlMs : 0;
    return sightings.holdMsOf(id) + avoidedMs + turnMs;
  }
}
