/**
 * One `watcher run` from its first line to its exit code: the app, what it shows, and the order in
 * which all of it stops.
 */

import { type App, startApp } from '../app.ts';
import { durationMs } from '../shared/config/fields.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { Lifecycle, onReaderGone } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';
import { DEMO_DIR, startDemo } from './demo.ts';
import { greeting } from './greeting.ts';
import { listenerOf } from './listener.ts';
import { RUN_DEFAULTS, type RunCommandFlags, type Targets, targetsOf } from './run-options.ts';
import { RunOutput } from './run-output.ts';
import { appOptions, openSession, type Session } from './session.ts';
import { refuseUnknown } from './sources.ts';

/** Beyond the drain of the runs: claims are handed back, results delivered, which may take 10 s. */
const STOP_MS = 13_000;

interface Run {
  readonly flags: RunCommandFlags;
  readonly targets: Targets;
  readonly session: Session;
  readonly output: RunOutput;
  readonly lifecycle: Lifecycle;
}

/** The exit code, once everything has stopped. */
export async function runSession(args: readonly string[], flags: RunCommandFlags): Promise<number> {
  const { stdout, stderr } = process;
  const table = flags.table && !flags.json;
  const output = new RunOutput({ clock: systemClock, stdout, stderr, table });
  const targets = targetsOf(args);
  const defaults = { ...RUN_DEFAULTS, ...(isDemo(flags, targets) ? { config: DEMO_DIR } : {}) };
  const session = await openSession({ flags, defaults, stderr: output.stderr });
  const drainMs = session.settings.drainMs + STOP_MS;
  const lifecycle = new Lifecycle({
    clock: systemClock,
    log: session.log,
    drainMs,
    signals: process,
  });
  onReaderGone(stdout, () => lifecycle.stop());
  try {
    await start({ flags, targets, session, output, lifecycle });
  } catch (error) {
    lifecycle.stop();
    await lifecycle.ended;
    throw error;
  }
  return lifecycle.ended;
}

const isDemo = ({ demo }: RunCommandFlags, { urls, keys }: Targets): boolean =>
  demo === true && urls.length + keys.length === 0;

async function start({ flags, targets, session, output, lifecycle }: Run): Promise<void> {
  const time = flags.for === undefined ? null : timeOf(flags.for);
  const listener = await listenerOf(session);
  const demo = isDemo(flags, targets) ? await startDemo(listener.listen, systemClock) : null;
  if (demo !== null) lifecycle.onStop('the demo service', () => demo[Symbol.asyncDispose]());
  const options = appOptions({ session, targets, sink: output, posts: true });
  const connectTo = [...(demo?.connectTo ?? []), ...options.connectTo];
  const listen = demo?.listen ?? listener.listen;
  const app = await startApp({ ...options, ...listener, listen, connectTo });
  lifecycle.onStop('the app', () => app[Symbol.asyncDispose]());
  refuseUnknown(app.catalogue, targets);
  lifecycle.onReload(() => void reload(app, session.log));
  const { version } = options;
  const dir = session.settings.config;
  const { catalogue, url } = app;
  process.stderr.write(greeting({ version, catalogue, url, dir, isDemo: demo !== null }));
  output.show(app);
  lifecycle.onStop('the table', () => output.freeze());
  if (time !== null) systemClock.after(time, () => lifecycle.stop());
}

const reload = async (app: App, log: Log): Promise<void> => {
  try {
    log.info('SIGHUP: folder read again', { ...(await app.reload(false)) });
  } catch (err) {
    log.error('SIGHUP: the folder cannot be read', { err });
  }
};

const timeOf = (text: string): number => {
  const ms = durationMs(text);
  if (ms !== null && ms > 0) return ms;
  throw new WatcherError('WCH_USAGE', `--for: '${text}' is not a duration such as 30s or 5m`);
};
