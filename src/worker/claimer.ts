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

import type { BeatOutcome } from '../shared/coordination/beating.ts';
import { type LeaseTiming, pause } from '../shared/coordination/heartbeat.ts';
import type { Claim, ClaimedJobset, Ledger, Sight } from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import type { WorkerLoad, WorkerRecord } from '../shared/domain/jobset.ts';
import type { ScalingMode } from '../shared/domain/pool-settings.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import { Attention } from './attention.ts';
import type { Caution } from './caution.ts';
import { Checkpoints } from './checkpoints.ts';
import { type ClaimerState, mayClaim, moveFor, type View } from './claiming.ts';
import { followLedger } from './following.ts';
import { Holdings } from './holdings.ts';
import { Members } from './members.ts';
import { type BeatContents, Membership } from './membership.ts';
import { Releases } from './releases.ts';
import { Sightings } from './sightings.ts';
import { Taking } from './taking.ts';
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
  readonly mode: ScalingMode;
  readonly caution: Pick<Caution, 'take' | 'forget'>;
  /** How long what is handed on waits for its runs in flight, a whole drain together. */
  readonly graceMs: number;
  /** How long a drain may take; then the lease is revoked and the rest is an ordinary failover. */
  readonly drainMs: number;
  /** How many checks are run, for the heartbeat. */
  readonly checks: () => number;
  readonly load: () => WorkerLoad;
  /** It takes nothing more while others have room. */
  readonly isFull: () => boolean;
  /** Its checks are due and nothing starts them. */
  readonly isStuck: () => boolean;
  /** A jobset has been claimed, or its content is new, and its checks run. */
  readonly onHeld: (id: JobsetId, isNew: boolean) => void;
  /** Nothing can be proven from this moment on. */
  readonly onDetached: () => void;
}

