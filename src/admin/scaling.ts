/**
 * Says how large the pool should be while this admin leads: picture of the fleet → verdict → record
 * `scaling` → **announcement** → sinks, hook. The record carries the episode of *scaling limit hit* from
 * one leader to the next. It is written first and announced then: whatever dies between the two, nothing
 * is announced twice, and the level, which is announced every minute, tells what was not said.
 */

import { isUnavailable } from '../shared/coordination/backoff.ts';
import { decodeDefinitions } from '../shared/coordination/definitions.ts';
import type { Term } from '../shared/coordination/election.ts';
import type { Keys } from '../shared/coordination/keys.ts';
import type { Entry, KeyValueStore, Read, Revision } from '../shared/coordination/kv.ts';
import { decodeScaling, encodeScaling } from '../shared/coordination/records.ts';
import type { CheckId } from '../shared/domain/check.ts';
import type { ScalingEmission, ScalingEvent } from '../shared/domain/delivery.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Jobset, ScalingRecord } from '../shared/domain/jobset.ts';
import type { ScalingSettings } from '../shared/domain/pool-settings.ts';
import {
  afterChange,
  type Desired,
  episodeChange,
  foldDesired,
  foldQueue,
  isQueued,
  judgeScaling,
  type QueueWatch,
} from '../shared/rules/scaling.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import type { Fleet, FleetListener } from './fleet.ts';
import {
  demandOn,
  eventOf,
  quarantinedIn,
  recordOf,
  type ScalingLevel,
  samplesOf,
} from './scaling-level.ts';

export interface ScalingOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings: Pick<ScalingSettings, 'pool' | 'waitingGraceMs'>;
  /** Must not throw. Each event is announced at most once, whichever admins lead. */
  readonly announce: (emission: ScalingEmission) => void;
}

/** The level is announced so often… */
const EVERY_MS = 60_000;
/** …and at once when there is news, though no more often than this. */
const LEAST_MS = 10_000;
const RETRY_MS = 1_000;
/** Jobs named in an event. */
const NAMED_JOBS = 100;
/** Whose definitions are read in one transaction. */
const NAMED_JOBSETS = 16;

interface Stored {
  readonly revision: Revision;
  /** Null where there is none that can be read. */
  readonly record: ScalingRecord | null;
}

/** A record on its way to the store, and what is said once it stands there. */
interface Attempt {
  readonly value: Buffer;
  readonly level: ScalingLevel;
  readonly event: ScalingEvent | null;
}

/** What one term knows. */
interface Reign {
  readonly term: Term;
  /** Null before the record was read. */
  stored: Stored | null;
  queue: QueueWatch | null;
  desired: Desired | null;
  level: ScalingLevel | null;
  /** Whose outcome is not known yet. */
  attempt: Attempt | null;
  /** What has last been announced, and when: monotonic, ms. */
  told: { readonly level: ScalingLevel; readonly at: number } | null;
  /** Monotonic, ms: not before then, as what was tried has failed. */
  retryAt: number;
}

export class Scaling implements FleetListener {
  readonly #options: ScalingOptions;
  #reign: Reign | null = null;
  #isBusy = false;

  constructor(options: ScalingOptions) {
    this.#options = options;
  }

  /** Null while this process does not lead. */
  get level(): ScalingLevel | null {
    return this.#reign?.level ?? null;
  }

  update(fleet: Fleet, term: Term): void {
    if (this.#reign?.term !== term) this.#reign = begin(term);
    const reign = this.#reign;
    this.#judge(reign, fleet);
    if (this.#isBusy || this.#now < reign.retryAt) return;
    this.#isBusy = true;
    void this.#act(reign, fleet);
  }

  over(): void {
    this.#reign = null;
  }

  get #now(): number {
    return this.#options.clock.monotonicMs();
  }

  #judge(reign: Reign, fleet: Fleet): void {
    const verdict = judgeScaling(demandOn(fleet, this.#options.clock.now()));
    reign.queue = foldQueue(reign.queue, verdict.waitingJobs > 0, this.#now);
    if (reign.stored === null) return;
    const { record } = reign.stored;
    // What the leader before has said counts until this one knows better.
    const before = reign.desired ?? (record && { workers: record.desiredWorkers, fewer: null });
    reign.desired = foldDesired(before, verdict.desiredWorkers, this.#now);
    reign.level = {
      ...verdict,
      desiredWorkers: reign.desired.workers,
      episode: record?.episode ?? null,
      quarantinedJobs: quarantinedIn(fleet),
    };
  }

  /** Never rejects: what could not be done is tried again. */
  async #act(reign: Reign, fleet: Fleet): Promise<void> {
    try {
      if (reign.stored === null) reign.stored = await this.#read();
      else await this.#say(reign, fleet);
    } catch (err) {
      reign.retryAt = this.#now + RETRY_MS;
      if (!isUnavailable(err)) this.#options.log.warn('the size of the pool is not told', { err });
    } finally {
      this.#isBusy = false;
    }
  }

  async #read(): Promise<Stored> {
    const { store, keys } = this.#options;
    const { entries } = await store.snapshot(keys.scaling);
    return this.#storedIn(entries.find(({ key }) => key === keys.scaling));
  }

  /** One that cannot be read is written anew: it is what the leader of the moment says. */
  #storedIn(entry: Entry | undefined): Stored {
    if (entry === undefined) return { revision: 0, record: null };
    const { modRevision: revision } = entry;
    try {
      return { revision, record: decodeScaling(entry) };
    } catch (err) {
      if (!(err instanceof WatcherError && err.code === 'WCH_RECORD')) throw err;
      this.#options.log.warn('the record of the size of the pool is written anew', { err });
      return { revision, record: null };
    }
  }

  async #say(reign: Reign, fleet: Fleet): Promise<void> {
    reign.attempt ??= await this.#due(reign, fleet);
    const { attempt } = reign;
    if (attempt === null) return;
    const stands = await this.#write(reign, attempt);
    reign.attempt = null;
    if (!stands) {
      reign.retryAt = this.#now + RETRY_MS;
      return;
    }
    this.#announce(reign, attempt);
  }

