/**
 * Checks every second on kept connections, against a server that closes them after a second
 * without use: time and again a request meets a connection that is just being closed.
 */

import { addressOf } from '../support/loopback.ts';
import { startNginx } from '../support/nginx.ts';
import type { Proof, Row, Size } from './row.ts';
import { metricsUntil, resultCounts, watchFolderOf } from './watched-folder.ts';

const SIZES = {
  full: { endpoints: 500, metClosed: 1_000, withinMs: 300_000 },
  small: { endpoints: 100, metClosed: 20, withinMs: 30_000 },
} as const satisfies Record<Size, object>;

export const keptSockets: Row = {
  name: 'kept-sockets',
  title: 'A kept connection that its server has closed is no failure of the target',
  covers: ['src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const { endpoints, metClosed, withinMs } = SIZES[size];
    await using target = await startNginx({ keepAlive: '1s' });
    if (target === null) return null;
    await using watcher = await watchFolderOf({
      endpoints,
      originOf: (index) => `${addressOf(index)}:${target.port}`,
      cron: '* * * * * *',
      connection: 'reuse',
    });
    const metOf = 'watcher_connections_met_closed_total';
    const metrics = await metricsUntil(watcher, (seen) => seen.total(metOf) > metClosed, withinMs);
    const counts = {
      checks: endpoints,
      met_closed: metrics.total(metOf),
      ...resultCounts(metrics),
    };
    return { counts, holds: counts.critical === 0 && counts.met_closed > metClosed };
  },
};
