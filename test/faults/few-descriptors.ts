/** A process that may open 64 files and sockets, and holds checks that want hundreds at a time. */

import { addressOf } from '../support/loopback.ts';
import { startNginx } from '../support/nginx.ts';
import type { Metrics } from '../support/watcher-process.ts';
import type { Proof, Row, Size } from './row.ts';
import { metricsUntil, resultCounts, watchFolderOf } from './watched-folder.ts';

const SIZES = {
  full: { endpoints: 500, unknown: 1_000, withinMs: 120_000 },
  small: { endpoints: 200, unknown: 20, withinMs: 20_000 },
} as const satisfies Record<Size, object>;

export const fewDescriptors: Row = {
  name: 'few-descriptors',
  title: 'A worker without descriptors left says so, and calls no target down',
  covers: ['src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const { endpoints, unknown, withinMs } = SIZES[size];
    await using target = await startNginx();
    if (target === null) return null;
    await using watcher = await watchFolderOf({
      endpoints,
      originOf: (index) => `${addressOf(index)}:${target.port}`,
      cron: '* * * * * *',
      within: ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh'],
    });
    const enough = (metrics: Metrics) => resultCounts(metrics).unknown > unknown;
    const counts = {
      checks: endpoints,
      ...resultCounts(await metricsUntil(watcher, enough, withinMs)),
    };
    return { counts, holds: counts.critical === 0 && counts.unknown > unknown };
  },
};
