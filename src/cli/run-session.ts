/**
 * One `watcher run` from its first line to its exit code: the app, what it shows, and the order in
 * which all of it stops.
 */

import { type App, startApp } from '../app.ts';
import { durationMs } from '../shared/config/fields.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { DEFAULT_LISTEN, parseListen } from '../shared/http/listen.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { Lifecycle, onReaderGone } from '../shared/runtime/lifecycle.ts';
import type { Log } from '../shared/runtime/log.ts';
import { type Demo, startDemo } from './demo.ts';
import type { RunCommandFlags } from './run.ts';
import { type Targets, targetsOf } from './run-options.ts';
import { RunOutput } from './run-output.ts';
import { appOptions, DRAIN_MS, openSession, type Session } from './session.ts';
import { refuseUnknown } from './sources.ts';
import { plural } from './text.ts';
import { watcherVersion } from './version.ts';

/** Beyond the drain of the runs: results are delivered, claims handed back. */
const STOP_MS = DRAIN_MS + 3000;

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
  const session = await openSession(flags, output.stderr);
  const { log } = session;
  const lifecycle = new Lifecycle({ clock: systemClock, log, drainMs: STOP_MS, signals: process });
  onReaderGone(stdout, () => lifecycle.stop());
  try {
    await start({ flags, targets: targetsOf(args), session, output, lifecycle });
  } catch (error) {
    lifecycle.stop();
    await lifecycle.ended;
    throw error;
  }
  return lifecycle.ended;
}

async function start({ flags, targets, session, output, lifecycle }: Run): Promise<void> {
  const wanted = flags.listen === undefined ? DEFAULT_LISTEN : parseListen(flags.listen);
  const time = flags.for === undefined ? null : timeOf(flags.for);
  const isDemo = flags.demo && targets.urls.length + targets.keys.length === 0;
  const demo = isDemo ? await startDemo(wanted, systemClock) : null;
  if (demo !== null) lifecycle.onStop('the demo service', () => demo[Symbol.asyncDispose]());
  const { dir = undefined, connectTo, listen = wanted } = demo ?? {};
  const options = appOptions({ flags, targets, session, sink: output, dir, connectTo });
  const app = await startApp({ ...options, listen });
  lifecycle.onStop('the app', () => app[Symbol.asyncDispose]());
  refuseUnknown(app.catalogue, targets);
  lifecycle.onReload(() => void reload(app, session.log));
  process.stderr.write(greeting(app, demo));
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

const greeting = ({ catalogue, url }: App, demo: Demo | null): string => {
  const checks = plural(catalogue.definitions.length, 'check');
  const first = `watcher ${watcherVersion()} runs ${checks} and answers at ${url}\n`;
  if (demo === null) return `${first}\n`;
  const own = 'This is a demo. To check a URL of your own:  npm start -- https://example.com\n';
  return `${first}${own}The checks are in ${demo.dir}: change one and save\n\n`;
};
