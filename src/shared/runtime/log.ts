/**
 * What watcher says about itself: one JSON object a line on stderr, tidy text where stderr is a
 * terminal, a file where a folder for logs is set. Results go to stdout and never come here.
 */

import path from 'node:path';
import { styleText } from 'node:util';
import { WatcherError } from '../domain/errors.ts';
import { inert } from './inert.ts';
import type { Redactor } from './redact.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
/** An error goes under `err`. */
export type LogFields = Readonly<Record<string, unknown>>;
type Write = (message: string, fields?: LogFields) => void;

export type Log = Readonly<Record<LogLevel, Write>>;

export interface LogOptions {
  readonly level: LogLevel;
  readonly redactor: Redactor;
  /** Where lines go when no folder is set: the process's stderr. */
  readonly stderr: { readonly isTTY?: boolean; write(text: string): unknown };
  /** `<folder>/<name>.log` in place of stderr. */
  readonly file?: { readonly folder: string; readonly name: string };
}

/** For commands that print what they have to say. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Throws WCH_SETTINGS when the file cannot be opened. */
export async function openLog(options: LogOptions): Promise<Log> {
  const { pino } = await import('pino');
  const { redactor, stderr, file } = options;
  const target = file === undefined ? stderr : openFile(pino.destination, file);
  const format = file === undefined && stderr.isTTY === true ? textLine : (line: string) => line;
  const write = (line: string): void => {
    target.write(format(redactor.apply(line)));
  };
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
  const at =
    (level: LogLevel): Write =>
    (message, fields = {}) =>
      logger[level](fields, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

type Destination = (options: { dest: string; mkdir: boolean; sync: boolean }) => {
  write(text: string): unknown;
};

const openFile = (open: Destination, file: NonNullable<LogOptions['file']>) => {
  const dest = path.join(file.folder, `${file.name}.log`);
  try {
    return open({ dest, mkdir: true, sync: true });
  } catch (cause) {
    throw new WatcherError('WCH_SETTINGS', `the log file ${dest} cannot be opened`, { cause });
  }
};

const COLOUR = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const;

interface Line {
  readonly level: LogLevel;
  /** ISO 8601 in UTC. */
  readonly time: string;
  readonly msg: string;
}

/** `12:00:01 WARN  message  key=value`; a message of several lines stays one. */
export const textLine = (json: string): string => {
  const { level, time, msg, ...fields } = JSON.parse(json) as Line;
  const tag = styleText(COLOUR[level], level.toUpperCase().padEnd(5));
  const pairs = Object.entries(fields).map(([key, value]) => `  ${key}=${shown(value)}`);
  return `${time.slice(11, 19)} ${tag} ${inert(msg)}${styleText('dim', inert(pairs.join('')))}\n`;
};

const shown = (value: unknown): string => {
  if (typeof value === 'string') return value;
  const isError = typeof value === 'object' && value !== null && 'message' in value;
  return isError ? String(value.message) : JSON.stringify(value);
};
