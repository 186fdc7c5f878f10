/**
 * What the checks held here ask of this worker, and how it keeps up: runner → **load meter** → heartbeat,
 * relief. Fed at the end of each run, so it only moves numbers in columns; sums follow by difference, and
 * nothing is allocated.
 */

import type { CheckId, JobsetId } from '../shared/domain/check.ts';
import type { Capacity, SlowHost, WorkerLoad } from '../shared/domain/jobset.ts';
import type { Observation } from '../shared/domain/result.ts';
import { type Fullness, fullnessAfter, isFull, ROOM } from '../shared/rules/fullness.ts';
import { isBehind, isLate, LATE_RUNS, RecentLateness } from '../shared/rules/lateness.ts';
import {
  demandOf,
  isTimeout,
  meanAfter,
  pressureOf,
  STUCK_MS,
  utilisationOf,
} from '../shared/rules/load.ts';
import type { Clock } from '../shared/runtime/clock.ts';
import type { LoopReading } from '../shared/runtime/event-loop.ts';
import type { CheckTable } from './check-table.ts';
import { HostLoads } from './host-loads.ts';

export type LoopLoad = Pick<LoopReading, 'utilisation' | 'p99Ms'>;

export interface LoadMeterOptions {
  readonly clock: Clock;
  readonly table: CheckTable;
  readonly capacity: Capacity;
  /** Runs to one host at a time. */
  readonly perHost: number;
  readonly loop: () => LoopLoad;
  /** How long the first due check has been waiting for its scheduler. */
  readonly overdueMs: () => number;
  /** Slots of a jobset that is held. */
  readonly slotsOf: (id: JobsetId) => readonly number[];
  /** Runs that wait behind hosts that have all they may have. */
  readonly behindHosts: () => Iterable<readonly [host: string, runs: number]>;
}

export interface EndedRun {
  readonly slot: number;
  readonly host: string;
  readonly scheduled: boolean;
}

export interface BehindJob {
  readonly job: CheckId;
  readonly jobset: JobsetId;
  readonly places: number;
}

const WORST_HOSTS = 3;
/** What is left of a time-out once it counts for nothing, in places. */
const LEAST_LOST = 0.0001;
const LATE_RUNS_COUNTED = 255;

export class LoadMeter {
  readonly #options: LoadMeterOptions;
  readonly #hosts: HostLoads;
  readonly #recent = new RecentLateness();
  #behind = 0;
  /** Checks of which a run has ended here, and the sum of their means. */
  #measured = 0;
  #busySumMs = 0;
  #fullness: Fullness = ROOM;

  constructor(options: LoadMeterOptions) {
    this.#options = options;
    this.#hosts = new HostLoads(options.perHost);
  }

  /** A run has ended with a result, and the columns of its slot tell of it. */
  ended({ slot, host, scheduled }: EndedRun, observation: Observation, at: number): void {
    const { table } = this.#options;
    const intervalMs = this.#intervalOf(slot);
    const timedOut = observation.kind === 'failure' && isTimeout(observation.code);
    const index = this.#hostOf(slot, host);
    const demand = table.demand[slot] as number;
    const lost = table.lost[slot] as number;
    if (!timedOut) this.#busy(slot, observation.durationMs);
    const lostNow = meanAfter(lost, timedOut ? demandOf(observation.durationMs, intervalMs) : 0);
    table.demand[slot] = demandOf(table.busyMs[slot] as number, intervalMs);
    table.lost[slot] = lostNow < LEAST_LOST ? 0 : lostNow;
    const more = (table.demand[slot] as number) - demand;
    this.#hosts.add(index, more, (table.lost[slot] as number) - lost);
    if (scheduled) this.#began(slot, intervalMs, at);
  }

  /**
   * A tick was lost to a run that started so late, or has not yet. The run after it starts on time again, so
   * three in a row would never come together where every third tick is lost.
   */
  overtaken(slot: number, latenessMs: number): void {
    const { table } = this.#options;
    if (!isLate(latenessMs, this.#intervalOf(slot))) return;
    this.#stand(slot, Math.max(table.lateRuns[slot] as number, LATE_RUNS), 1);
  }

  /** The slot's check is not held any more. */
  forget(slot: number): void {
    const { table } = this.#options;
    const host = table.host[slot] as number;
    if (host !== 0) this.#leave(slot, host);
    this.#stand(slot, 0, 0);
  }

  /** Asked for with each heartbeat, which is also how often it is judged whether it is full. */
  load(): WorkerLoad {
    const { clock, loop, capacity } = this.#options;
    const strain = this.#strain();
    this.#fullness = fullnessAfter(this.#fullness, {
      pressure: pressureOf(strain, capacity),
      loopDelayP99Ms: loop().p99Ms,
      at: clock.monotonicMs(),
    });
    return {
      places: rounded(strain.places),
      loop: rounded(strain.loop),
      behind: this.#behind,
      latenessP99Ms: this.#recent.p99(clock.now()),
      overdueMs: Math.round(this.overdueMs),
      slowHosts: this.#slowHosts(),
    };
  }

  /** Seconds in flight a second, as far as more workers would help. */
  get places(): number {
    return this.#hosts.places + this.#presumed();
  }

