/** Who is suspected of what, once a jobset has been claimed: traces of the owner before → **inquest** → caution. */

import { isAway } from '../shared/coordination/backoff.ts';
import type { LeaseTiming } from '../shared/coordination/heartbeat.ts';
import type { ClaimedJobset, Ledger } from '../shared/coordination/ledger.ts';
import { isRegistered, type Traces } from '../shared/coordination/suspects.ts';
import type { CheckDefinition, CheckId, WorkerId } from '../shared/domain/check.ts';
import type { Progress, Suspicion } from '../shared/domain/jobset.ts';
import { type Pace, suspectsAfter, undoneAmong } from '../shared/rules/suspicion.ts';
import type { Clock } from '../shared/runtime/clock.ts';

export interface InquestOptions {
  readonly clock: Clock;
  readonly ledger: Pick<Ledger, 'store' | 'keys' | 'random'>;
  readonly worker: WorkerId;
  readonly timing: Pick<LeaseTiming, 'ttlMs' | 'heartbeatMs'>;
  /** Whether a worker is there, as far as is known here: then it may not have died. */
  readonly isMember: (id: WorkerId) => boolean;
}

export interface Finding {
  readonly suspected: ReadonlyMap<CheckId, Suspicion>;
  /** Nobody is to run these. */
  readonly guilty: ReadonlyMap<CheckId, Suspicion>;
  /** The ledger says otherwise. */
  readonly isNews: boolean;
}

/** Between two heartbeats lies at most this much more: their jitter, and the time of a transaction. */
const BEAT_SLACK_MS = 1_000;

export class Inquest {
  readonly #options: InquestOptions;
  readonly #pace: Pace;

  constructor(options: InquestOptions) {
    const { ttlMs, heartbeatMs } = options.timing;
    const beatMs = heartbeatMs + BEAT_SLACK_MS;
    this.#options = options;
    this.#pace = { beatMs, takeoverMs: ttlMs + beatMs };
  }

  /** Null when nobody is suspected, and nobody was. */
  async into(
    definitions: ClaimedJobset['definitions'],
    traces: Traces,
    progress: Progress,
  ): Promise<Finding | null> {
    const previous = traces.suspects?.jobs ?? {};
    const hasDied = await this.#hasDied(traces);
    const undone = hasDied ? this.#undone(definitions, traces, progress) : null;
    const { jobs, guilty } = suspectsAfter(previous, undone, this.#options.clock.now());
    const all = Object.entries(jobs) as [CheckId, Suspicion][];
    if (all.length === 0 && traces.suspects === null) return null;
    const before = Object.values(previous);
    const isLess = all.length < before.length || before.some(({ isTried }) => isTried);
    return {
      suspected: new Map(all.filter(([job]) => !guilty.has(job))),
      guilty: new Map(all.filter(([job]) => guilty.has(job))),
      isNews: hasDied || isLess,
    };
  }

  /** One that was cut off, and is there again, has not. */
  async #hasDied({ isAbandoned, heldBy }: Traces): Promise<boolean> {
    const { worker, isMember } = this.#options;
    if (!isAbandoned || heldBy === worker) return false;
    return heldBy === null || !isMember(heldBy) || !(await this.#isRegistered(heldBy));
  }

  /** Where nobody can tell, it counts as dead: one suspicion too many does little harm. */
  async #isRegistered(id: WorkerId): Promise<boolean> {
    try {
      return await isRegistered(this.#options.ledger, id);
    } catch (error) {
      if (isAway(error)) return false;
      throw error;
    }
  }

  #undone(
    definitions: readonly CheckDefinition[],
    { isUntold }: Traces,
    progress: Progress,
  ): ReadonlySet<CheckId> {
    if (isUntold) return new Set(definitions.map(({ id }) => id));
    return undoneAmong(definitions, progress, {
      now: this.#options.clock.now(),
      pace: this.#pace,
    });
  }
}
