/** What a process runs with: flags over environment over watcher.yml over defaults. */

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { JsonValue } from '../domain/check.ts';
import { WatcherError } from '../domain/errors.ts';
import type { LogLevel } from '../runtime/log.ts';
import { diagnosticOf, type Problem, RENDERERS, severityOf } from './diagnostics.ts';
import { faultsOf } from './issues.ts';
import {
  SETTING_NAMES,
  SETTINGS_DEFAULTS,
  type SettingsInput,
  settingsSchema,
  variableOf,
} from './settings-schema.ts';
import { decodeText } from './source.ts';
import { readTree } from './yaml-tree.ts';

export interface Settings {
  readonly config: string;
  readonly listen: string;
  readonly address: string;
  readonly concurrency: number;
  readonly perHost: number;
  readonly dns: string;
  readonly connectTo: readonly string[];
  readonly onCoordinationLoss: 'continue' | 'stop';
  readonly logLevel: LogLevel;
}

export interface SettingsSources {
  /** As given by --settings; absent: ./watcher.yml, which need not be there. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What stands on the command line, and nothing else. */
  readonly flags?: SettingsInput;
}

const DEFAULT_FILE = 'watcher.yml';

/** Throws WCH_SETTINGS with all that is wrong. */
export const loadSettings = async ({
  file,
  env,
  flags = {},
}: SettingsSources): Promise<Settings> => {
  const given = { ...(await fromFile(file)), ...fromEnvironment(env), ...defined(flags) };
  const settings = withDefaults(given);
  const path = file ?? DEFAULT_FILE;
  if (file !== undefined && dirname(resolve(path)) === resolve(settings.config)) {
    const message = `${path} lies in the folder of check files, ${settings.config}: move it out`;
    throw new WatcherError('WCH_SETTINGS', message);
  }
  return settings;
};

const withDefaults = (given: SettingsInput): Settings => {
  const otherwise = SETTINGS_DEFAULTS;
  const concurrency = given.concurrency ?? otherwise.concurrency;
  return {
    config: given.config ?? otherwise.config,
    listen: given.listen ?? otherwise.listen,
    address: given.address ?? otherwise.address,
    concurrency,
    perHost: given.per_host ?? Math.ceil(concurrency / 2),
    dns: given.dns ?? otherwise.dns,
    connectTo: given.connect_to ?? [],
    onCoordinationLoss: given.on_coordination_loss ?? otherwise.on_coordination_loss,
    logLevel: given.log_level ?? otherwise.log_level,
  };
};

const fromFile = async (file: string | undefined): Promise<SettingsInput> => {
  const path = file ?? DEFAULT_FILE;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (file === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new WatcherError('WCH_SETTINGS', `${path} cannot be read`, { cause });
  }
  const text = decodeText(bytes);
  return typeof text === 'string' ? settingsOf(path, text) : refuse(path, [text]);
};

const settingsOf = (path: string, text: string): SettingsInput => {
  const tree = readTree(text);
  const errors = tree.problems.filter(({ code }) => severityOf(code) === 'error');
  if (errors.length > 0) return refuse(path, errors);
  const value = tree.value ?? {};
  const parsed = settingsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error.issues, { value, schema: settingsSchema });
  const problems = faults.map(({ path: at, atKey = false, ...fault }) => ({
    ...fault,
    place: tree.placeOf(at, atKey),
  }));
  return refuse(path, problems);
};

const refuse = (path: string, problems: readonly Problem[]): never => {
  const lines = problems.map((problem) => RENDERERS.text(diagnosticOf(path, problem)));
  throw new WatcherError('WCH_SETTINGS', lines.join('\n'));
};

const fromEnvironment = (env: SettingsSources['env']): SettingsInput => {
  const given: Record<string, JsonValue> = {};
  for (const name of SETTING_NAMES) {
    const text = env[variableOf(name)];
    if (text !== undefined && text !== '') given[name] = valueOfVariable(name, text);
  }
  const parsed = settingsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error.issues, { value: given, schema: settingsSchema });
  const lines = faults.map(
    ({ path: [name], message }) => `${variableOf(String(name))}: ${message}`,
  );
  throw new WatcherError('WCH_SETTINGS', lines.join('\n'));
};

/** A variable is text; lists are separated by commas. */
const valueOfVariable = (name: string, text: string): JsonValue => {
  if (name === 'connect_to') return text.split(',').map((item) => item.trim());
  return /^\d+$/.test(text) ? Number(text) : text;
};

const defined = (flags: SettingsInput): SettingsInput =>
  Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
