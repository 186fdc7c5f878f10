/**
 * Claims jobsets, keeps them, hands them back: ledger → **claimer** → workload.
 *
 * CLAIMING → DRAINING → STOPPED
 *
 * CLAIMING  while it has a lease it claims what is free, takes new content on, and gives up what it has
 *           lost. When the lease is lost it goes on running what it held, without proof, until that is
 *           claimed again or somebody else has it.
 * DRAINING  takes nothing more, stops and hands back one jobset after the other.
 * STOPPED   the lease is revoked; whatever was not handed back in time is free through that.
 */

import { backoffMs, isAway, isLeaseLost } from '../shared/coordination/backoff.ts';
import type { BeatOutcome } from '../shared/coordination/beating.ts';
import { follow } from '../shared/coordination/feed.ts';
import { type LeaseTiming, pause } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type { Claim, ClaimedJobset, Ledger, Sight } from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import { Attention } from './attention.ts';
import { Checkpoints } from './checkpoints.ts';
import { type ClaimerState, mayClaim, moveFor } from './claiming.ts';
import { Holdings } from './holdings.ts';
import { Members } from './members.ts';
import { type BeatContents, Membership } from './membership.ts';
import { Sightings } from './sightings.ts';
import { Turns } from './turns.ts';
import type { Authority, Claim as RunClaim, Workload } from './workload.ts';

export interface ClaimerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly workload: Workload;
  readonly worker: WorkerRecord;
  readonly timing: LeaseTiming;
  /** How long what is handed on waits for its runs in flight, a whole drain together. */
  readonly graceMs: number;
  /** How long a drain may take; then the lease is revoked and the rest is an ordinary failover. */
  readonly drainMs: number;
  /** How many checks are run, for the heartbeat. */
  readonly checks: () => number;
  /** A jobset has been claimed, and its checks run. */
  readonly onHeld: (id: JobsetId) => void;
  /** Nothing can be proven from this moment on. */
  readonly onDetached: () => void;
}

/** Claims in flight at a time: more would only load the store when a whole pool starts. */
const CLAIMS_AT_ONCE = 4;
/** A leader that finds the store empty publishes within a lease and an election. */
const ORPHANED_MS = 15_000;
/** Jobsets handed back at a time, or a twentieth of all: the others go on running meanwhile. */
const RELEASES_AT_ONCE = 10;

