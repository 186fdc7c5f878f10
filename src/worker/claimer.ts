/**
 * Claims jobsets, keeps them, hands them back: ledger → **claimer** → workload.
 *
 * REGISTERING → HOLDING → DRAINING → STOPPED
 *
 * REGISTERING  no lease, or not any more. What it held before goes on running, without proof, until
 *              it is claimed again or somebody else has it.
 * HOLDING      beats, claims what is free, takes new content on, gives up what it has lost.
 * DRAINING     takes nothing more, stops and hands back one jobset after the other.
 * STOPPED      the lease is revoked; whatever was not handed back in time is free through that.
 */

import { backoffMs, isLeaseLost, isUnavailable } from '../shared/coordination/backoff.ts';
import { follow } from '../shared/coordination/feed.ts';
import { Fence } from '../shared/coordination/fence.ts';
import { keepAlive, type LeaseTiming, pause } from '../shared/coordination/heartbeat.ts';
import type { Revision } from '../shared/coordination/kv.ts';
import type {
  Claim,
  ClaimedJobset,
  Ledger,
  Registration,
  Sight,
} from '../shared/coordination/ledger.ts';
import type { JobsetId } from '../shared/domain/check.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { WorkerRecord } from '../shared/domain/jobset.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Random } from '../shared/runtime/random.ts';
import { TimeSlice } from '../shared/runtime/time-slice.ts';
import { type ClaimerState, type Holding, mayClaim, moveFor } from './claiming.ts';
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
const AT_ONCE = 4;
/** Jobsets handed back at a time: the others go on running meanwhile. */
const RELEASES_AT_ONCE = 10;

export class Claimer implements Authority {
  readonly #options: ClaimerOptions;
  readonly #fence: Fence;
  readonly #sightings: Sightings;
  readonly #slice: TimeSlice;
  readonly #stopping = new AbortController();
  readonly #held = new Map<JobsetId, Holding>();
  /** Jobsets to look at, in the order in which they came up. */
  readonly #due = new Set<JobsetId>();
  readonly #busy = new Set<JobsetId>();
  /** Changed while they were busy. */
  readonly #again = new Set<JobsetId>();
  /** At which revision a jobset could not be read. */
  readonly #refused = new Map<JobsetId, Revision>();
  #state: ClaimerState = 'registering';
  #registration: Registration | null = null;
  #seq = 0;
  /** Of the jobsets in `#held`, how many run on without proof. */
  #unproven = 0;
  /** The fence was shut when the beat began: whatever was put off then is due again after it. */
  #resuming = false;
  #running: Promise<unknown> = Promise.resolve();
  #drained: Promise<void> | null = null;

  constructor(options: ClaimerOptions) {
    const { clock, timing, ledger } = options;
    this.#options = options;
    this.#fence = new Fence(clock, timing.marginMs);
    this.#slice = new TimeSlice(clock);
    this.#sightings = new Sightings(ledger.keys, (id) => this.#notice(id));
  }

  get state(): ClaimerState {
    return this.#state;
  }

  /** How many jobsets this worker runs. */
  get held(): number {
    return this.#held.size;
  }

  get attached(): boolean {
    return this.#unproven === 0 && this.#fence.attached;
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
    this.#running = Promise.all([this.#serve(signal), ...feeds]);
  }

  /** Hands everything back, within `drainMs`, and revokes the lease. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.drain();
  }

  /** One lease after the other. */
  async #serve(signal: AbortSignal): Promise<void> {
    const { clock, random, timing, log } = this.#options;
    let failures = 0;
    while (!signal.aborted && this.#state === 'registering') {
      try {
        await this.#register();
        failures = 0;
      } catch (error) {
        if (!isUnavailable(error) && !isLeaseLost(error)) throw error;
        failures += 1;
        log.warn('not registered', { err: error });
        await pause(clock, backoffMs(failures, random), signal);
        continue;
      }
      const beat = () => this.#beat();
      const onBeat = () => this.#afterBeat();
      const onFailure = (error: unknown) => log.warn('heartbeat failed', { err: error });
      const { heartbeatMs } = timing;
      await keepAlive(
        { clock, random, fence: this.#fence, heartbeatMs, beat, onBeat, onFailure },
        signal,
      );
      if (!signal.aborted) this.#leaseLost();
    }
  }

  async #register(): Promise<void> {
    const { ledger, worker, timing } = this.#options;
    const lease = await ledger.store.lease(timing.ttlMs);
    this.#registration = await ledger.register(worker, lease);
    if (this.#state === 'registering') this.#state = 'holding';
  }

