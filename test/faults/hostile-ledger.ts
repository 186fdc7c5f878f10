/**
 * What a ledger may hold or refuse that no watcher has meant: damaged, foreign and newer records, a user
 * who may touch nothing any more, tokens that end, an etcd that comes back older or empty, certificates
 * that are exchanged. Each time a pool is at work, and goes on.
 */

import { certificatesExchanged } from './hostile/certificates.ts';
import { recordsDamaged } from './hostile/records.ts';
import { storeWentBack } from './hostile/store.ts';
import { accessRefused } from './hostile/users.ts';
import { POOL_COVERS } from './pool-row.ts';
import type { Proof, Row, Size } from './row.ts';

/** What must be zero is called so. */
export interface Trial {
  readonly counts: Readonly<Record<string, number>>;
  readonly zero: Readonly<Record<string, number>>;
}

export const hostileLedger: Row = {
  name: 'hostile-ledger',
  title: 'Whatever etcd holds, refuses or has forgotten, the checks that run go on',
  covers: [...POOL_COVERS, 'src/ground.ts'],
  prove: async (size: Size): Promise<Proof | null> => {
    const trials = [recordsDamaged, accessRefused, storeWentBack, certificatesExchanged];
    const outcomes = await Promise.all(trials.map((trial) => trial(size)));
    const done = outcomes.filter((trial) => trial !== null);
    if (done.length < trials.length) return null;
    const zeros = done.flatMap(({ zero }) => Object.entries(zero));
    const counts = Object.fromEntries([
      ...done.flatMap(({ counts }) => Object.entries(counts)),
      ...zeros,
    ]);
    return { counts, holds: zeros.every(([, count]) => count === 0) };
  },
};
