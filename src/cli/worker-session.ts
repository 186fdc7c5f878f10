/** `watcher worker` from its first line to its exit code: one worker, or the parent of several. */

import { startWorker } from '../app.ts';
import type { SettingTexts } from '../shared/config/settings-table.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Lifecycle, onReaderGone } from '../shared/runtime/lifecycle.ts';
import { workerGreeting } from './greeting.ts';
import { listenerOf } from './listener.ts';
import type { WorkerFlags } from './run-options.ts';
import { RunOutput } from './run-output.ts';
import {
  live,
  openSession,
  poolOf,
  processOptions,
  type Session,
  workerSettings,
} from './session.ts';
import { ownNumber, WorkerProcesses } from './worker-processes.ts';

/** A worker is replaced often, and has a state folder: ten seconds from the signal, it is gone. */
const FINISH_MS = 2_000;
/** Beyond the drain of the runs: jobsets are handed back, results delivered. */
const STOP_MS = FINISH_MS + 2_500;
/** What a parent gives its workers beyond that, so that they end by themselves. */
const REAP_MS = 300;
const MOST_PROCESSES = 256;
const LOG_NAME = 'watcher-worker';

/** The exit code, once everything has stopped. */
export const workerSession = (flags: WorkerFlags, defaults: SettingTexts): Promise<number> => {
  const count = flags.processes === undefined ? 1 : countOf(flags.processes);
  const isParent = count > 1 && ownNumber() === null;
  return isParent ? parentSession(count, flags, defaults) : ownSession(flags, defaults);
};

const countOf = (text: string): number => {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_PROCESSES) return count;
  const message = `--processes: '${text}' is not a number from 1 to ${MOST_PROCESSES}`;
  throw new WatcherError('WCH_USAGE', message);
};

async function ownSession(flags: WorkerFlags, defaults: SettingTexts): Promise<number> {
  const output = new RunOutput({
    clock: systemClock,
    ...process,
    table: flags.table && !flags.json,
  });
  const number = ownNumber();
  const logName = number === null ? LOG_NAME : `${LOG_NAME}-${number}`;
  const session = await openSession({ flags, defaults, stderr: output.stderr, logName });
  const { log, settings } = session;
  const stopMs = settings.drainMs + STOP_MS;
  return live({ log, stopMs, start: (lifecycle) => start({ session, output, lifecycle }) });
}

interface Run {
  readonly session: Session;
  readonly output: RunOutput;
  readonly lifecycle: Lifecycle;
}

async function start({ session, output, lifecycle }: Run): Promise<void> {
  const { settings, log } = session;
  onReaderGone(process.stdout, () => lifecycle.stop());
  // Whose parent is gone has nobody to start it again, and a new parent starts others.
  process.on('disconnect', () => lifecycle.stop());
  // Listening alone would keep alive a process that could not start.
  process.channel?.unref();
  lifecycle.onReload(() => log.info('SIGHUP: a worker has no folder; its admin publishes one'));
  const pool = poolOf(settings, 'worker');
  const listener = await listenerOf(session);
  const options = processOptions({ session, pool, sinks: [output], finishMs: FINISH_MS });
  const app = await startWorker({ ...options, ...workerSettings(settings), ...listener });
  lifecycle.onStop('the worker', () => app[Symbol.asyncDispose]());
  process.stderr.write(workerGreeting({ version: options.version, url: app.url }));
  output.show(app.status);
  lifecycle.onStop('the table', () => output.freeze());
}

async function parentSession(
  count: number,
  flags: WorkerFlags,
  defaults: SettingTexts,
): Promise<number> {
  const { stderr, stdout } = process;
  const { settings, log } = await openSession({ flags, defaults, stderr, logName: LOG_NAME });
  poolOf(settings, 'worker');
  const processes = new WorkerProcesses({ clock: systemClock, log, stdout, count });
  const code = await live({
    log,
    stopMs: settings.drainMs + STOP_MS + REAP_MS,
    start: async (lifecycle) => {
      onReaderGone(stdout, () => lifecycle.stop());
      lifecycle.onReload(() => processes.signal('SIGHUP'));
      lifecycle.onStop('the workers', () => processes.stop());
      processes.start(() => lifecycle.stop());
    },
  });
  // Left over after a second signal, or when the time was over.
  processes.signal('SIGKILL');
  return processes.hopeless ?? code;
}
