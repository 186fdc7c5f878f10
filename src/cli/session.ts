/** What `run` and `once` have in common: settings, the log, and the app's options from them. */

import type { AppOptions } from '../app.ts';
import { loadSettings, type Settings } from '../shared/config/settings.ts';
import type { SettingTexts } from '../shared/config/settings-table.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Log, type LogOptions, openLog } from '../shared/runtime/log.ts';
import { systemRandom } from '../shared/runtime/random.ts';
import { Redactor } from '../shared/runtime/redact.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { type RunFlags, settingTexts, type Targets } from './run-options.ts';
import { sourceOf } from './sources.ts';
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
}

/** Throws WCH_SETTINGS. */
export async function openSession({ flags, defaults, stderr }: SessionSources): Promise<Session> {
  const { env } = process;
  const texts = settingTexts(flags);
  const settings = await loadSettings({ file: flags.settings, env, flags: texts, defaults });
  const redactor = new Redactor();
  const folder = env['LOG_DIR'];
  const file = folder === undefined ? {} : { file: { folder, name: 'watcher' } };
  const log = await openLog({ level: settings.logLevel, redactor, stderr, ...file });
  return { settings, redactor, log };
}

export interface AppSources {
  readonly session: Session;
  readonly targets: Targets;
  readonly sink: Sink;
  /** Whether results are posted. */
  readonly posts: boolean;
}

/** Everything but where to listen. */
export const appOptions = ({
  session,
  targets,
  sink,
  posts,
}: AppSources): Omit<AppOptions, 'listen'> => {
  const { settings, log, redactor } = session;
  const { config, concurrency, perHost, dns, connectTo, runAtStart, drainMs } = settings;
  return {
    clock: systemClock,
    random: systemRandom,
    log,
    version: watcherVersion(),
    source: sourceOf(config, targets, systemClock),
    sinks: [sink],
    outlets: posts ? { sinks: settings.sinks, stateFolder: settings.state } : null,
    concurrency,
    perHost,
    dns,
    connectTo,
    runAtStart,
    drainMs,
    env: process.env,
    onSecret: (value) => redactor.register(value),
    redact: (text) => redactor.apply(text),
  };
};
