/**
 * How many calls go on at a time: delivery → **limiter** → destination. The only owner of bottleneck,
 * of which it uses no more than places: its reservoirs, changed settings and long queues have open
 * defects.
 */

import Bottleneck from 'bottleneck';

export interface Limiter {
  /**
   * Resolves as `work` does, which starts when a place is free; first come, first served. Rejects,
   * with `work` never started, after `stop` and when 256 others wait already.
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** What has started goes on; what waits is rejected. */
  stop(): void;
}

/** One that waits takes 2.7 KB, and a millisecond to be let in: queues are for whoever asks. */
const MAX_WAITING = 256;

export const createLimiter = ({ concurrency }: { readonly concurrency: number }): Limiter => {
  const places = new Bottleneck({
    maxConcurrent: concurrency,
    highWater: MAX_WAITING,
    strategy: Bottleneck.strategy.OVERFLOW,
  });
  let isStopped = false;
  return {
    run: (work) => places.schedule(work),
    stop: () => {
      if (isStopped) return;
      isStopped = true;
      // It resolves when what has started is done, which nobody here waits for.
      void places.stop({ dropWaitingJobs: true });
    },
  };
};
