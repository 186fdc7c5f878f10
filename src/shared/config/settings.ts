/** What a process runs with: flags over environment over watcher.yml over defaults. */

import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JsonValue } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { LogLevel } from '../runtime/log.ts';
import { faultsOf } from './issues.ts';
import { readSettingsFile } from './settings-file.ts';
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
  readonly dns: string;
  readonly connectTo: readonly string[];
  readonly runAtStart: boolean;
  readonly drainMs: number;
  readonly logLevel: LogLevel;
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
  const file = sources.file ?? (env['WATCHER_SETTINGS'] || undefined);
  const given = {
    ...fromTexts(defaults, flagOf, problems),
    ...(await fromFile(file, problems)),
    ...fromTexts(textsOf(env), variableOf, problems),
    ...fromTexts(flags, flagOf, problems),
  };
  if (problems.length > 0) throw new WatcherError('WCH_SETTINGS', problems.join('\n'));
  const settings = settingsOf(given);
  await refuseAmongChecks(file ?? DEFAULT_FILE, settings.config);
  return settings;
};

const fromFile = async (file: string | undefined, problems: string[]): Promise<GivenSettings> => {
  const path = file ?? DEFAULT_FILE;
  try {
    const read = await readSettingsFile(path);
    problems.push(...read.problems);
    return read.given;
  } catch (cause) {
    if (file === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new WatcherError('WCH_SETTINGS', `settings: ${path} cannot be read`, { cause });
  }
};

/** `CONFIG_FILE_DIR` is the older name of WATCHER_CONFIG. An empty variable is one that is not set. */
const textsOf = (env: Environment): SettingTexts => {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const text = env[variableOf(name)] || (name === 'config' && env['CONFIG_FILE_DIR']);
    if (text) texts[name] = text;
  }
  return texts;
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
      return /^\d+$/.test(text) ? Number(text) : text;
    default:
      return text;
  }
};

const settingsOf = (given: GivenSettings): Settings => {
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
    dns: of('dns'),
    connectTo: given.connect_to ?? [],
    runAtStart: of('run_at_start'),
    drainMs: of('drain'),
    logLevel: of('log_level'),
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
