/** The store in memory, on which the simulation stands, held against etcd, step by step. */

import { compareStores } from '../contract/differential.ts';
import { startEtcd } from '../support/etcd.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { sequences: 5_000, slow: 25 },
  small: { sequences: 20, slow: 0 },
} as const satisfies Record<Size, object>;
/** At a time, each on an etcd of its own. */
const SERVERS = 2;
const SEEDS_APART = 1_000_000;

export const twoStores: Row = {
  name: 'two-stores',
  title: 'The store in memory answers and tells what etcd does, whatever is asked of the two',
  covers: ['src/shared/coordination'],
  prove: async (size): Promise<Proof | null> => {
    const outcomes = await Promise.all(
      Array.from({ length: SERVERS }, (_, server) => compared(size, server)),
    );
    const done = outcomes.filter((outcome) => outcome !== null);
    if (done.length < outcomes.length) return null;
    const mismatches = done.flatMap((outcome) => outcome.mismatches);
    for (const mismatch of mismatches) console.error(mismatch);
    const sum = (of: 'sequences' | 'steps' | 'changesTold') =>
      done.reduce((total, outcome) => total + outcome[of], 0);
    const counts = {
      sequences: sum('sequences'),
      steps: sum('steps'),
      changes_told: sum('changesTold'),
      mismatches: mismatches.length,
    };
    return { counts, holds: mismatches.length === 0 && counts.steps > 0 };
  },
};

async function compared(size: Size, server: number) {
  await using etcd = await startEtcd();
  if (etcd === null) return null;
  return await compareStores(etcd, { ...SIZES[size], seed: 1 + server * SEEDS_APART });
}
