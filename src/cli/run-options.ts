/** The flags that `run` and `once` share, and what they and the environment come to. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../shared/runtime/log.ts';

/** As commander hands them over. */
export interface RunFlags {
  readonly config?: string;
  readonly settings?: string;
  readonly concurrency?: number;
  readonly connectTo: readonly string[];
  readonly dns?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

export const addRunOptions = (command: Command, logLevel: LogLevel = 'info'): Command =>
  command
    .option('--config <dir>', 'folder of the check files (default: configs)')
    .addOption(
      new Option('--settings <file>', 'settings (default: watcher.yml)').env('WATCHER_SETTINGS'),
    )
    .addOption(
      new Option('--concurrency <n>', 'runs at a time')
        .argParser(wholeNumber)
        .env('WATCHER_CONCURRENCY'),
    )
    .addOption(
      new Option('--connect-to <host:port:address:port>', 'as in curl; may be repeated')
        .argParser((value, before: readonly string[]) => [...before, value])
        .default([], 'none'),
    )
    .addOption(new Option('--dns <server>', 'ask this resolver').env('WATCHER_DNS'))
    .addOption(
      new Option('--log-level <level>', 'what to say on stderr')
        .choices(LOG_LEVELS)
        .default(logLevel)
        .env('WATCHER_LOG_LEVEL'),
    );

/** `CONFIG_FILE_DIR` is the older name. */
export const configDir = ({ config }: RunFlags, env: NodeJS.ProcessEnv): string | undefined =>
  config ?? env['WATCHER_CONFIG'] ?? env['CONFIG_FILE_DIR'];

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

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `500ms`, `30s`, `5m`, `1h` in ms. */
export const durationArgument = (text: string): number => {
  const [, number = '', unit = ''] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? 0);
  if (ms > 0) return ms;
  throw new InvalidArgumentError('Write a number and ms, s, m or h: 30s.');
};

const wholeNumber = (text: string): number => {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
};
