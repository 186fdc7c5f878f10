/** Command lines that stand in files of deploy/, held against the commands that there are. */

import { Command } from 'commander';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { SETTING_NAMES, variableOf } from '../../../src/shared/config/settings-table.ts';

const program = new Command('watcher');
for (const register of COMMANDS) register(program);

/** What `watcher ARGS…` would be refused for; empty when it would start. */
export const problemsOf = (args: readonly string[]): readonly string[] => {
  const [name = '', ...rest] = args;
  const command = program.commands.find((one) => one.name() === name);
  if (command === undefined) return [`there is no command ${name}`];
  const { operands, unknown } = command.parseOptions([...rest]);
  return [...operands.slice(command.registeredArguments.length), ...unknown].map(
    (text) => `watcher ${name} does not take ${text}`,
  );
};

const VARIABLES = new Set([...SETTING_NAMES.map(variableOf), 'WATCHER_SETTINGS', 'WATCHER_TOKEN']);

/** Of names that begin like those of watcher. */
export const unknownVariables = (names: readonly string[]): readonly string[] =>
  names.filter((name) => name.startsWith('WATCHER_') && !VARIABLES.has(name));

/** By when each role has ended by itself after SIGTERM, as docs/operations.md promises, in seconds. */
export const ENDS_WITHIN = { worker: 10, admin: 13 } as const;

/** Of `watcher worker`, in seconds, as its help says. */
export const defaultDrain = (): number => {
  const worker = program.commands.find((command) => command.name() === 'worker');
  const drain = worker?.options.find(({ long }) => long === '--drain');
  return secondsIn(/\(default: (\w+)\)/.exec(drain?.description ?? '')?.[1] ?? '');
};

/** `15s` or `15` → 15 */
export const secondsIn = (text: string): number => {
  const [, amount, unit = 's'] = /^(\d+)(s|min|m)?$/.exec(text) ?? [];
  return Number(amount) * (unit === 's' ? 1 : 60);
};
