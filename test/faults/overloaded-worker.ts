/**
 * One worker has twice the checks that it has places for, and an autoscaling group on this machine follows
 * the level that the leader publishes.
 */

import { checkIdOf } from '../../src/shared/config/check-id.ts';
import { startAwsDouble } from '../support/aws-double.ts';
import { freePort } from '../support/free-ports.ts';
import { historyOf, type JobsetHistory } from '../support/jobset-history.ts';
import { PoolGroup } from '../support/pool-group.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { endOf, momentOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import {
  type Alarm,
  alarmsAt,
  manyHosts,
  publishing,
  punctualityOf,
  registrationOf,
  SCALING_COVERS,
} from './scaling-pool.ts';

const SIZES = {
  full: { checks: 400, places: 40 },
  small: { checks: 100, places: 10 },
} as const satisfies Record<Size, object>;
const INTERVAL_MS = 10_000;
/** With so long an answer, all checks together ask for twice the places of a worker. */
const ANSWER_MS = 2_000;
const MOST_WORKERS = 4;
const ON_TIME_MS = 60_000;
/** After that, at least. */
const WATCHED_MS = 2 * INTERVAL_MS;
/** The group waits for some levels above its target, as AWS does, so that the alarm is there first. */
const GROUP = ['--out-after', '4', '--warm-up', '20'];
const PATIENCE_MS = 240_000;

export const overloadedWorker: Row = {
  name: 'overloaded-worker',
  title:
    'Twice the load of a worker: no job is ever lost or doubled, one alarm names those that wait, the group grows, and all is on time within 60 s of the next worker',
  covers: [...SCALING_COVERS, 'deploy/local'],
  prove: async (size): Promise<Proof | null> => {
    const { checks, places } = SIZES[size];
    await using aws = await startAwsDouble();
    const port = await freePort();
    await using pool = await startPool({
      ...{ workers: 0, checks, intervalMs: INTERVAL_MS, hostOf: manyHosts },
      ...publishing(aws, port),
      workerArgs: ['--concurrency', `${places}`],
    });
    if (pool === null) return null;
    pool.target.delayOf = () => ANSWER_MS;
    await using group = await PoolGroup.start(pool, { port, most: MOST_WORKERS, args: GROUP });
    const joined = await registrationOf(pool, 2, PATIENCE_MS);
    const isCleared = () => alarmsAt(aws).some(({ change }) => change === 'cleared');
    await momentOf(isCleared, PATIENCE_MS);
    await pool.until((joined ?? 0) + ON_TIME_MS + WATCHED_MS);
    const to = await endOf(pool, Date.now() - INTERVAL_MS);
    const history = historyOf(
      await pool.ledger.changes(pool.ledger.keys.jobsets),
      pool.ledger.keys,
    );
    const alarms = alarmsAt(aws);
    const proof = proofOf({ pool, joined, to, history, alarms });
    if (!proof.holds) console.error(group.lines.join('\n'));
    return proof;
  },
};

interface Seen {
  readonly pool: Pool;
  readonly joined: number | null;
  readonly to: number;
  readonly history: JobsetHistory;
  readonly alarms: readonly Alarm[];
}

function proofOf({ pool, joined, to, history, alarms }: Seen): Proof {
  const raised = alarms.filter(({ change }) => change === 'raised');
  const named = raised.flatMap(({ jobs }) => jobs);
  const from = joined ?? to;
  const { lastLate } = punctualityOf(pool, { from, to, intervalMs: INTERVAL_MS });
  const after = punctualityOf(pool, { from: from + ON_TIME_MS, to, intervalMs: INTERVAL_MS });
  const counts = {
    revisions: history.revisions,
    jobs: history.jobs,
    waited: history.waited.size,
    absent: history.absent.length,
    doubled: history.doubled.length,
    raised: raised.length,
    cleared: alarms.length - raised.length,
    waiting_at_alarm: raised[0]?.waiting_jobs ?? 0,
    named: named.length,
    named_wrongly: named.filter((key) => !history.waited.has(checkIdOf(key))).length,
    joined: joined === null ? 0 : 1,
    on_time_after_ms: lastLate - from,
    late_after_60_s: after.late,
    missed_after_60_s: after.missed,
    seconds_after_60_s: Math.round((to - from - ON_TIME_MS) / 1000),
  };
  const none = [
    'absent',
    'doubled',
    'named_wrongly',
    'late_after_60_s',
    'missed_after_60_s',
  ] as const;
  const holds =
    none.every((name) => counts[name] === 0) &&
    counts.raised === 1 &&
    counts.cleared === 1 &&
    counts.named > 0 &&
    counts.joined === 1 &&
    counts.seconds_after_60_s * 1000 >= INTERVAL_MS;
  return { counts, holds };
}
