/** From argv to one command, and from whatever that throws to a message and an exit code. */

import { Command, CommanderError } from 'commander';
import { WatcherError } from '../shared/domain/errors.ts';
import { onReaderGone, refuseUnsafeEnvironment } from '../shared/runtime/lifecycle.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';

const EXAMPLES = `
Examples:
  $ watcher run https://example.com     check one URL every 10 seconds
  $ watcher run                         run the checks of configs/*.yml
  $ watcher validate configs            tell what is wrong with the files of a folder
  $ watcher status --json               what a running watcher knows of its checks

Exit codes: 0 ok, 1 a check or a file is bad, 2 usage or settings, 4 not reachable, 5 partial.`;

/** Never rejects; the process ends by itself with the exit code that is set here. */
export async function main(argv: readonly string[]): Promise<void> {
  onReaderGone(process.stdout, () => {});
  try {
    refuseUnsafeEnvironment(process.env);
    await programOf().parseAsync([...argv]);
  } catch (error) {
    process.exitCode = report(error);
  }
}

function programOf(): Command {
  const program = new Command('watcher')
    .description('Runs health checks from YAML files: on time, truthful, and cheap.')
    .helpCommand(false)
    .showHelpAfterError('(--help says more)')
    .addHelpText('after', EXAMPLES)
    .configureOutput({ outputError: (text, write) => write(usageText(text)) })
    .exitOverride();
  for (const register of COMMANDS) register(program);
  return program;
}

/** Commands are called modes too, as they are in the unit files that start them. */
const usageText = (text: string): string =>
  text
    .replace(/^error: unknown command '(.*)'/, "error: mode not supported: '$1'")
    .replace(/^error: /, 'watcher: ');

/** Commander has written its own message by the time that it throws. */
const report = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const known = error instanceof WatcherError;
  const text = known ? withCause(error) : String(error instanceof Error ? error.stack : error);
  process.stderr.write(`watcher: ${known ? '' : 'a defect, please report it: '}${text}\n`);
  return exitCodeOf(error);
};

const withCause = ({ message, cause }: Error): string =>
  cause instanceof Error && !message.includes(cause.message)
    ? `${message} (${cause.message})`
    : message;