/** Claims in flight at a time: more would only load the store when a whole pool starts. */
const CLAIMS_AT_ONCE = 4;
/** A leader that finds the store empty publishes within a lease and an election. */
const ORPHANED_MS = 15_000;

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
  readonly #taking: Taking;
  readonly #releases: Releases;
  /** Asked for something while nothing could be taken on: in doubt, for example. Seen again with a beat. */
  readonly #postponed = new Set<JobsetId>();
  /** As of the last beat. */
  #wasFull = false;
  /** Until when what the store does not know any more is run on. */
  #orphanedUntil = Number.NEGATIVE_INFINITY;
  #state: ClaimerState = 'claiming';
  #running: Promise<unknown> = Promise.resolve();
  #drained: Promise<void> | null = null;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    const { clock, ledger, worker, workload } = options;
    const notice = (id: JobsetId) => this.#attention.notice(id);
    this.#slice = new TimeSlice(clock);
    this.#sightings = new Sightings(ledger.keys, {
      change: notice,
      wentBack: () => this.#startOver(),
    });
    this.#members = new Members(ledger.keys, () => this.#sightings.recall());
    this.#turns = new Turns({
      ...options,
      me: worker,
      members: this.#members,
      sightings: this.#sightings,
      onTurn: notice,
    });
    this.#checkpoints = new Checkpoints(worker.id, workload);
    const taking = {
      ...options,
      sightings: this.#sightings,
      registration: () => this.#membership.registration,
      isOpen: () => this.#state === 'claiming',
      isCurrent: (claim: Claim) => this.#isCurrent(claim),
      onTaken: (content: ClaimedJobset) => this.#hold(content),
      onAgain: notice,
    };
    this.#taking = new Taking(taking, this.#stopping.signal);
    this.#releases = new Releases({
      ...options,
      holdings: this.#holdings,
      forget: (id) => this.#forget(id),
      onOver: notice,
    });
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
    if (!mayClaim(this.#state, this.attached) || this.#releases.isLeaving(jobset)) return null;
    return this.#holdings.claimOf(jobset);
  }

  /** What it holds, the latest last. */
  get jobsets(): readonly JobsetId[] {
    return this.#holdings.ids;
  }

  /** Null: any zone. */
  zoneOf(id: JobsetId): string | null {
    return this.#sightings.placementOf(id).zone;
  }

  /** What a checkpoint says of this jobset is not true any more. */
  stateChanged(id: JobsetId): void {
    // Runs end after their jobset was given up; its checkpoint is somebody else's then.
    if (this.#holdings.get(id)) this.#checkpoints.changed(id);
  }

  start(): void {
    const { signal } = this.#stopping;
    const picture = { sightings: this.#sightings, members: this.#members };
    const following = followLedger({ ...this.#options, ...picture }, signal);
    this.#running = Promise.all([this.#membership.run(signal), following]);
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
    const move = moveFor(this.#options.worker.id, this.#viewOf(id, sight), holding);
    if (move !== 'claim') this.#turns.over(id);
    if (sight.revision === 0) this.#taking.forget(id);
    if (move === 'lose') return this.#loseUnlessOrphaned(id, sight);
    if (move === 'none' || this.#releases.isLeaving(id)) return;
    if (move === 'handOver') return this.#handOver(id);
    if (this.#taking.isUnreadable(id, sight)) return;
    if (move === 'claim') this.#holdings.runOn(id);
    if (!this.#isOpen) {
      this.#postponed.add(id);
      return;
    }
    const isMine = holding !== undefined || sight.owner !== null;
    if (move === 'reload' && holding) await this.#taking.reload({ jobset: id, ...holding }, sight);
    else if (this.#turns.hasCome(id, isMine)) await this.#taking.claim(id, sight);
  }

  get #isOpen(): boolean {
    return this.#sightings.isComplete && mayClaim(this.#state, this.#membership.attached);
  }

  /** What cannot be proven is not given away. */
  #handOver(id: JobsetId): void {
    if (this.#isOpen) this.#releases.handOver(id);
  }

  #viewOf(id: JobsetId, sight: Sight): View {
    const { waiting, moveTo } = this.#sightings.placementOf(id);
    const isAnothers = moveTo !== null && moveTo !== this.#options.worker.id;
    return {
      sight,
      waits: waiting !== null,
      isAnothers: isAnothers && this.#members.isLive(moveTo),
    };
  }

  #hold({ claim, definitions, handover }: ClaimedJobset): void {
    const { jobset, token, revision } = claim;
    const { workload, log } = this.#options;
    this.#turns.over(jobset);
    this.#holdings.keep(jobset, { token, revision, proven: true });
    workload.hold({ claim: { jobset, token: String(token) }, definitions, handover });
    if (handover !== null) {
      const owner = this.#options.worker.id;
      this.#sightings.learn(jobset, { revision, ownRevision: token, owner, at: token });
      // The ledger still names the owner before.
      this.#checkpoints.changed(jobset);
      log.info('holds', { jobset, token, checks: definitions.length });
    }
    this.#options.onHeld(jobset, handover !== null);
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
    const isFull = this.#options.isFull();
    const hasRoom = this.#wasFull && !isFull;
    this.#wasFull = isFull;
    if (hasRoom) this.#sightings.recallVacant();
  }

  #lose(id: JobsetId): void {
    this.#options.log.info('gave up', { jobset: id });
    this.#forget(id);
    const dropped = this.#options.workload.drop(id, this.#options.graceMs);
    // Others may count on this one to take it again, as it says that it has room.
    void dropped.then(() => this.#attention.notice(id));
  }

  #forget(id: JobsetId): void {
    this.#holdings.forget(id);
    this.#checkpoints.forget(id);
    this.#options.caution.forget(id);
  }

  #isCurrent(claim: Claim): boolean {
    return this.#holdings.get(claim.jobset)?.token === claim.token;
  }

  #beatContents(): BeatContents {
    const { workload, checks, load } = this.#options;
    const { claims } = this.#holdings;
    const { checkpoints, stored } = this.#checkpoints.take();
    const progress = workload.progress();
    return { claims, checkpoints, stored, progress, checks: checks(), load: load() };
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
    await this.#releases.all();
  }
}
