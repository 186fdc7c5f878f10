/** What proofs of a pool's size have in common: an admin that publishes it, and when all is on time. */

import type { ScalingRecord } from '../../src/shared/domain/jobset.ts';
import { isLate } from '../../src/shared/rules/lateness.ts';
import { ACCESS_KEY, type AwsDouble, SECRET_KEY } from '../support/aws-double.ts';
import type { Pool, PoolOptions } from '../support/pool-processes.ts';
import { momentOf } from './pool-row.ts';

export const SCALING_COVERS = [
  'src/admin',
  'src/scaling-hook.ts',
  'src/scaling-part.ts',
  'src/shared/coordination',
  'src/shared/domain/jobset.ts',
  'src/shared/rules/load.ts',
  'src/shared/rules/scaling.ts',
  'src/worker',
];

const HOSTS = 10;

/** So many that the cap of runs to one host is never what holds checks up. */
export const manyHosts = (check: number): string => `target-${check % HOSTS}.test`;

const region = 'eu-central-1';

/** Metrics go to the port of a local group, or to the double with the events. */
export const publishing = (
  aws: Pick<AwsDouble, 'url'>,
  metricsPort?: number,
): Pick<PoolOptions, 'adminEnv' | 'adminSettings'> => ({
  adminSettings: {
    sinks: [
      { kind: 'cloudwatch', region, namespace: 'Pool' },
      { kind: 'eventbridge', region },
    ],
  },
  adminEnv: {
    AWS_ENDPOINT_URL_EVENTBRIDGE: aws.url,
    AWS_ENDPOINT_URL_CLOUDWATCH:
      metricsPort === undefined ? aws.url : `http://127.0.0.1:${metricsPort}`,
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
  },
});

export interface Alarm {
  readonly change: 'raised' | 'cleared';
  readonly episode: string;
  readonly waiting_jobs: number;
  readonly jobs: readonly string[];
}

/** As EventBridge got them. */
export const alarmsAt = ({ entries }: AwsDouble): readonly Alarm[] =>
  entries
    .filter(({ DetailType }) => DetailType?.startsWith('Scaling Limit') === true)
    .map(({ Detail }) => JSON.parse(Detail ?? '') as Alarm);

/** When the ledger first knows so many workers; null when the time is over. */
export const registrationOf = (pool: Pool, workers: number, withinMs: number) =>
  momentOf(async () => (await pool.ledger.workers()).length >= workers, withinMs);

/** When the leader has said so; null when the time is over. */
export const saidOf = (
  pool: Pool,
  isSo: (said: ScalingRecord) => boolean,
  withinMs: number,
): Promise<number | null> =>
  momentOf(async () => {
    const said = await pool.ledger.scaling();
    return said !== null && isSo(said);
  }, withinMs);

export interface Punctuality {
  /** From then on every tick has been run, and in time; the tick of the last that was not. */
  readonly lastLate: number;
  readonly missed: number;
  readonly late: number;
}

/** Of ticks in [from, to). */
export function punctualityOf(
  { history }: Pool,
  {
    from,
    to,
    intervalMs,
  }: { readonly from: number; readonly to: number; readonly intervalMs: number },
): Punctuality {
  const found = { lastLate: from, missed: 0, late: 0 };
  for (const { tick, latenessMs } of history.punctuality(from, to)) {
    const isMissed = latenessMs === null;
    if (!isMissed && !isLate(latenessMs, intervalMs)) continue;
    found[isMissed ? 'missed' : 'late'] += 1;
    found.lastLate = Math.max(found.lastLate, tick);
  }
  return found;
}
