/** The flags that `run` and `once` share, and what they and the environment come to. */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../shared/runtime/log.ts';

/** As commander hands them over. */
export interface RunFlags {
  readonly config?: string;
  readonly concurrency?: number;
  readonly connectTo: readonly string[];
  /** `own`, `system`, or servers. */
  readonly dns: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

export const addRunOptions = (command: Command, logLevel: LogLevel = 'info'): Command =>
  command
    .option('--config <dir>', 'folder of the check files (default: configs)')
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
    .addOption(
      new Option('--dns <resolver>', 'own, system, or ADDRESS[:PORT] of the servers to ask')
        .default('own')
        .env('WATCHER_DNS'),
    )
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

const wholeNumber = (text: string): number => {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 on.');
};
