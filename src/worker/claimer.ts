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

import { backoffMs, isLeaseLost, isUnavailable } from '../shared/coordination/backoff.ts';
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
import { type ClaimerState, type Holding, mayClaim, moveFor } from './claiming.ts';
import { Membership } from './membership.ts';
import { Sightings } from './sightings.ts';
import type { Authority, Workload } from './workload.ts';

export interface ClaimerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly workload: Workload;
  readonly worker: WorkerRecord;
  readonly timing: LeaseTiming;
  /** How long a drain may take; then the lease is revoked and the rest is an ordinary failover. */
  readonly drainMs: number;
}

/** Claims in flight at a time: more would only load the store when a whole pool starts. */
const CLAIMS_AT_ONCE = 4;
/** Jobsets handed back at a time, or a twentieth of all: the others go on running meanwhile. */
const RELEASES_AT_ONCE = 10;

export class Claimer implements Authority {
  readonly #options: ClaimerOptions;
  readonly #membership: Membership;
  readonly #sightings: Sightings;
  readonly #attention = new Attention<JobsetId>(CLAIMS_AT_ONCE, (id) => this.#lookAt(id));
  readonly #slice: TimeSlice;
  readonly #stopping = new AbortController();
  readonly #held = new Map<JobsetId, Holding>();
  /** How many of them run on without proof. */
  #unproven = 0;
  /** At which revision a jobset could not be read: not again until it changes. */
  readonly #unreadable = new Map<JobsetId, Revision>();
  #state: ClaimerState = 'claiming';
  #running: Promise<unknown> = Promise.resolve();
  #drained: Promise<void> | null = null;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.#slice = new TimeSlice(options.clock);
    this.#sightings = new Sightings(options.ledger.keys, (id) => this.#attention.notice(id));
    this.#membership = new Membership({
      ...options,
      claims: () => this.#provenClaims(),
      onVoid: (claims) => this.#giveUp(claims),
      onLeaseLost: () => this.#runAllOn(),
      onAttached: () => this.#sightings.recall(),
    });
  }

  get state(): ClaimerState {
    return this.#state;
  }

  /** Whether it can prove that it owns all that it runs. */
  get attached(): boolean {
    return this.#unproven === 0 && this.#membership.attached;
  }

  start(): void {
    const { clock, random, ledger } = this.#options;
    const { signal } = this.#stopping;
    const sightings = this.#sightings;
    const owners = {
      prefix: ledger.keys.owners,
      onSnapshot: sightings.ownersAre.bind(sightings),
      onChanges: sightings.ownersChanged.bind(sightings),
    };
    const jobsets = {
      prefix: ledger.keys.jobsets,
      onSnapshot: sightings.jobsetsAre.bind(sightings),
      onChanges: sightings.jobsetsChanged.bind(sightings),
    };
    const feeds = [owners, jobsets].map((feed) =>
      follow({ store: ledger.store, clock, random, ...feed }, signal),
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
    const sight = this.#sightings.of(id);
    const holding = this.#held.get(id);
    const move = moveFor(this.#options.worker.id, sight, holding);
    if (move === 'lose') return this.#lose(id);
    if (move === 'none' || this.#unreadable.get(id) === sight.revision) return;
    if (move === 'claim' && holding) this.#runOn(id, holding);
    if (!mayClaim(this.#state, this.#membership.attached)) return;
    try {
      if (this.#slice.isSpent) await this.#slice.rest();
      if (move === 'claim') await this.#claim(id, sight);
      else if (holding) await this.#reload({ jobset: id, ...holding });
    } catch (error) {
      await this.#failed(id, sight, error);
    }
  }

  async #claim(id: JobsetId, sight: Sight): Promise<void> {
    const { ledger } = this.#options;
    const by = this.#membership.registration;
    if (by === null) return;
    const outcome = await ledger.claim(id, sight, by);
    if (outcome.claimed === null) this.#sightings.learn(id, outcome.sight);
    else if (this.#state === 'claiming') this.#hold(outcome.claimed);
    else await ledger.release(outcome.claimed.claim);
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
    if (isUnavailable(error)) {
      await pause(clock, backoffMs(1, random), this.#stopping.signal);
      this.#attention.notice(id);
      return;
    }
    this.#unreadable.set(id, sight.revision);
    log.error('a jobset cannot be read', { jobset: id, err: error });
  }

  #hold({ claim, definitions }: ClaimedJobset): void {
    const { jobset, token, revision } = claim;
    this.#forget(jobset);
    this.#held.set(jobset, { token, revision, proven: true });
    this.#options.workload.hold({ claim: { jobset, token: String(token) }, definitions });
  }

  /** Its claim is void, but nobody else is known to have it: no check is blind meanwhile. */
  #runOn(id: JobsetId, holding: Holding): void {
    this.#forget(id);
    this.#held.set(id, { ...holding, proven: false });
    this.#unproven += 1;
  }

  #runAllOn(): void {
    for (const [id, holding] of [...this.#held]) this.#runOn(id, holding);
  }

  #giveUp(claims: readonly Claim[]): void {
    // One that has been renewed or handed back while the beat was under way is not meant.
    for (const claim of claims) if (this.#isCurrent(claim)) this.#lose(claim.jobset);
  }

  #lose(id: JobsetId): void {
    this.#options.log.info('gave up', { jobset: id });
    this.#forget(id);
    void this.#options.workload.drop(id);
  }

  #forget(id: JobsetId): void {
    if (this.#held.get(id)?.proven === false) this.#unproven -= 1;
    this.#held.delete(id);
  }

  #isCurrent(claim: Claim): boolean {
    return this.#held.get(claim.jobset)?.token === claim.token;
  }

  #provenClaims(): Claim[] {
    const claims: Claim[] = [];
    for (const [jobset, { token, revision, proven }] of this.#held) {
      if (proven) claims.push({ jobset, token, revision });
    }
    return claims;
  }

  async #drain(): Promise<void> {
    const { clock, drainMs, log } = this.#options;
    this.#state = 'draining';
    const inTime = new AbortController();
    const late = pause(clock, drainMs, inTime.signal).then(() => 'late');
    if ((await Promise.race([this.#handAllBack(), late])) === 'late') {
      log.warn('the drain took too long', { held: this.#held.size });
    }
    inTime.abort();
    this.#stopping.abort();
    await this.#membership.leave();
    this.#state = 'stopped';
    await this.#running;
  }

  async #handAllBack(): Promise<void> {
    await this.#membership.announceDraining();
    const ids = [...this.#held.keys()];
    const lane = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) await this.#handBack(id);
    };
    const lanes = Math.max(RELEASES_AT_ONCE, Math.ceil(ids.length / 20));
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #handBack(jobset: JobsetId): Promise<void> {
    const { ledger, workload, log } = this.#options;
    await workload.drop(jobset);
    const holding = this.#held.get(jobset);
    this.#forget(jobset);
    if (!holding?.proven) return;
    await ledger
      .release({ jobset, ...holding })
      .catch((err) => log.warn('not handed back', { jobset, err }));
  }
}
