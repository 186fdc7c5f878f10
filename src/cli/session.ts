/** What `run` and `once` have in common: the log, and the app's options from flags and targets. */

import type { AppOptions } from '../app.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Log, type LogOptions, openLog } from '../shared/runtime/log.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { Redactor } from '../shared/runtime/redact.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { configDir, type RunFlags, type Targets } from './run-options.ts';
import { sourceOf } from './sources.ts';
import { watcherVersion } from './version.ts';

/** Runs in flight may end by their own timeouts, 10 s by default. */
export const DRAIN_MS = 12_000;
const CONCURRENCY = 256;

export interface Session {
  readonly log: Log;
  readonly redactor: Redactor;
}

export async function openSession(flags: RunFlags, stderr: LogOptions['stderr']): Promise<Session> {
  const redactor = new Redactor();
  const folder = process.env['LOG_DIR'];
  const file = folder === undefined ? {} : { file: { folder, name: 'watcher' } };
  return { redactor, log: await openLog({ level: flags.logLevel, redactor, stderr, ...file }) };
}

export interface SessionOptions {
  readonly flags: RunFlags;
  readonly targets: Targets;
  readonly session: Session;
  readonly sink: Sink;
  /** Where no flag or variable names a folder. */
  readonly dir?: string | undefined;
  readonly connectTo?: readonly string[] | undefined;
}

/** Everything but where to listen. */
export const appOptions = (options: SessionOptions): Omit<AppOptions, 'listen'> => {
  const { flags, targets, session, sink } = options;
  const { dir = 'configs', connectTo = [] } = options;
  const { concurrency = CONCURRENCY } = flags;
  return {
    clock: systemClock,
    random: systemRandom,
    log: session.log,
    version: watcherVersion(),
    source: sourceOf(configDir(flags, process.env) ?? dir, targets, systemClock),
    sinks: [sink],
    concurrency,
    perHost: Math.ceil(concurrency / 2),
    runAtStart: true,
    drainMs: DRAIN_MS,
    connectTo: [...connectTo, ...flags.connectTo],
    dns: flags.dns,
    env: process.env,
    onSecret: (value) => session.redactor.register(value),
  };
};
