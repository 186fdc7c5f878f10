/** The pool is a user of etcd: its tokens end, all tokens end at once, and its rights are taken away. */

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { addStranger, grantRole, revokeRole } from '../../support/pool-access.ts';
import { type Pool, startPool } from '../../support/pool-processes.ts';
import type { Trial } from '../hostile-ledger.ts';
import { beginOf, endOf, loggedAt, momentOf, movesSince } from '../pool-row.ts';
import type { Size } from '../row.ts';

const SIZES = {
  full: { tokensMs: 30_000, refusedMs: 60_000 },
  small: { tokensMs: 8_000, refusedMs: 8_000 },
} as const satisfies Record<Size, object>;
const TOKEN_TTL = '5s';
const PATIENCE_MS = 20_000;

export async function accessRefused(size: Size): Promise<Trial | null> {
  const { tokensMs, refusedMs } = SIZES[size];
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'etcd-tokens-'));
  const etcdFlags = await endingTokens(folder.path);
  await using pool = await startPool({
    ...{ workers: 2, checks: 200, intervalMs: 10_000 },
    ...{ access: 'users', etcdFlags },
  });
  if (pool === null) return null;
  const from = beginOf();
  await sleep(from - Date.now());
  const moves = await movesSince(pool);
  const [member] = pool.etcd.members;
  await addStranger(member);
  await sleep(tokensMs);
  await pool.read();
  const labelled = pool.history.window(from, Date.now() - 2_000).labelled;
  await revokeRole(member);
  await sleep(refusedMs);
  const named = pool.workers.filter(saysWhy).length;
  const granted = Date.now();
  await grantRole(member);
  const back = await momentOf(
    () => pool.workers.every((worker) => loggedAt(worker, 'attached', granted) !== null),
    PATIENCE_MS,
  );
  const { moved } = await moves();
  const window = pool.history.window(from, await endOf(pool, from));
  return {
    counts: { users_ticks: window.ticks, users_labelled: window.labelled },
    zero: {
      users_missed: window.missed,
      users_repeated: window.repeated,
      users_moved: moved,
      tokens_labelled: labelled,
      refusals_not_named: pool.workers.length - named,
      users_not_back: back === null ? 1 : 0,
    },
  };
}

/** The key or the user that is refused, in a line of its log. */
const saysWhy = (worker: Pool['workers'][number]): boolean =>
  [...worker.log()].some((line) => /refuse|permission denied/.test(JSON.stringify(line)));

/** Tokens that end by themselves: etcd's simple ones are prolonged by each use. */
async function endingTokens(folder: string): Promise<string[]> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [pub, priv] = [path.join(folder, 'pub.pem'), path.join(folder, 'priv.pem')];
  await writeFile(pub, publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(priv, privateKey.export({ type: 'pkcs1', format: 'pem' }));
  const token = `jwt,pub-key=${pub},priv-key=${priv},sign-method=RS256,ttl=${TOKEN_TTL}`;
  return ['--auth-token', token];
}
