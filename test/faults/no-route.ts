/**
 * The machine loses its network while checks run, and gets it back: every address but its own is
 * unreachable meanwhile. Then a worker that never had one.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf } from '../support/loopback.ts';
import { cutNetwork, isInsideNamespace, restoreNetwork } from '../support/network-namespace.ts';
import { startNginx } from '../support/nginx.ts';
import type { Proof, Row, Size } from './row.ts';
import { metricsUntil, resultCounts, watchFolderOf } from './watched-folder.ts';

const SIZES = {
  full: { endpoints: 500, cutMs: 60_000, withinMs: 60_000 },
  small: { endpoints: 50, cutMs: 3_000, withinMs: 20_000 },
} as const satisfies Record<Size, object>;

export const noRoute: Row = {
  name: 'no-route',
  title: 'A worker without a route to anything calls no target down, and recovers with the network',
  covers: ['src/worker'],
  prove: async (size): Promise<Proof | null> => {
    if (!isInsideNamespace()) return null;
    await using target = await startNginx();
    if (target === null) return null;
    const lost = await networkLost(size, target.port);
    const never = await neverHadOne(size, target.port);
    const counts = {
      checks: SIZES[size].endpoints,
      ok_before: lost.before.ok,
      unknown_without: lost.during.unknown,
      ok_after: lost.after.ok - lost.during.ok,
      unknown_from_start: never.unknown,
      critical: lost.after.critical + never.critical,
    };
    const { critical, ...met } = counts;
    return { counts, holds: critical === 0 && Object.values(met).every((count) => count > 0) };
  },
};

async function networkLost(size: Size, port: number) {
  const { endpoints, cutMs, withinMs } = SIZES[size];
  await using watcher = await startChecks(size, port);
  const all = await metricsUntil(
    watcher,
    (seen) => resultCounts(seen).ok >= 2 * endpoints,
    withinMs,
  );
  const before = resultCounts(all);
  cutNetwork();
  try {
    await sleep(cutMs);
  } finally {
    restoreNetwork();
  }
  const during = resultCounts(await watcher.metrics());
  const enough = during.ok + 2 * endpoints;
  const again = await metricsUntil(watcher, (seen) => resultCounts(seen).ok >= enough, withinMs);
  return { before, during, after: resultCounts(again) };
}

async function neverHadOne(size: Size, port: number) {
  cutNetwork();
  try {
    await using watcher = await startChecks(size, port);
    await sleep(SIZES[size].cutMs);
    return resultCounts(await watcher.metrics());
  } finally {
    restoreNetwork();
  }
}

/** None of them to 127.0.0.1, which stays reachable: the watcher listens there. */
const startChecks = (size: Size, port: number) =>
  watchFolderOf({
    endpoints: SIZES[size].endpoints,
    originOf: (index) => `${addressOf(index + 1)}:${port}`,
    cron: '* * * * * *',
  });
