/** More checks than one worker may take, and a hook that starts another one. */

import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ScalingView } from '../../src/shared/domain/pool-views.ts';
import { type Pool, startPool } from '../support/pool-processes.ts';
import { SOURCE_COMMAND } from '../support/watcher-process.ts';
import { momentOf } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';
import { SCALING_COVERS } from './scaling-pool.ts';

const SIZES = {
  full: { checks: 1_200, afterMs: 180_000 },
  small: { checks: 100, afterMs: 20_000 },
} as const satisfies Record<Size, object>;
const EMPTY_MS = 60_000;
const PATIENCE_MS = 90_000;
const SHED = ['--scaling-mode', 'shed'];

export const hookOnce: Row = {
  name: 'hook-once',
  title: 'A hook that starts a second worker leaves nobody waiting within 60 s, and runs once',
  covers: SCALING_COVERS,
  prove: async (size): Promise<Proof | null> => {
    const { checks, afterMs } = SIZES[size];
    await using temporary = await mkdtempDisposable(path.join(tmpdir(), 'hook-'));
    const hook = path.join(temporary.path, 'hook.sh');
    await using pool = await startPool({
      ...{ workers: 0, checks, intervalMs: 10_000 },
      adminSettings: { scaling: { command: `sh ${hook}` } },
      workerArgs: [...SHED, '--max-jobs', `${checks / 2}`],
    });
    if (pool === null) return null;
    await pool.addWorker();
    await using hooked = await hookAt(hook, pool);
    const ran = await momentOf(async () => (await hooked.runs()).length > 0, PATIENCE_MS);
    const waiting = await waitingIn(pool);
    const empty = await momentOf(async () => (await waitingIn(pool)) === 0, PATIENCE_MS);
    await sleep(afterMs);
    const counts = {
      checks,
      waiting,
      runs: (await hooked.runs()).length,
      empty: empty === null ? 0 : 1,
      empty_after_ms: (empty ?? 0) - (ran ?? 0),
      waiting_at_end: await waitingIn(pool),
      workers_at_end: (await pool.ledger.workers()).length,
    };
    const holds =
      ran !== null &&
      counts.waiting > 0 &&
      counts.runs === 1 &&
      counts.empty === 1 &&
      counts.empty_after_ms <= EMPTY_MS &&
      counts.waiting_at_end === 0 &&
      counts.workers_at_end === 2;
    return { counts, holds };
  },
};

/** As the admin has it in its copy of the ledger; it publishes the level only once a minute. */
const waitingIn = async (pool: Pool): Promise<number> =>
  ((await pool.ask('/v1/scaling')) as ScalingView).waitingJobs;

interface Hooked extends AsyncDisposable {
  /** The episodes that it was run for. */
  runs(): Promise<readonly string[]>;
}

/** A script that starts one more worker of the pool each time; all of them end with it. */
async function hookAt(file: string, pool: Pool): Promise<Hooked> {
  const worker = await pool.place(1);
  const words = [...SOURCE_COMMAND, ...(await worker.prepare())].map((word) => `'${word}'`);
  const linesOf = async (name: string): Promise<readonly string[]> =>
    (await readFile(`${file}.${name}`, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  await writeFile(
    file,
    [
      `${words.join(' ')} >'${file}.log' 2>&1 </dev/null &`,
      `echo "$!" >>'${file}.pids'`,
      `echo "$WATCHER_SCALING_EPISODE" >>'${file}.runs'`,
    ].join('\n'),
  );
  return {
    runs: () => linesOf('runs'),
    [Symbol.asyncDispose]: async () => {
      for (const pid of await linesOf('pids')) process.kill(Number(pid), 'SIGKILL');
    },
  };
}
