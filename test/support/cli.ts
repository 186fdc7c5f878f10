/** Commands of `watcher` as processes of their own, from the sources. */

import { SETTING_NAMES, variableOf } from '../../src/shared/config/settings-table.ts';
import { type RunningProcess, type StartOptions, startProcess } from './processes.ts';
import { SOURCE_COMMAND } from './watcher-process.ts';

/** What the shell that runs the tests has set must not decide what they see. */
const FORGOTTEN = [
  'NO_COLOR',
  'FORCE_COLOR',
  'LOG_DIR',
  'CONFIG_FILE_DIR',
  'WATCHER_ADDRESS',
  'WATCHER_TOKEN',
  'WATCHER_SETTINGS',
  ...SETTING_NAMES.map(variableOf),
];

export interface CommandOptions extends StartOptions {
  /** Instead of the program itself. */
  readonly command?: readonly string[];
}

export const startCommand = (
  args: readonly string[],
  { env = {}, command = SOURCE_COMMAND, ...options }: CommandOptions = {},
): RunningProcess => {
  const forgotten = FORGOTTEN.flatMap((name) => ['-u', name]);
  const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return startProcess(['env', ...forgotten, ...set, ...command, ...args], options);
};

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `watcher` to its end, whatever that is. */
export async function watcher(
  args: readonly string[],
  options: StartOptions = {},
): Promise<Outcome> {
  await using child = startCommand(args, options);
  const lines: string[] = [];
  for await (const line of child.lines) lines.push(line);
  const { code } = await child.exited;
  return { code, stdout: lines.join('\n'), stderr: child.stderr() };
}