  #leaseLost(): void {
    this.#options.log.warn('lease lost', { held: this.#held.size });
    this.#registration = null;
    for (const [id, holding] of this.#held) this.#runOn(id, holding);
    if (this.#state === 'holding') this.#state = 'registering';
  }

  async #beat(): Promise<{ ttlMs: number; sentAt: number }> {
    const { ledger, clock, worker } = this.#options;
    const by = this.#registration;
    if (by === null) throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    this.#resuming ||= !this.#fence.attached;
    const grant = await by.lease.renew();
    const claims: Claim[] = [];
    for (const [jobset, { token, revision, proven }] of this.#held) {
      if (proven) claims.push({ jobset, token, revision });
    }
    this.#seq += 1;
    const beat = { seq: this.#seq, at: clock.now(), owned: claims.length };
    const { registered, lost } = await ledger.beat(by, beat, claims);
    if (!registered) throw new WatcherError('WCH_LEASE_LOST', `${worker.id} is not registered`);
    // A claim that has been renewed or handed back while the beat was under way is not meant.
    for (const { jobset, token } of lost)
      if (this.#held.get(jobset)?.token === token) this.#lose(jobset);
    return grant;
  }

  #afterBeat(): void {
    if (!this.#resuming) return;
    this.#resuming = false;
    this.#sightings.recall();
  }

  /** Looks at a jobset soon, a few at a time, never at the same one twice at once. */
  #notice(id: JobsetId): void {
    (this.#busy.has(id) ? this.#again : this.#due).add(id);
    this.#attend();
  }

  #attend(): void {
    for (const id of this.#due) {
      if (this.#busy.size >= AT_ONCE) return;
      this.#due.delete(id);
      this.#busy.add(id);
      void this.#lookAt(id).finally(() => {
        this.#busy.delete(id);
        if (this.#again.delete(id)) this.#due.add(id);
        this.#attend();
      });
    }
  }

  async #lookAt(id: JobsetId): Promise<void> {
    const sight = this.#sightings.of(id);
    const holding = this.#held.get(id);
    const move = moveFor(this.#options.worker.id, sight, holding);
    if (move === 'lose') this.#lose(id);
    if (move === 'none' || move === 'lose' || this.#refused.get(id) === sight.revision) return;
    if (move === 'claim' && holding) this.#runOn(id, holding);
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
    const by = this.#registration;
    if (by === null || !mayClaim(this.#state, this.#fence.attached)) return;
    const outcome = await ledger.claim(id, sight, by);
    if (outcome.claimed === null) this.#sightings.learn(id, outcome.sight);
    else if (this.#state === 'holding') this.#hold(outcome.claimed);
    else await ledger.release(outcome.claimed.claim);
  }

  /** Nothing comes back when the claim is lost or the jobset gone: the watch or the beat says which. */
  async #reload(claim: Claim): Promise<void> {
    const content = await this.#options.ledger.reload(claim);
    if (content !== null && this.#held.get(claim.jobset)?.token === claim.token)
      this.#hold(content);
  }

  async #failed(id: JobsetId, sight: Sight, error: unknown): Promise<void> {
    const { clock, random, log } = this.#options;
    // The next beat finds the same, and everything is looked at again under the next lease.
    if (isLeaseLost(error)) return;
    if (isUnavailable(error)) {
      await pause(clock, backoffMs(1, random), this.#stopping.signal);
      this.#notice(id);
      return;
    }
    // Not again until it changes; what is running of it goes on as it is.
    this.#refused.set(id, sight.revision);
    log.error('a jobset cannot be read', { jobset: id, err: error });
  }

  #hold({ claim, definitions }: ClaimedJobset): void {
    const { jobset, token, revision } = claim;
    this.#forget(jobset);
    this.#held.set(jobset, { token, revision, proven: true });
    this.#options.workload.hold({ claim: { jobset, token: String(token) }, definitions });
  }

  /** Its claim is void, but nobody else has it yet: no check is blind meanwhile. */
  #runOn(id: JobsetId, holding: Holding): void {
    this.#forget(id);
    this.#held.set(id, { ...holding, proven: false });
    this.#unproven += 1;
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

  async #drain(): Promise<void> {
    const { clock, drainMs, log } = this.#options;
    this.#state = 'draining';
    const inTime = new AbortController();
    const late = pause(clock, drainMs, inTime.signal).then(() => 'late');
    if ((await Promise.race([this.#handAllBack(), late])) === 'late') {
      log.warn('drained too slowly', { held: this.#held.size });
    }
    inTime.abort();
    this.#stopping.abort();
    await this.#registration?.lease.revoke().catch((err) => log.warn('lease not revoked', { err }));
    this.#state = 'stopped';
    await this.#running;
  }

  async #handAllBack(): Promise<void> {
    const { ledger, log } = this.#options;
    try {
      const by = this.#registration;
      if (by !== null) this.#registration = (await ledger.announceDraining(by)) ?? by;
    } catch (error) {
      log.warn('draining was not announced', { err: error });
    }
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
