/**
 * That no jobset stays free for long: whoever has room takes it at once; where all are full, one of them
 * does a lease later, or, where the pool sheds, the leader puts it into the waiting queue.
 */

import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import type { JobsetId } from '../../src/shared/domain/check.ts';
import type { ScalingMode } from '../../src/shared/domain/pool-settings.ts';
import type { Ownership, Report, Standing } from './ownership.ts';

/** Ranks, jitter, a call or two. */
const VACANT_MS = 2500 + 1000;
/** The one that is to take it may have died unnoticed. */
const ORDERED_MS = 6000;
/** A leader that sees that nobody claims it waits a while before it missed it. */
const QUEUED_MS = 15_000;

/** Who could take something just now. */
export interface Takers {
  readonly now: number;
  /** The store serves, and some worker has had nothing to complain of for a while. */
  readonly areSound: boolean;
  /** One of those says that it has room. */
  readonly haveRoom: boolean;
  /** Some worker that lives says so, sound or not: the leader believes it until it is evicted. */
  readonly isRoomSaid: boolean;
  /** Since when nothing has been wrong with the store and the admins. */
  readonly ledSince: number;
}

export class Vacancies {
  readonly #ownership: Ownership;
  readonly #mode: ScalingMode;
  readonly #report: Report;
  #soundSince = 0;
  #roomSince = 0;
  #deniedSince = 0;

  constructor(ownership: Ownership, mode: ScalingMode, report: Report) {
    this.#ownership = ownership;
    this.#mode = mode;
    this.#report = report;
  }

  /** Once a second. */
  look({ now, areSound, haveRoom, isRoomSaid, ledSince }: Takers): void {
    if (!areSound) this.#soundSince = now;
    if (!areSound || !haveRoom) this.#roomSince = now;
    if (isRoomSaid) this.#deniedSince = now;
    const isShed = this.#mode === 'shed';
    const queuingSince = Math.max(this.#soundSince, this.#deniedSince, ledSince);
    const fullSince = isShed ? queuingSince : this.#soundSince;
    const fullMs = VACANT_MS + (isShed ? QUEUED_MS : LEASE_TIMING.ttlMs);
    for (const [id, { vacantSince, moveTo }] of this.#vacant()) {
      const orderedMs = moveTo === null ? 0 : ORDERED_MS;
      const freeMs = (since: number) => now - Math.max(vacantSince, since) - orderedMs;
      const what = `${id} is free for ${(now - vacantSince).toFixed(0)} ms`;
      if (freeMs(this.#roomSince) > VACANT_MS)
        this.#report('I6', `${what} though a sound worker has room`);
      else if (freeMs(fullSince) > fullMs)
        this.#report('I6', `${what}, and neither run nor missed`);
    }
  }

  #vacant(): [JobsetId, Standing][] {
    return [...this.#ownership.jobsets].filter(
      ([, { exists, term, waiting }]) => exists && term === null && waiting === null,
    );
  }
}