export class Claimer implements Authority {
  readonly #options: ClaimerOptions;
  readonly #membership: Membership;
  readonly #sightings: Sightings;
  readonly #members: Members;
  readonly #turns: Turns;
  readonly #checkpoints: Checkpoints;
  readonly #attention = new Attention<JobsetId>(CLAIMS_AT_ONCE, (id) => this.#lookAt(id));
  readonly #slice: TimeSlice;
  readonly #stopping = new AbortController();
  readonly #holdings = new Holdings();
  /** Asked for something while nothing could be taken on: in doubt, for example. Seen again with a beat. */
  readonly #postponed = new Set<JobsetId>();
  /** At which revision a jobset could not be read: not again until it changes. */
  readonly #unreadable = new Map<JobsetId, Revision>();
  /** Claims and reloads in a row that the store did not answer. */
  #failures = 0;
  /** Until when what the store does not know any more is run on. */
  #orphanedUntil = Number.NEGATIVE_INFINITY;
  #state: ClaimerState = 'claiming';
  #running: Promise<unknown> = Promise.resolve();
  #drained: Promise<void> | null = null;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    const { clock, random, ledger, worker, workload, timing } = options;
    const notice = (id: JobsetId) => this.#attention.notice(id);
    this.#slice = new TimeSlice(clock);
    this.#sightings = new Sightings(ledger.keys, {
      change: notice,
      wentBack: () => this.#startOver(),
    });
    this.#members = new Members(ledger.keys, () => this.#sightings.recall());
    this.#turns = new Turns({
      clock,
      random,
      me: worker,
      timing,
      members: this.#members,
      sightings: this.#sightings,
      onTurn: notice,
    });
    this.#checkpoints = new Checkpoints(worker.id, workload);
    this.#membership = new Membership({
      ...options,
      content: () => this.#beatContents(),
      onBeat: (outcome) => this.#onBeat(outcome),
      onLeaseLost: () => this.#holdings.runAllOn(),
      onAttached: () => this.#sightings.recall(),
    });
  }

  get state(): ClaimerState {
    return this.#state;
  }

  owns({ jobset, token }: RunClaim): boolean {
    return this.#membership.attached && this.#holdings.claimOf(jobset)?.token === Number(token);
  }

  /** Whether it can prove that it owns all that it runs. */
  get attached(): boolean {
    return this.#holdings.areProven && this.#membership.attached;
  }

  get doubt(): Promise<void> | null {
    return this.#membership.doubt;
  }

  get beatAgeMs(): number {
    return this.#membership.beatAgeMs;
  }

  /** Who works in the pool, as this worker sees it. */
  get members(): Members {
    return this.#members;
  }

  /** As it is held now, provably and not on its way out; else null. */
  claimOf(jobset: JobsetId): Claim | null {
    return mayClaim(this.#state, this.attached) ? this.#holdings.claimOf(jobset) : null;
  }

  /** What a checkpoint says of this jobset is not true any more. */
  stateChanged(id: JobsetId): void {
    // Runs end after their jobset was given up; its checkpoint is somebody else's then.
    if (this.#holdings.get(id)) this.#checkpoints.changed(id);
  }

  start(): void {
    const { clock, random, ledger, log } = this.#options;
    const { signal } = this.#stopping;
    const sightings = this.#sightings;
    const owners = {
      prefix: ledger.keys.owners,
      onSnapshot: sightings.ownersAre.bind(sightings),
      onChanges: sightings.ownersChanged.bind(sightings),
      onGap: () => sightings.ownersMissed(),
    };
    const jobsets = {
      prefix: ledger.keys.jobsets,
      onSnapshot: sightings.jobsetsAre.bind(sightings),
      onChanges: sightings.jobsetsChanged.bind(sightings),
      onGap: () => sightings.jobsetsMissed(),
    };
    const members = {
      prefix: ledger.keys.workers,
      onSnapshot: this.#members.membersAre.bind(this.#members),
      onChanges: this.#members.membersChanged.bind(this.#members),
    };
    const onInterrupted = (err: unknown) => log.debug('the ledger is not followed', { err });
    const known = () => sightings.newest;
    const feeds = [owners, jobsets, members].map((feed) =>
      follow({ store: ledger.store, clock, random, known, onInterrupted, ...feed }, signal),
    );
    this.#running = Promise.all([this.#membership.run(signal), ...feeds]);
  }

  /** Hands everything back, within `drainMs`, and leaves the pool. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  async #lookAt(id: JobsetId): Promise<void> {
    if (this.#slice.isSpent) await this.#slice.rest();
    const sight = this.#sightings.of(id);
    const holding = this.#holdings.get(id);
    const move = moveFor(this.#options.worker.id, sight, holding);
    if (move !== 'claim') this.#turns.over(id);
    if (sight.revision === 0) this.#unreadable.delete(id);
    if (move === 'lose') return this.#loseUnlessOrphaned(id, sight);
    if (move === 'none' || this.#unreadable.get(id) === sight.revision) return;
    if (move === 'claim') this.#holdings.runOn(id);
    if (!this.#mayClaim) {
      this.#postponed.add(id);
      return;
    }
    const isMine = holding !== undefined || sight.owner !== null;
    if (move === 'claim' && !this.#turns.hasCome(id, isMine)) return;
    try {
      if (move === 'claim') await this.#claim(id, sight);
      else if (holding) await this.#reload({ jobset: id, ...holding });
      this.#failures = 0;
    } catch (error) {
      await this.#failed(id, sight, error);
    }
  }

  get #mayClaim(): boolean {
    return this.#sightings.isComplete && mayClaim(this.#state, this.#membership.attached);
  }

  async #claim(id: JobsetId, sight: Sight): Promise<void> {
    const { ledger } = this.#options;
    const by = this.#membership.registration;
    if (by === null) return;
    const outcome = await ledger.claim(id, sight, by);
    if (outcome.claimed === null) this.#sightings.refused(id, sight, outcome.sight);
    else if (this.#state === 'claiming') this.#hold(outcome.claimed);
    else await ledger.release(outcome.claimed.claim, outcome.claimed.handover);
  }

  /** Nothing comes back when the claim is lost or the jobset gone: the watch or the beat says which. */
  async #reload(claim: Claim): Promise<void> {
    const content = await this.#options.ledger.reload(claim);
    if (content === null || this.#state !== 'claiming' || !this.#isCurrent(claim)) return;
    this.#hold(content);
  }

  async #failed(id: JobsetId, sight: Sight, error: unknown): Promise<void> {
    const { clock, random, log } = this.#options;
    // The next beat finds the same, and everything is looked at again under the next lease.
    if (isLeaseLost(error)) return;
    if (isAway(error)) {
      this.#failures += 1;
      await pause(clock, backoffMs(this.#failures, random), this.#stopping.signal);
      this.#attention.notice(id);
      return;
    }
    this.#unreadable.set(id, sight.revision);
    log.error('a jobset cannot be read', { jobset: id, err: error });
  }

  #hold({ claim, definitions, handover }: ClaimedJobset): void {
    const { jobset, token, revision } = claim;
    const { workload, log } = this.#options;
    this.#turns.over(jobset);
    this.#holdings.keep(jobset, { token, revision, proven: true });
    workload.hold({ claim: { jobset, token: String(token) }, definitions, handover });
    if (handover === null) return;
    const owner = this.#options.worker.id;
    this.#sightings.learn(jobset, { revision, ownRevision: token, owner, at: token });
    // The ledger still names the owner before.
    this.#checkpoints.changed(jobset);
    log.info('holds', { jobset, token, checks: definitions.length });
    this.#options.onHeld(jobset);
  }

  /** Revisions have begun again: every claim is void, and jobsets are missing that will be published anew. */
  #startOver(): void {
    this.#orphanedUntil = this.#options.clock.monotonicMs() + ORPHANED_MS;
    this.#holdings.runAllOn();
  }

  /** A store that was wiped knows none of the checks for a moment: they run on until it does. */
  #loseUnlessOrphaned(id: JobsetId, sight: Sight): void {
    const { clock } = this.#options;
    const leftMs = this.#orphanedUntil - clock.monotonicMs();
    if (sight.revision > 0 || leftMs <= 0) return this.#lose(id);
    void pause(clock, leftMs + 1, this.#stopping.signal).then(() => this.#attention.notice(id));
  }

  #onBeat({ lost }: BeatOutcome): void {
    // One that has been renewed or handed back while the beat was under way is not meant.
    for (const claim of lost) if (this.#isCurrent(claim)) this.#lose(claim.jobset);
    const ids = [...this.#postponed];
    this.#postponed.clear();
    for (const id of ids) this.#attention.notice(id);
  }

  #lose(id: JobsetId): void {
    this.#options.log.info('gave up', { jobset: id });
    this.#forget(id);
    void this.#options.workload.drop(id, this.#options.graceMs);
  }

  #forget(id: JobsetId): void {
    this.#holdings.forget(id);
    this.#checkpoints.forget(id);
  }

  #isCurrent(claim: Claim): boolean {
    return this.#holdings.get(claim.jobset)?.token === claim.token;
  }

  #beatContents(): BeatContents {
    const { workload, checks } = this.#options;
    const { claims } = this.#holdings;
    const { checkpoints, stored } = this.#checkpoints.take();
    return { claims, checkpoints, stored, progress: workload.progress(), checks: checks() };
  }

  async #drain(): Promise<void> {
    const { clock, drainMs, log } = this.#options;
    this.#state = 'draining';
    const inTime = new AbortController();
    const late = pause(clock, drainMs, inTime.signal).then(() => 'late');
    if ((await Promise.race([this.#handAllBack(), late])) === 'late') {
      log.warn('the drain took too long', { held: this.#holdings.size });
    }
    inTime.abort();
    this.#stopping.abort();
    this.#turns[Symbol.dispose]();
    await this.#membership.leave();
    this.#state = 'stopped';
    await this.#running;
  }

  async #handAllBack(): Promise<void> {
    await this.#membership.announceDraining();
    const { clock, graceMs } = this.#options;
    const { ids } = this.#holdings;
    const until = clock.monotonicMs() + graceMs;
    const lane = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await this.#handBack(id, until);
    };
    const lanes = Math.max(RELEASES_AT_ONCE, Math.ceil(ids.length / 20));
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #handBack(jobset: JobsetId, until: number): Promise<void> {
    const { clock, ledger, workload, log } = this.#options;
    const handover = await workload.drop(jobset, Math.max(0, until - clock.monotonicMs()));
    const claim = this.#holdings.claimOf(jobset);
    this.#forget(jobset);
    if (claim === null) return;
    await ledger
      .release(claim, handover)
      .catch((err) => log.warn('not handed back', { jobset, err }));
  }
}
