/** The targets of a worker slow down from 10 ms to 2 s, and recover. */

import { type AwsDouble, startAwsDouble } from '../support/aws-double.ts';
import { startPool } from '../support/pool-processes.ts';
import { momentOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { manyHosts, publishing, SCALING_COVERS, saidOf } from './scaling-pool.ts';

const SIZES = {
  full: { checks: 1_000, places: 200 },
  small: { checks: 100, places: 20 },
} as const satisfies Record<Size, object>;
const INTERVAL_MS = 10_000;
const QUICK_MS = 10;
/** All checks together then ask for every place. */
const SLOW_MS = 2_000;
const FOLLOWED_MS = 60_000;
/** Fewer workers are wanted once that has lasted for a minute. */
const RECOVERED_MS = 180_000;

export const slowingTarget: Row = {
  name: 'slowing-target',
  title: 'Targets that slow from 10 ms to 2 s move desired_workers within 60 s, without a restart',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { checks, places } = SIZES[size];
    await using aws = await startAwsDouble();
    await using pool = await startPool({
      ...{ workers: 1, checks, intervalMs: INTERVAL_MS, hostOf: manyHosts },
      ...publishing(aws),
      workerArgs: ['--concurrency', `${places}`],
    });
    if (pool === null) return null;
    const { target } = pool;
    target.delayOf = () => QUICK_MS;
    const ids = idsOf(pool);
    await pool.until(Date.now() + 2 * INTERVAL_MS);
    const before = (await pool.ledger.scaling())?.desiredWorkers ?? 0;
    const slowed = Date.now();
    target.delayOf = () => SLOW_MS;
    const followed = await saidOf(pool, ({ desiredWorkers }) => desiredWorkers === 2, FOLLOWED_MS);
    const published = await momentOf(() => publishedBy(aws).includes(2), FOLLOWED_MS);
    target.delayOf = () => QUICK_MS;
    const eased = Date.now();
    const back = await saidOf(pool, ({ desiredWorkers }) => desiredWorkers === 1, RECOVERED_MS);
    const counts = {
      desired_before: before,
      followed: followed === null ? 0 : 1,
      followed_after_ms: (followed ?? 0) - slowed,
      published_after_ms: (published ?? 0) - slowed,
      back: back === null ? 0 : 1,
      back_after_ms: (back ?? 0) - eased,
      restarts: idsOf(pool) === ids ? 0 : 1,
    };
    const holds =
      counts.desired_before === 1 &&
      counts.followed === 1 &&
      published !== null &&
      counts.published_after_ms <= FOLLOWED_MS &&
      counts.back === 1 &&
      counts.restarts === 0;
    return { counts, holds };
  },
};

const idsOf = ({ workers, admins }: { workers: readonly Process[]; admins: readonly Process[] }) =>
  [...workers, ...admins].map(({ pid }) => pid).join(' ');
interface Process {
  readonly pid: number;
}

/** Every number of workers that CloudWatch was told. */
const publishedBy = ({ metrics }: AwsDouble): readonly number[] =>
  metrics
    .flatMap(({ MetricData }) => MetricData)
    .filter(({ MetricName }) => MetricName === 'watcher.scaling.desired_workers')
    .flatMap(({ Values }) => Values);