  /** 1 is all that it can take. */
  get utilisation(): number {
    const { capacity, table } = this.#options;
    return utilisationOf(this.#strain(), capacity, table.size);
  }

  /** The same without the limit of jobs: what it measures. */
  get pressure(): number {
    return pressureOf(this.#strain(), this.#options.capacity);
  }

  /** Checks that stay behind. */
  get behindCount(): number {
    return this.#behind;
  }

  /** Whether it takes nothing more while others have room. */
  get isFull(): boolean {
    const { capacity, table } = this.#options;
    return isFull(this.#fullness, table.size, capacity);
  }

  /** Whether its checks are due and nothing starts them. */
  get isStuck(): boolean {
    return this.overdueMs > STUCK_MS;
  }

  get overdueMs(): number {
    return this.#options.overdueMs();
  }

  /** Places that its jobs ask for. */
  jobLoads(id: JobsetId): ReadonlyMap<CheckId, number> {
    const { table, slotsOf } = this.#options;
    const pairs = slotsOf(id).map((slot) => [table.id[slot], this.#demandOf(slot)] as const);
    return new Map(pairs as [CheckId, number][]);
  }

  jobsetLoad(id: JobsetId): number {
    return this.#options.slotsOf(id).reduce((sum, slot) => sum + this.#demandOf(slot), 0);
  }

  /** Jobs that stay behind, the longest-running first. */
  behind(): BehindJob[] {
    if (this.#behind === 0) return [];
    const { table } = this.#options;
    const busy = (slot: number) => table.busyMs[slot] as number;
    return [...table.slots()]
      .filter((slot) => table.behind[slot] === 1)
      .sort((a, b) => busy(b) - busy(a))
      .map((slot) => ({
        job: table.id[slot] as CheckId,
        jobset: table.claim[slot]?.jobset as JobsetId,
        places: this.#demandOf(slot),
      }));
  }

  #busy(slot: number, durationMs: number): void {
    const { table } = this.#options;
    const before = table.busyMs[slot] as number;
    table.busyMs[slot] = meanAfter(before, durationMs);
    this.#busySumMs += (table.busyMs[slot] as number) - before;
  }

  #began(slot: number, intervalMs: number, at: number): void {
    const { table } = this.#options;
    const latenessMs = table.latenessMs[slot] as number;
    const isIt = isLate(latenessMs, intervalMs);
    const inARow = isIt ? Math.min((table.lateRuns[slot] as number) + 1, LATE_RUNS_COUNTED) : 0;
    const behind = isBehind(inARow, latenessMs, intervalMs) ? 1 : 0;
    this.#stand(slot, inARow, behind);
    this.#recent.add(latenessMs, at);
  }

  #stand(slot: number, lateRuns: number, behind: 0 | 1): void {
    const { table } = this.#options;
    this.#behind += behind - (table.behind[slot] as number);
    table.lateRuns[slot] = lateRuns;
    table.behind[slot] = behind;
  }

  /** A check keeps its slot when its URL changes. */
  #hostOf(slot: number, host: string): number {
    const { table } = this.#options;
    const known = table.host[slot] as number;
    if (known !== 0 && this.#hosts.nameOf(known) === host) return known;
    if (known !== 0) this.#leave(slot, known);
    const index = this.#hosts.enter(host);
    table.host[slot] = index;
    this.#measured += 1;
    return index;
  }

  #leave(slot: number, host: number): void {
    const { table } = this.#options;
    this.#hosts.add(host, -(table.demand[slot] as number), -(table.lost[slot] as number));
    this.#hosts.leave(host);
    this.#measured -= 1;
    this.#busySumMs = this.#measured === 0 ? 0 : this.#busySumMs - (table.busyMs[slot] as number);
    table.host[slot] = 0;
    table.busyMs[slot] = 0;
    table.demand[slot] = 0;
    table.lost[slot] = 0;
  }

  #strain(): Pick<WorkerLoad, 'places' | 'loop'> {
    return { places: this.places, loop: this.#options.loop().utilisation };
  }

  /** Of those that have not run here yet: a worker that has just taken them would look idle. */
  #presumed(): number {
    const { table } = this.#options;
    if (this.#measured === 0 || this.#measured === table.size) return 0;
    let sum = 0;
    for (const slot of table.slots()) if (table.host[slot] === 0) sum += this.#demandOf(slot);
    return sum;
  }

  /** As measured; before its first run here, as the mean of the others would have it. */
  #demandOf(slot: number): number {
    const { table } = this.#options;
    if (table.host[slot] !== 0) return table.demand[slot] as number;
    const meanMs = this.#measured === 0 ? 0 : this.#busySumMs / this.#measured;
    return demandOf(meanMs, this.#intervalOf(slot));
  }

  #intervalOf(slot: number): number {
    return this.#options.table.cron[slot]?.intervalMs ?? Number.POSITIVE_INFINITY;
  }

  #slowHosts(): SlowHost[] {
    const waiting = new Map(this.#options.behindHosts());
    const hosts = new Set([...this.#hosts.slowest(WORST_HOSTS), ...waiting.keys()]);
    return [...hosts]
      .map((host) => ({
        host,
        load: rounded(this.#hosts.loadOf(host)),
        waiting: waiting.get(host) ?? 0,
      }))
      .sort((a, b) => b.load - a.load || b.waiting - a.waiting)
      .slice(0, WORST_HOSTS);
  }
}

/** A heartbeat needs no more digits. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000;