  /** What is to be said now; null: nothing. */
  async #due(reign: Reign, fleet: Fleet): Promise<Attempt | null> {
    const { settings, random } = this.#options;
    const { queue, level } = reign;
    if (queue === null || level === null) return null;
    const given = { now: this.#now, graceMs: settings.waitingGraceMs };
    const change = episodeChange(level.episode, queue, given);
    if (change === null) return this.#isLevelDue(reign) ? attemptOf(level, null) : null;
    const fresh = { id: random.uuid(), raisedAt: level.at, jobs: level.waitingJobs };
    const episode = level.episode ?? fresh;
    const jobs = change === 'raised' ? await this.#longestWaiting(fleet) : [];
    const event = eventOf({ change, episode, level, jobs });
    return attemptOf({ ...level, episode: change === 'raised' ? episode : null }, event);
  }

  #isLevelDue({ told, level }: Reign): boolean {
    if (told === null || level === null) return true;
    const dueMs = isNews(told.level, level) ? LEAST_MS : EVERY_MS;
    return this.#now - told.at >= dueMs;
  }

  /** False when another record stands. The value is ours alone: an answer that was lost is read back by it. */
  async #write(reign: Reign, { value, level }: Attempt): Promise<boolean> {
    const { store, keys } = this.#options;
    const key = keys.scaling;
    const { succeeded, revision, reads } = await store.commit(
      [reign.term.condition, { key, modRevision: reign.stored?.revision ?? 0 }],
      [{ kind: 'put', key, value }],
      [{ kind: 'get', key }],
    );
    const entry = reads[0]?.[0];
    const stands = succeeded || entry?.value.equals(value) === true;
    reign.stored = succeeded ? { revision, record: recordOf(level) } : this.#storedIn(entry);
    return stands;
  }

  #announce(reign: Reign, { level, event }: Attempt): void {
    const { settings, announce, log } = this.#options;
    reign.level = level;
    reign.told = { level, at: this.#now };
    if (event !== null && reign.queue !== null) {
      reign.queue = afterChange(reign.queue, event.change, this.#now);
      const { episode, waitingJobs, workers, desiredWorkers, jobs } = event;
      if (event.change === 'cleared') log.info('scaling limit cleared', { episode, workers });
      else log.warn('scaling limit hit', { episode, waitingJobs, workers, desiredWorkers, jobs });
    }
    const { pool } = settings;
    announce({ kind: 'scaling', at: level.at, pool, samples: samplesOf(level, pool), event });
  }

  /** Keys of jobs. The definitions are asked, as not all jobs stand in the folder; else ids. */
  async #longestWaiting(fleet: Fleet): Promise<readonly string[]> {
    const { store, keys } = this.#options;
    const queue = queueOf(fleet).slice(0, NAMED_JOBSETS);
    const reads = queue.map(({ id }): Read => ({ kind: 'list', prefix: keys.definitions(id) }));
    const answer = await store.commit([], reads);
    return queue
      .flatMap(({ jobs }, i) => {
        const known = keysIn(answer.reads[i] ?? []);
        return jobs.map((id) => known.get(id) ?? id);
      })
      .slice(0, NAMED_JOBS);
  }
}

const begin = (term: Term): Reign => ({
  term,
  stored: null,
  queue: null,
  desired: null,
  level: null,
  attempt: null,
  told: null,
  retryAt: 0,
});

/** What somebody acts on, be it an autoscaling group or a person. */
const isNews = (told: ScalingLevel, level: ScalingLevel): boolean =>
  told.desiredWorkers !== level.desiredWorkers ||
  told.workers !== level.workers ||
  told.waitingJobs !== level.waitingJobs ||
  told.quarantinedJobs !== level.quarantinedJobs ||
  (told.futile === null) !== (level.futile === null);

const attemptOf = (level: ScalingLevel, event: ScalingEvent | null): Attempt => ({
  value: encodeScaling(recordOf(level)),
  level,
  event,
});

/** The first one has waited longest. */
const queueOf = (fleet: Fleet): readonly Jobset[] => {
  const queue = [...fleet.waiting.values()].filter(
    ({ waiting }) => waiting !== null && isQueued(waiting),
  );
  return queue.sort((a, b) => (a.waiting?.since ?? 0) - (b.waiting?.since ?? 0));
};

const keysIn = (chunks: readonly Entry[]): ReadonlyMap<CheckId, string> => {
  try {
    return new Map(decodeDefinitions(chunks).map(({ id, key }) => [id, key]));
  } catch {
    return new Map();
  }
};
