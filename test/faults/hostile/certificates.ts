/** Certificates of etcd and of the pool are exchanged while it works; and one who trusts the wrong ones. */

import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificate } from '../../support/certificates.ts';
import { watcher } from '../../support/cli.ts';
import { type Pool, startPool } from '../../support/pool-processes.ts';
import type { Trial } from '../hostile-ledger.ts';
import { beginOf, endOf, movesSince } from '../pool-row.ts';
import type { Size } from '../row.ts';

const SIZES = { full: { times: 5 }, small: { times: 1 } } as const satisfies Record<Size, object>;
const RUN_MS = 8_000;

export async function certificatesExchanged(size: Size): Promise<Trial | null> {
  const { times } = SIZES[size];
  await using pool = await startPool({
    ...{ workers: 2, checks: 200, intervalMs: 10_000 },
    access: 'certificates',
  });
  if (pool === null) return null;
  const from = beginOf();
  await sleep(from - Date.now());
  const moves = await movesSince(pool);
  const [member] = pool.etcd.members;
  for (let time = 0; time < times; time++) {
    await pool.certificates.rotate();
    // Whoever is connected stays so: only a new connection meets the new ones.
    await member.kill();
    await member.start();
    await sleep(RUN_MS);
  }
  const { moved } = await moves();
  const refused = await refusesOthers(pool);
  const window = pool.history.window(from, await endOf(pool, from));
  return {
    counts: { certificates_exchanged: times, certificates_ticks: window.ticks },
    zero: {
      certificates_missed: window.missed,
      certificates_repeated: window.repeated,
      certificates_moved: moved,
      wrong_authority_taken: refused ? 0 : 1,
    },
  };
}

/** A worker that trusts another authority ends, and says so. */
async function refusesOthers(pool: Pool): Promise<boolean> {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'other-authority-'));
  const file = path.join(folder.path, 'other.crt');
  await writeFile(file, makeCertificate({ isAuthority: true }).cert);
  const etcd = ['--etcd', pool.etcd.endpoints.join(','), '--etcd-tls-ca', file];
  const { code, stderr } = await watcher(['worker', ...etcd, '--listen', '127.0.0.1:0']);
  return code !== 0 && /certificate/i.test(stderr);
}
