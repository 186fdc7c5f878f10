/** When a started watcher has loaded, published and claimed everything. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { WatcherProcess } from './watcher-process.ts';

export async function allHeld(watcher: WatcherProcess, checks: number): Promise<void> {
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(200)) {
    if ((await watcher.metrics()).total('watcher_checks_held') === checks) return;
  }
  throw new Error(`the watcher does not hold ${checks} checks after two minutes`);
}
