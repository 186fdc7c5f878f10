/** A resolver that refuses, and one that never answers: the targets behind the names are well. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isInsideNamespace, useResolver } from '../support/network-namespace.ts';
import type { Metrics } from '../support/watcher-process.ts';
import type { Proof, Row, Size } from './row.ts';
import { metricsUntil, resultCounts, watchFolderOf } from './watched-folder.ts';

/** `targets` distinct names; each resolver is met by that many results at least. */
const SIZES = {
  full: { names: 500, results: 2_000, withinMs: 120_000 },
  small: { names: 50, results: 50, withinMs: 30_000 },
} as const satisfies Record<Size, object>;

export const deadResolver: Row = {
  name: 'dead-resolver',
  title: 'While the resolver refuses or keeps silent, no target is called down',
  covers: ['src/worker'],
  prove: async (size): Promise<Proof | null> => {
    if (!isInsideNamespace()) return null;
    await using folder = await mkdtempDisposable(path.join(tmpdir(), 'resolver-'));
    useResolver('127.0.0.1', folder.path);
    const refused = await resultsWithout(size);
    await using _silent = await silentResolver();
    const silent = await resultsWithout(size);
    const counts = {
      names: SIZES[size].names,
      refused_unknown: refused.unknown,
      silent_unknown: silent.unknown,
      ok: refused.ok + silent.ok,
      warning: refused.warning + silent.warning,
      critical: refused.critical + silent.critical,
    };
    const met = Math.min(refused.unknown, silent.unknown) >= SIZES[size].results;
    return { counts, holds: counts.critical === 0 && met };
  },
};

async function resultsWithout(size: Size) {
  const { names, results, withinMs } = SIZES[size];
  await using watcher = await watchFolderOf({
    endpoints: names,
    originOf: (index) => `host-${index}.fault.test:8080`,
    cron: '* * * * * *',
    timeout: '2s',
  });
  const enough = (metrics: Metrics) => metrics.total('watcher_results_total') >= results;
  return resultCounts(await metricsUntil(watcher, enough, withinMs));
}

async function silentResolver(): Promise<AsyncDisposable> {
  const socket = createSocket('udp4').bind(53, '127.0.0.1');
  await once(socket, 'listening');
  return {
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}
