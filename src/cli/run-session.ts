/**
 * One `watcher run` from its first line to its exit code: the app, what it shows, and the order in
 * which all of it stops.
 */

import { startApp } from '../app.ts';
import { durationMs } from '../shared/config/fields.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Lifecycle, onReaderGone } from '../shared/runtime/lifecycle.ts';
import { DEMO_DIR, startDemo } from './demo.ts';
import { greeting } from './greeting.ts';
import { listenerOf } from './listener.ts';
import { RUN_DEFAULTS, type RunCommandFlags, type Targets, targetsOf } from './run-options.ts';
import { RunOutput } from './run-output.ts';
import { appOptions, FINISH_MS, live, openSession, reloadOn, type Session } from './session.ts';
import { refuseUnknown, sourceOf } from './sources.ts';

/** Beyond the drain of the runs: claims are handed back, results delivered. */
const STOP_MS = FINISH_MS + 3_000;

interface Run {
  readonly flags: RunCommandFlags;
  readonly targets: Targets;
  readonly session: Session;
  readonly output: RunOutput;
  readonly lifecycle: Lifecycle;
}

/** The exit code, once everything has stopped. */
export async function runSession(args: readonly string[], flags: RunCommandFlags): Promise<number> {
  const output = new RunOutput({
    clock: systemClock,
    ...process,
    table: flags.table && !flags.json,
  });
  const targets = targetsOf(args);
  const defaults = { ...RUN_DEFAULTS, ...(isDemo(flags, targets) ? { config: DEMO_DIR } : {}) };
  const session = await openSession({ flags, defaults, stderr: output.stderr });
  return live({
    log: session.log,
    stopMs: session.settings.drainMs + STOP_MS,
    start: (lifecycle) => start({ flags, targets, session, output, lifecycle }),
  });
}

const isDemo = ({ demo }: RunCommandFlags, { urls, keys }: Targets): boolean =>
  demo === true && urls.length + keys.length === 0;

async function start({ flags, targets, session, output, lifecycle }: Run): Promise<void> {
  onReaderGone(process.stdout, () => lifecycle.stop());
  const time = flags.for === undefined ? null : timeOf(flags.for);
  const listener = await listenerOf(session);
  const demo = isDemo(flags, targets) ? await startDemo(listener.listen, systemClock) : null;
  if (demo !== null) lifecycle.onStop('the demo service', () => demo[Symbol.asyncDispose]());
  const source = sourceOf(session.settings.config, targets, systemClock);
  const options = appOptions({ session, source, sink: output, finishMs: FINISH_MS });
  const connectTo = [...(demo?.connectTo ?? []), ...options.connectTo];
  const listen = demo?.listen ?? listener.listen;
  const app = await startApp({ ...options, ...listener, listen, connectTo });
  lifecycle.onStop('the app', () => app[Symbol.asyncDispose]());
  refuseUnknown(app.catalogue, targets);
  lifecycle.onReload(() => void reloadOn(app, session.log));
  const { version } = options;
  const dir = session.settings.config;
  const { catalogue, url } = app;
  process.stderr.write(greeting({ version, catalogue, url, dir, isDemo: demo !== null }));
  output.show(app.status);
  lifecycle.onStop('the table', () => output.freeze());
  if (time !== null) systemClock.after(time, () => lifecycle.stop());
}

const timeOf = (text: string): number => {
  const ms = durationMs(text);
  if (ms !== null && ms > 0) return ms;
  throw new WatcherError('WCH_USAGE', `--for: '${text}' is not a duration such as 30s or 5m`);
};
