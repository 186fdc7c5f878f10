/** One `watcher admin` from its first line to its exit code. */

import { startAdmin } from '../app.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import type { Lifecycle } from '../shared/runtime/lifecycle.ts';
import { adminGreeting } from './greeting.ts';
import { listenerOf } from './listener.ts';
import type { RunFlags } from './run-options.ts';
import {
  FINISH_MS,
  live,
  openSession,
  poolOf,
  processOptions,
  reloadOn,
  type Session,
} from './session.ts';
import { folderSource } from './sources.ts';

/** It resigns, and what it has reported of itself is delivered. */
const STOP_MS = FINISH_MS + 3_000;

/** The exit code, once everything has stopped. */
export async function adminSession(flags: RunFlags): Promise<number> {
  const { stderr } = process;
  const session = await openSession({ flags, defaults: {}, stderr, logName: 'watcher-admin' });
  const { log } = session;
  const json = flags.json === true;
  return live({ log, stopMs: STOP_MS, start: (lifecycle) => start({ session, lifecycle, json }) });
}

interface Run {
  readonly session: Session;
  readonly lifecycle: Lifecycle;
  readonly json: boolean;
}

async function start({ session, lifecycle, json }: Run): Promise<void> {
  const { settings, log } = session;
  const pool = poolOf(settings, 'admin');
  // Without a key, secrets could reach etcd only as they stand in the files.
  const inlineSecrets = pool.poolKey === null ? 'refuse' : 'allow';
  const source = folderSource(settings.config, { clock: systemClock, inlineSecrets });
  const listener = await listenerOf(session);
  const options = processOptions({ session, pool, sinks: [], finishMs: FINISH_MS });
  const app = await startAdmin({ ...options, ...listener, source });
  lifecycle.onStop('the admin', () => app[Symbol.asyncDispose]());
  lifecycle.onReload(() => void reloadOn(app, log));
  const { catalogue, url } = app;
  const { version } = options;
  if (json) process.stdout.write(`${JSON.stringify({ url })}\n`);
  else process.stderr.write(adminGreeting({ version, catalogue, url, dir: settings.config }));
}
