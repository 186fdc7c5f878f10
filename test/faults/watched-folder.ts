/** A watcher on a folder of equal checks, started for the length of one proof. */

import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EndpointOptions, writeEndpointFolder } from '../support/endpoint-folder.ts';
import { type Metrics, startWatcher, type WatcherProcess } from '../support/watcher-process.ts';

export interface WatchedFolderOptions extends EndpointOptions {
  readonly endpoints: number;
  readonly args?: readonly string[];
  readonly within?: readonly string[];
}

export async function watchFolderOf(options: WatchedFolderOptions): Promise<WatcherProcess> {
  await using resources = new AsyncDisposableStack();
  const { path: folder } = resources.use(
    await mkdtempDisposable(path.join(tmpdir(), 'watcher-fault-')),
  );
  await writeEndpointFolder({ ...options, folder, files: 5 });
  const { args = [], within = [] } = options;
  const watcher = resources.use(
    await startWatcher({ config: folder, args, within, stdout: 'ignore' }),
  );
  const owned = resources.move();
  return { ...watcher, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Results so far, by status. */
export const resultCounts = (metrics: Metrics) => ({
  ok: metrics.total('watcher_results_total', 'status="ok"'),
  warning: metrics.total('watcher_results_total', 'status="warning"'),
  critical: metrics.total('watcher_results_total', 'status="critical"'),
  unknown: metrics.total('watcher_results_total', 'status="unknown"'),
});

/** Looks twice a second until it is enough or the time is over; the last look is the answer. */
export async function metricsUntil(
  watcher: WatcherProcess,
  enough: (metrics: Metrics) => boolean,
  withinMs: number,
): Promise<Metrics> {
  const deadline = Date.now() + withinMs;
  let metrics = await watcher.metrics();
  while (!enough(metrics) && Date.now() < deadline) {
    await sleep(500);
    metrics = await watcher.metrics();
  }
  return metrics;
}
