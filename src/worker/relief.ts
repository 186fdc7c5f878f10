/**
 * Gives away what this worker cannot run on time: load meter → **relief** → moving → ledger.
 *
 * RESTING → (strained) RELIEVING → (below what is room) RESTING
 *
 * While others have room it hands back whole jobsets, or splits single jobs off: they are free for whoever
 * is quickest. While nobody has, jobs that stay behind are kicked: they go to the waiting queue, where the
 * leader finds a place for them. Where the pool sheds, a worker never runs more jobs than it may: what is
 * above that is kicked as soon as it is held. A worker that cannot prove its claims, that is on its way out,
 * or that doubts its own network gives nothing away.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { WaitReason, WorkerRecord } from '../shared/domain/jobset.ts';
import type { ScalingMode } from '../shared/domain/pool-settings.ts';
import { ROOM_BELOW, weightOf } from '../shared/rules/load.ts';
import { mayRun } from '../shared/rules/ranking.ts';
import { type Burden, isStrained, kickRate, partings } from '../shared/rules/relief.ts';
import type { Clock, Timer } from '../shared/runtime/clock.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { LoadMeter } from './load-meter.ts';
import type { Moving } from './moving.ts';

export interface ReliefOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly worker: WorkerRecord;
  readonly mode: ScalingMode;
  readonly members: { readonly live: readonly WorkerRecord[] };
  readonly load: Pick<
    LoadMeter,
    'utilisation' | 'pressure' | 'behindCount' | 'behind' | 'jobLoads' | 'jobsetLoad'
  >;
  readonly moving: Moving;
  readonly held: HeldHere;
  /** Whether the network here is suspected. */
  readonly doubts: () => boolean;
}

/** What the claimer and the scheduler know of what runs here. */
export interface HeldHere {
  readonly jobsets: readonly JobsetId[];
  /** Without those that are stopped. */
  readonly running: number;
  jobsOf(id: JobsetId): readonly CheckId[];
  zoneOf(id: JobsetId): string | null;
}

const ROUND_MS = 5_000;

export class Relief implements Disposable {
  readonly #options: ReliefOptions;
  #timer: Timer | null = null;
  #isRelieving = false;
  /** Weight of what is on its way out: it is measured as if it still ran. */
  #leaving = 0;
  /** Monotonic ms of each job that was kicked lately. */
  #kickedAt: number[] = [];

  constructor(options: ReliefOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.after(ROUND_MS, () => {
      this.start();
      this.#look();
    });
  }

  /** Call it as soon as a jobset is held, or its content is new: nothing of it has run yet. */
  onHeld(id: JobsetId): void {
    const { mode, worker, held } = this.#options;
    const most = worker.capacity.jobs;
    if (mode !== 'shed' || most === null) return;
    const excess = held.running - most;
    if (excess > 0) this.#kick(id, held.jobsOf(id).slice(-excess), 'full');
  }

  /** What could not be kicked when it was held. */
  #shedRest(): void {
    for (const id of this.#options.held.jobsets.toReversed()) this.onHeld(id);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { load, doubts } = this.#options;
    this.#shedRest();
    const { behindCount: behind } = load;
    const utilisation = this.#utilisation;
    this.#isRelieving = this.#isRelieving
      ? utilisation >= ROOM_BELOW
      : isStrained({ utilisation, behind });
    if (!this.#isRelieving || doubts()) return;
    if (!this.#handBack(utilisation)) this.#kickLate();
  }

  /** Without what is on its way out. */
  get #utilisation(): number {
    const { utilisation } = this.#options.load;
    if (this.#leaving === 0) return utilisation;
    return utilisation * Math.max(0, 1 - this.#leaving / this.#total);
  }

  get #total(): number {
    return this.#options.held.jobsets.reduce((sum, id) => sum + this.#weightOf(id), 0);
  }

  #weightOf(id: JobsetId): number {
    const { load, held } = this.#options;
    return weightOf(load.jobsetLoad(id), held.jobsOf(id).length);
  }

  /** False when nobody has room for any of it. */
  #handBack(utilisation: number): boolean {
    const { held, moving, load } = this.#options;
    const burdens: Burden[] = held.jobsets
      .filter((id) => moving.movable(id) !== null && this.#hasTaker(id))
      .map((id) => ({ id, weight: this.#weightOf(id) }));
    if (burdens.length === 0) return false;
    const weightsOf = (id: JobsetId) =>
      new Map([...load.jobLoads(id)].map(([job, places]) => [job, weightOf(places)]));
    const going = partings(burdens, { utilisation, total: this.#total }, weightsOf);
    for (const { jobset, jobs } of going)
      void this.#move(jobset, jobs ?? held.jobsOf(jobset), 'relieved');
    return true;
  }

  #hasTaker(id: JobsetId): boolean {
    const { members, worker, held } = this.#options;
    const zone = held.zoneOf(id);
    return members.live.some(
      (one) => one.id !== worker.id && one.state === 'up' && mayRun(one, { zone }),
    );
  }

  /** What is late without load has slow targets, and would be late elsewhere. */
  #kickLate(): void {
    const { load, clock, mode, held } = this.#options;
    if (load.pressure < ROOM_BELOW) return;
    const rate = kickRate(mode, held.running);
    const since = clock.monotonicMs() - rate.withinMs;
    this.#kickedAt = this.#kickedAt.filter((at) => at > since);
    const late = load.behind().slice(0, Math.max(0, rate.jobs - this.#kickedAt.length));
    const byJobset = Map.groupBy(late, ({ jobset }) => jobset);
    for (const [jobset, jobs] of byJobset)
      this.#kick(
        jobset,
        jobs.map(({ job }) => job),
        'late',
      );
  }

  #kick(jobset: JobsetId, jobs: readonly CheckId[], reason: WaitReason): void {
    const now = this.#options.clock.monotonicMs();
    if (reason === 'late') this.#kickedAt.push(...jobs.map(() => now));
    void this.#move(jobset, jobs, 'kicked', reason);
  }

  async #move(
    jobset: JobsetId,
    all: readonly CheckId[],
    what: 'relieved' | 'kicked',
    reason?: WaitReason,
  ): Promise<void> {
    const { moving, log } = this.#options;
    const claim = moving.movable(jobset);
    const jobs = all.filter((job) => !moving.isTied(job));
    if (claim === null || jobs.length === 0) return;
    const load = this.#placesOf(jobset, jobs);
    const weight = weightOf(load, jobs.length);
    this.#leaving += weight;
    try {
      const waiting = reason && this.#waiting(reason, load);
      if (await moving.move(claim, new Set(jobs), waiting ? { waiting } : {}))
        log.info(what, { jobset, checks: jobs.length, reason: reason ?? 'load' });
      // Its content was newer, and what was stopped runs again.
      else if (moving.movable(jobset)?.revision !== claim.revision) this.onHeld(jobset);
    } catch (err) {
      log.error('jobs that are too much here are not given away', { jobset, err });
    } finally {
      this.#leaving -= weight;
    }
  }

  #waiting(reason: WaitReason, load: number) {
    const { clock, worker } = this.#options;
    return { reason, since: clock.now(), by: worker.id, load };
  }

  #placesOf(jobset: JobsetId, jobs: readonly CheckId[]): number {
    const loads = this.#options.load.jobLoads(jobset);
    return jobs.reduce((sum, job) => sum + (loads.get(job) ?? 0), 0);
  }
}
