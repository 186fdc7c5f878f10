/** The flags of `run`, `once`, `worker` and `admin`: most are settings, read from the one table. */

import { type Command, Option } from 'commander';
import {
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type SettingTexts,
} from '../shared/config/settings-table.ts';

/** As commander hands them over. */
export interface RunFlags {
  readonly settings?: string;
  readonly json?: true;
  /** Settings, under the names that commander makes of their flags. */
  readonly [attribute: string]: unknown;
}

/** Of `worker` alone. */
export interface WorkerFlags extends RunFlags {
  readonly table: boolean;
  readonly processes?: string;
}

/** Of `run` alone. */
export interface RunCommandFlags extends RunFlags {
  readonly table: boolean;
  readonly demo?: true;
  readonly for?: string;
}

/** One process on one machine: what is not delivered yet outlives it, without a word of anybody. */
export const RUN_DEFAULTS: SettingTexts = { state: './.watcher' };

const SHARED: readonly SettingName[] = ['config', 'concurrency', 'dns', 'connect_to', 'log_level'];

/** Of every process that others can ask. */
export const LISTENER_SETTINGS: readonly SettingName[] = [
  'listen',
  'listen_tls.cert',
  'listen_tls.key',
];

/** Of every process of a pool. */
export const POOL_SETTINGS: readonly SettingName[] = [
  'etcd',
  'etcd_tls.ca',
  'etcd_tls.cert',
  'etcd_tls.key',
  'etcd_auth.username',
  'etcd_prefix',
  'pool_key',
  'timing.ttl',
  'timing.heartbeat',
  'timing.margin',
  'timing.call',
  'timing.rank_step',
];

/** `defaults`: where the command has others than the table of settings. */
export const addSettings = (
  command: Command,
  names: readonly SettingName[],
  defaults: SettingTexts = {},
): Command => {
  command.option('--settings <file>', 'settings (default: watcher.yml, where there is one)');
  for (const name of names)
    command.addOption(optionOf(name, defaults[name] ?? SETTINGS[name].default));
  return command;
};

export const addRunOptions = (
  command: Command,
  { more = [], defaults }: { more?: readonly SettingName[]; defaults?: SettingTexts } = {},
): Command => addSettings(command, [...SHARED, ...more], defaults);

/** Without commander's defaults: what a flag does not say, the environment or the file may. */
const optionOf = (name: SettingName, value: unknown): Option => {
  const { about, takes } = SETTINGS[name];
  const usual = value === null ? '' : ` (default: ${value})`;
  const option = new Option(`${flagOf(name)} <${takes}>`, `${about}${usual}`);
  if (name !== 'connect_to') return option;
  return option.argParser((rule, before: readonly string[] = []) => [...before, rule]);
};

/** What the flags say of settings; checked together with the other sources of them. */
export const settingTexts = (flags: RunFlags): SettingTexts =>
  Object.fromEntries(
    SETTING_NAMES.map((name) => [name, flags[attributeOf(name)]]).filter(([, text]) => text),
  );

const attributeOf = (name: SettingName): string =>
  name.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase());

export interface Targets {
  /** URLs, to be checked without a file. */
  readonly urls: readonly string[];
  /** Keys of checks of the folder: no others run. */
  readonly keys: readonly string[];
}

/** Only a URL has a scheme. */
export const targetsOf = (args: readonly string[]): Targets => {
  const isUrl = (text: string): boolean => /^https?:\/\//i.test(text);
  const distinct = [...new Set(args)];
  return { urls: distinct.filter(isUrl), keys: distinct.filter((text) => !isUrl(text)) };
};
