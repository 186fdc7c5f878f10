/** Twenty workers claim one jobset at once, a thousand times; then while their answers get lost. */

import { openEtcdStore } from '../../src/shared/coordination/kv-etcd.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { claimRace as race } from '../contract/claim-race.ts';
import { startEtcd } from '../support/etcd.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import type { Proof, Row, Size } from './row.ts';

const SIZES = {
  full: { rounds: 1_000, lossy: 200 },
  small: { rounds: 10, lossy: 5 },
} as const satisfies Record<Size, object>;
const CLAIMANTS = 20;
/** By then every claim has arrived. */
const MUTE_MS = 30;

export const claimRace: Row = {
  name: 'claim-race',
  title: 'Of twenty that claim one jobset at once, exactly one has it, and everybody knows',
  covers: ['src/shared/coordination'],
  prove: async (size): Promise<Proof | null> => {
    const { rounds, lossy } = SIZES[size];
    await using etcd = await startEtcd();
    if (etcd === null) return null;
    await using network = await FaultProxy.start(etcd.members[0].port);
    const plain = await raceOn(etcd.endpoints, { rounds });
    const disturb = (): void => {
      network.mode = 'mute';
      setTimeout(() => {
        network.mode = 'pass';
        network.cut();
      }, MUTE_MS);
    };
    const lost = await raceOn([network.endpoint], { rounds: lossy, disturb });
    const violations = [...plain.violations, ...lost.violations];
    for (const violation of violations) console.error(violation);
    const counts = {
      claimants: CLAIMANTS,
      rounds,
      one_winner: plain.decided,
      rounds_with_lost_answers: lossy,
      one_winner_with_lost_answers: lost.decided,
      answers_lost: lost.unknown,
      violations: violations.length,
    };
    return { counts, holds: plain.decided === rounds && violations.length === 0 };
  },
};

async function raceOn(
  endpoints: readonly string[],
  options: { readonly rounds: number; readonly disturb?: () => void },
) {
  await using all = new AsyncDisposableStack();
  const opening = Array.from({ length: CLAIMANTS }, () =>
    openEtcdStore({ endpoints, clock: systemClock, random: systemRandom }),
  );
  const stores = (await Promise.all(opening)).map((store) => all.use(store));
  return await race({ stores, ...options });
}
