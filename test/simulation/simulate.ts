/** A campaign: many worlds from many seeds, on all processors. seeds → **threads** → lives → one outcome. */

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { FaultKind } from './faults.ts';
import type { Life, LifeOptions } from './life.ts';

export interface Campaign {
  readonly schedules: number;
  /** Simulated, of each schedule. */
  readonly minutes: number;
  /** The first one; the others follow. */
  readonly seed: number;
  /** Kinds of faults that may happen; all by default. */
  readonly kinds?: readonly FaultKind[];
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** After each schedule. */
  readonly onProgress?: (progress: Outcome) => void;
}

export interface Outcome {
  /** Lived so far. */
  readonly schedules: number;
  readonly simulatedDays: number;
  readonly faults: number;
  /** Of the schedule with the fewest. */
  readonly fewestFaults: number;
  readonly counts: Readonly<Record<string, number>>;
  /** Those with violations, with the schedule of their faults. */
  readonly failed: readonly Life[];
}

const DAY_MS = 86_400_000;

/** What to type to live one world again, with everything that happens in it. */
export const replayOf = (seed: number, minutes: number, kinds?: readonly FaultKind[]): string =>
  `node test/simulation/main.ts --from ${seed} --minutes ${minutes}${kinds ? ` --kinds ${kinds}` : ''} --trace`;

export const simulate = async (campaign: Campaign): Promise<Outcome> => {
  const { schedules, seed, signal, threads = availableParallelism() } = campaign;
  const sum = new Sum();
  let next = seed;
  const take = (): number | null => {
    if (next >= seed + schedules || signal?.aborted) return null;
    next += 1;
    return next - 1;
  };
  const onLife = (life: Life) => {
    sum.add(life);
    campaign.onProgress?.(sum.outcome);
  };
  const lane = async () => {
    while (await inThread(take, campaign, onLife));
  };
  await Promise.all(Array.from({ length: Math.min(threads, schedules) }, lane));
  return sum.outcome;
};

/**
 * A process that is killed in a world never ends what it waits for, and node keeps every composed signal
 * that somebody still listens to: each life leaves some megabytes in its thread.
 */
const MINUTES_A_THREAD = 2_000;

/** Resolves when the thread is used up, with whether there may be more seeds. */
const inThread = (
  take: () => number | null,
  { minutes, kinds, signal }: Campaign,
  onLife: (life: Life) => void,
): Promise<boolean> =>
  new Promise((resolve, reject) => {
    let leftMinutes = MINUTES_A_THREAD;
    const worker = new Worker(new URL('./shard.ts', import.meta.url), {
      resourceLimits: { maxYoungGenerationSizeMb: 32 },
    });
    const end = (mayGoOn: boolean) => {
      signal?.removeEventListener('abort', abort);
      worker.terminate().then(() => resolve(mayGoOn), reject);
    };
    const abort = () => end(false);
    const send = () => {
      if (leftMinutes <= 0) return end(true);
      const seed = take();
      if (seed === null) return end(false);
      leftMinutes -= minutes;
      const options: LifeOptions = { seed, minutes, ...(kinds ? { kinds } : {}) };
      worker.postMessage(options);
    };
    signal?.addEventListener('abort', abort);
    worker.on('error', reject);
    worker.on('message', (life: Life) => {
      onLife(life);
      send();
    });
    send();
  });

class Sum {
  #schedules = 0;
  #simulatedMs = 0;
  #faults = 0;
  #fewest = Number.POSITIVE_INFINITY;
  readonly #counts: Record<string, number> = {};
  readonly #failed: Life[] = [];

  get outcome(): Outcome {
    return {
      schedules: this.#schedules,
      simulatedDays: this.#simulatedMs / DAY_MS,
      faults: this.#faults,
      fewestFaults: this.#fewest,
      counts: this.#counts,
      failed: this.#failed,
    };
  }

  add(life: Life): void {
    this.#schedules += 1;
    this.#simulatedMs += life.simulatedMs;
    this.#faults += life.faults.length;
    this.#fewest = Math.min(this.#fewest, life.faults.length);
    for (const [name, count] of Object.entries(life.counts))
      this.#counts[name] = (this.#counts[name] ?? 0) + count;
    if (life.violations.length > 0) this.#failed.push(life);
  }
}
