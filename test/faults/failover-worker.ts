/**
 * Workers are killed, one after the other, at any moment of their heartbeat. Measured for each jobset of
 * the dead one: until another worker's scheduler has it, by the log of that worker; and for each tick
 * that fell due meanwhile: how late it was run.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { checkIdOf } from '../../src/shared/config/check-id.ts';
import type { Progress } from '../../src/shared/domain/jobset.ts';
import { type PoolResult, spreadOf } from '../support/pool-history.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { keyOf } from '../support/pool-target.ts';
import type { PoolWorker } from '../support/pool-worker.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { beginOf, endOf, HEARTBEAT_MS, type Owners, POOL_COVERS, sharesOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { kills: 50, workers: 4, checks: 2_000, intervalMs: 60_000 },
  small: { kills: 1, workers: 3, checks: 300, intervalMs: 10_000 },
} as const satisfies Record<Size, object>;
const P99_MS = 7_000;
const MAX_MS = 8_500;
/** Of all jobsets, the least that a victim owns. */
const LEAST_SHARE = 1 / 8;

interface Kill {
  readonly at: number;
  /** Its id of that life. */
  readonly victim: string;
  /** The last that it stored. */
  readonly progress: Progress | null;
  /** Its jobsets: under which token another took them on, and when. */
  readonly taken: readonly { readonly token: number; readonly at: number }[];
}

export const failoverWorker: Row = {
  name: 'failover-worker',
  title:
    'A killed worker’s checks run elsewhere within 8.5 s (99 % within 7 s), and no tick is missed',
  covers: POOL_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { kills, ...options } = SIZES[size];
    await using pool = await startPool({ ...options, members: 3 });
    if (pool === null) return null;
    const random = seededRandom(4);
    const from = beginOf();
    await sleep(from - Date.now());
    const seen: Kill[] = [];
    while (seen.length < kills) {
      await sleep(random.next() * HEARTBEAT_MS);
      seen.push(await killOne(pool, () => random.next()));
    }
    const to = await endOf(pool, from);
    return proofOf(pool, seen, { from, to });
  },
};

async function killOne(pool: Pool, random: () => number): Promise<Kill> {
  const before = await pool.settled();
  const worker = victimOf(pool, before, random);
  const victim = worker.id;
  const lost = sharesOf(before).get(victim) ?? [];
  const at = await worker.kill();
  const progress = await pool.ledger.progressOf(victim);
  const after = await pool.settled();
  const taken = lost.map((jobset) => {
    const owner = after.get(jobset);
    const heldAt = owner && pool.ownerOf(owner)?.heldAt(jobset, owner.token);
    if (owner === undefined || typeof heldAt !== 'number') throw new Error(`${jobset}: no owner`);
    return { token: owner.token, at: heldAt };
  });
  await worker.start();
  return { at, victim, progress, taken };
}

function victimOf(pool: Pool, owners: Owners, random: () => number): PoolWorker {
  const shares = sharesOf(owners);
  const able = pool.workers.filter(
    ({ id }) => (shares.get(id)?.length ?? 0) >= LEAST_SHARE * owners.size,
  );
  const victim = able[Math.floor(random() * able.length)];
  if (victim === undefined) throw new Error('no worker owns an eighth');
  return victim;
}

function proofOf(
  pool: Pool,
  kills: readonly Kill[],
  { from, to }: { readonly from: number; readonly to: number },
): Proof {
  const takeover = spreadOf(kills.flatMap(({ at, taken }) => taken.map((one) => one.at - at)));
  const between = kills.flatMap((kill) => latenessBetween(pool, kill));
  const late = spreadOf(between);
  const window = pool.history.window(from, to);
  const repeats = [...pool.history.repeated(from, to)];
  const unexplained = repeats.filter((results) => !isSinceCheckpoint(results, kills));
  for (const results of unexplained) console.error('repeated', JSON.stringify(results));
  const counts = {
    kills: kills.length,
    jobsets_taken: kills.reduce((sum, { taken }) => sum + taken.length, 0),
    takeover_p50_ms: takeover.p50,
    takeover_p99_ms: takeover.p99,
    takeover_max_ms: takeover.max,
    ticks_between: between.length,
    late_p50_ms: late.p50,
    late_p99_ms: late.p99,
    late_max_ms: late.max,
    ticks: window.ticks,
    missed: window.missed,
    checks_lost: pool.history.unseen,
    repeated: repeats.length,
    repeated_before_checkpoint: unexplained.length,
    checkpoint_age_max_ms: Math.max(
      ...kills.map(({ at, progress }) => at - (progress?.through ?? 0)),
    ),
  };
  const isInTime = [takeover, late].every(({ p99, max }) => p99 <= P99_MS && max <= MAX_MS);
  const none = ['missed', 'checks_lost', 'repeated_before_checkpoint'] as const;
  return { counts, holds: isInTime && none.every((name) => counts[name] === 0) };
}

/** Of the ticks of the victim's checks that fell due before another worker had them. */
function latenessBetween(pool: Pool, { at, taken }: Kill): number[] {
  const heldAt = new Map(taken.map(({ token, at: held }) => [token, held]));
  const last = Math.max(at, ...heldAt.values());
  return [...pool.history.results(at, last)]
    .filter(({ tick, token }) => tick < (heldAt.get(token) ?? 0))
    .map(({ latenessMs }) => latenessMs);
}

/**
 * One of the results is a victim's, whose last stored progress does not say that this tick was done: it
 * was under way then, or run since, also if it fell due before the victim had its jobset.
 */
const isSinceCheckpoint = (results: readonly PoolResult[], kills: readonly Kill[]): boolean =>
  results.some((result) =>
    kills.some(
      ({ victim, progress }) =>
        result.worker === victim &&
        !(progress && isDone(result, progress) && result.end <= progress.through),
    ),
  );

const isDone = ({ check, tick }: PoolResult, { through, open }: Progress): boolean => {
  const id = checkIdOf(keyOf(check));
  return tick <= through && !open.some(([job, at]) => job === id && at === tick);
};
