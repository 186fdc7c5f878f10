/** What all that runs has in common: settings, the log, the app's options from them, and its end. */

import type {
  AdminApp,
  AppOptions,
  CatalogueSource,
  ProcessOptions,
  WorkerSettings,
} from '../app.ts';
import { loadSettings, type Settings } from '../shared/config/settings.ts';
import type { SettingTexts } from '../shared/config/settings-table.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { PoolSettings } from '../shared/domain/pool-settings.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { Lifecycle } from '../shared/runtime/lifecycle.ts';
import { type Log, type LogOptions, openLog } from '../shared/runtime/log.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { Redactor } from '../shared/runtime/redact.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { type RunFlags, settingTexts } from './run-options.ts';
import { watcherVersion } from './version.ts';

export interface Session {
  readonly settings: Settings;
  readonly log: Log;
  readonly redactor: Redactor;
}

interface SessionSources {
  readonly flags: RunFlags;
  /** Where the command has other defaults than the table of settings. */
  readonly defaults: SettingTexts;
  readonly stderr: LogOptions['stderr'];
  /** Of the file in LOG_DIR. */
  readonly logName?: string;
}

/** Throws WCH_SETTINGS. */
export async function openSession(sources: SessionSources): Promise<Session> {
  const { flags, defaults, stderr, logName: name = 'watcher' } = sources;
  const { env } = process;
  const texts = settingTexts(flags);
  const settings = await loadSettings({ file: flags.settings, env, flags: texts, defaults });
  const redactor = new Redactor();
  const folder = env['LOG_DIR'];
  const file = folder === undefined ? {} : { file: { folder, name } };
  const log = await openLog({ level: settings.logLevel, redactor, stderr, ...file });
  return { settings, redactor, log };
}

export interface ProcessSources {
  readonly session: Session;
  readonly pool: PoolSettings;
  /** What the process itself shows. */
  readonly sinks: readonly Sink[];
  /** How long what is undelivered is still sent on the way out; null: nothing is posted at all. */
  readonly finishMs: number | null;
}

/** Nothing that watcher does keeps its event loop this long. */
const STANDSTILL_MS = 30_000;
/** As long as a call to a sink may take. */
export const FINISH_MS = 10_000;

/** Everything but where to listen. */
export const processOptions = (sources: ProcessSources): Omit<ProcessOptions, 'listen'> => {
  const { session, pool, sinks, finishMs } = sources;
  const { settings, log, redactor } = session;
  return {
    clock: systemClock,
    random: systemRandom,
    log,
    version: watcherVersion(),
    pool,
    sinks,
    outlets:
      finishMs === null ? null : { sinks: settings.sinks, stateFolder: settings.state, finishMs },
    connectTo: settings.connectTo,
    standstillMs: STANDSTILL_MS,
    env: process.env,
    onSecret: (value) => redactor.register(value),
    redact: (text) => redactor.apply(text),
  };
};

export const workerSettings = (settings: Settings): WorkerSettings => {
  const { concurrency, perHost, maxJobs, dns, runAtStart, drainMs } = settings;
  return { concurrency, perHost, maxJobs, dns, runAtStart, drainMs };
};

export interface AppSources extends Omit<ProcessSources, 'sinks' | 'pool'> {
  readonly source: CatalogueSource;
  readonly sink: Sink;
}

/** Of a process that is alone, whatever pool the settings name. */
export const appOptions = (sources: AppSources): Omit<AppOptions, 'listen'> => {
  const { session, source, sink } = sources;
  const pool = { ...session.settings.pool, etcd: null };
  const options = processOptions({ ...sources, pool, sinks: [sink] });
  return { ...options, ...workerSettings(session.settings), source };
};

/** Throws WCH_SETTINGS where no pool is named. */
export const poolOf = ({ pool }: Settings, command: string): PoolSettings => {
  if (pool.etcd !== null) return pool;
  throw new WatcherError(
    'WCH_SETTINGS',
    `etcd: watcher ${command} is a part of a pool, which is named by --etcd http://127.0.0.1:2379, WATCHER_ETCD or etcd in the settings file; one process alone, without etcd, is watcher run`,
  );
};

export interface Living {
  readonly log: Log;
  /** How long all parts together may take to stop. */
  readonly stopMs: number;
  readonly start: (lifecycle: Lifecycle) => Promise<void>;
}

/**
 * The exit code, once everything has stopped. A start that is waiting for something ends with the
 * first signal, as nothing has begun that would have to be handed back.
 */
export async function live({ log, stopMs, start }: Living): Promise<number> {
  const lifecycle = new Lifecycle({ clock: systemClock, log, drainMs: stopMs, signals: process });
  try {
    await Promise.race([start(lifecycle), lifecycle.ended]);
  } catch (error) {
    lifecycle.stop();
    await lifecycle.ended;
    throw error;
  }
  return lifecycle.ended;
}

/** What SIGHUP asks of a process that has the folder. */
export const reloadOn = async (app: Pick<AdminApp, 'reload'>, log: Log): Promise<void> => {
  try {
    log.info('SIGHUP: folder read again', { ...(await app.reload(false)) });
  } catch (err) {
    log.error('SIGHUP: the folder cannot be read', { err });
  }
};
