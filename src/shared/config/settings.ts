/** What a process runs with: flags over environment over watcher.yml over defaults. */

import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JsonValue } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { PoolSettings } from '../domain/pool-settings.ts';
import type { SinkSettings } from '../domain/sink-settings.ts';
import type { LogLevel } from '../runtime/log.ts';
import { faultsOf } from './issues.ts';
import { readSettingsFile, type SettingsFile } from './settings-file.ts';
import { poolOf } from './settings-pool.ts';
import { type GivenSettings, VALUES } from './settings-schema.ts';
import {
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type SettingTexts,
  variableOf,
} from './settings-table.ts';

export interface Settings {
  readonly config: string;
  /** As it was written. */
  readonly listen: string;
  /** Paths of PEM files. */
  readonly listenTls: { readonly cert: string; readonly key: string } | null;
  /** With its references as they were written. */
  readonly listenToken: string | null;
  readonly concurrency: number;
  readonly perHost: number;
  /** Null: as many as it can run on time. */
  readonly maxJobs: number | null;
  readonly dns: string;
  readonly connectTo: readonly string[];
  readonly runAtStart: boolean;
  readonly drainMs: number;
  /** Where what is not delivered yet outlives the process; null: nowhere. */
  readonly state: string | null;
  readonly logLevel: LogLevel;
  readonly pool: PoolSettings;
  /** Of the whole pool; what check files post is not among them. */
  readonly sinks: readonly SinkSettings[];
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface SettingsSources {
  /** As given by --settings; else WATCHER_SETTINGS; else ./watcher.yml, which need not be there. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** What stands on the command line, and nothing else. */
  readonly flags?: SettingTexts;
  /** Where a command has other defaults than the table. */
  readonly defaults?: SettingTexts;
}

const DEFAULT_FILE = 'watcher.yml';

/** Throws WCH_SETTINGS with all that is wrong. */
export const loadSettings = async (sources: SettingsSources): Promise<Settings> => {
  const { env, flags = {}, defaults = {} } = sources;
  const problems: string[] = [];
  const path = sources.file ?? (env['WATCHER_SETTINGS'] || undefined);
  const file = await fromFile(path, env);
  problems.push(...file.problems);
  const given = {
    ...fromTexts(defaults, flagOf, problems),
    ...file.given,
    ...fromTexts(textsOf(env), variableOf, problems),
    ...fromTexts(flags, flagOf, problems),
  };
  if (problems.length > 0) throw new WatcherError('WCH_SETTINGS', problems.join('\n'));
  const settings = { ...settingsOf(given), sinks: file.sinks };
  await refuseAmongChecks(path ?? DEFAULT_FILE, settings.config);
  return settings;
};

const NO_FILE: SettingsFile = { given: {}, sinks: [], problems: [] };

const fromFile = async (file: string | undefined, env: Environment): Promise<SettingsFile> => {
  const path = file ?? DEFAULT_FILE;
  try {
    return await readSettingsFile(path, env);
  } catch (cause) {
    if (file === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return NO_FILE;
    throw new WatcherError('WCH_SETTINGS', `settings: ${path} cannot be read`, { cause });
  }
};

/** An empty variable is one that is not set. */
const textsOf = (env: Environment): SettingTexts => {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const text = env[variableOf(name)] || OTHER_NAMES[name]?.(env);
    if (text) texts[name] = text;
  }
  return texts;
};

/** Set by what came before watcher, and by systemd's StateDirectory=, which may name several. */
const OTHER_NAMES: { readonly [N in SettingName]?: (env: Environment) => string | undefined } = {
  config: (env) => env['CONFIG_FILE_DIR'],
  state: (env) => env['STATE_DIRECTORY']?.split(':')[0],
};

const fromTexts = (
  texts: SettingTexts,
  label: (name: SettingName) => string,
  problems: string[],
): GivenSettings => {
  const given: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const text = texts[name];
    if (text === undefined) continue;
    const value = written(name, text);
    const schema = VALUES[name];
    const parsed = schema.safeParse(value);
    if (parsed.success) given[name] = parsed.data;
    else {
      const faults = faultsOf(parsed.error.issues, { value, schema, path: [name] });
      problems.push(...faults.map(({ message }) => `${label(name)}: ${message}`));
    }
  }
  return given as GivenSettings;
};

/** A list is separated by commas; numbers and booleans are texts until here. */
const written = (name: SettingName, text: string | readonly string[]): JsonValue => {
  if (typeof text !== 'string') return [...text];
  switch (name) {
    case 'connect_to':
      return text.split(',').map((rule) => rule.trim());
    case 'run_at_start':
      return text === 'true' || (text === 'false' ? false : text);
    case 'concurrency':
    case 'per_host':
    case 'max_jobs':
      return /^\d+$/.test(text) ? Number(text) : text;
    default:
      return text;
  }
};

const settingsOf = (given: GivenSettings): Omit<Settings, 'sinks'> => {
  const of = <N extends SettingName>(name: N) =>
    given[name] ?? (VALUES[name].parse(SETTINGS[name].default) as NonNullable<GivenSettings[N]>);
  const concurrency = of('concurrency');
  return {
    config: of('config'),
    listen: of('listen'),
    listenTls: tlsOf(given),
    listenToken: given.listen_token ?? null,
    concurrency,
    perHost: given.per_host ?? Math.ceil(concurrency / 2),
    maxJobs: given.max_jobs ?? null,
    dns: of('dns'),
    connectTo: given.connect_to ?? [],
    runAtStart: of('run_at_start'),
    drainMs: of('drain'),
    state: given.state === undefined || given.state === 'none' ? null : given.state,
    logLevel: of('log_level'),
    pool: poolOf(given, of),
  };
};

const tlsOf = (given: GivenSettings): Settings['listenTls'] => {
  const { 'listen_tls.cert': cert, 'listen_tls.key': key } = given;
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return null;
  throw new WatcherError(
    'WCH_SETTINGS',
    'listen_tls: cert and key belong together; one is missing',
  );
};

/** Every *.yml of that folder is taken for a check file. */
const refuseAmongChecks = async (file: string, folder: string): Promise<void> => {
  const [path, checks] = await Promise.all([file, folder].map(realpathOrNull));
  if (path === null || path === undefined || dirname(path) !== checks) return;
  const message = `settings: ${file} lies in the folder of check files, ${folder}: move it out`;
  throw new WatcherError('WCH_SETTINGS', message);
};

const realpathOrNull = (path: string): Promise<string | null> => realpath(path).catch(() => null);
