/** One `watcher once`: the app without a listener, until every check has its first result. */

import { startApp } from '../app.ts';
import type { SettingTexts } from '../shared/config/settings-table.ts';
import type { Catalogue } from '../shared/domain/catalogue.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import type { Result } from '../shared/domain/result.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { jsonLine } from '../shared/sinks/json/json-line.ts';
import type { Sink } from '../shared/sinks/sink.ts';
import { resultColumns, worstFirst } from './check-columns.ts';
import { EXIT, statusExitCode } from './exit-codes.ts';
import { problemsLine } from './greeting.ts';
import { type RunFlags, targetsOf } from './run-options.ts';
import { appOptions, openSession } from './session.ts';
import { refuseUnknown, sourceOf } from './sources.ts';
import { renderTable } from './table.ts';

export interface Once {
  readonly args: readonly string[];
  readonly flags: RunFlags;
  readonly defaults: SettingTexts;
}

/** The exit code. */
export async function onceSession({ args, flags, defaults }: Once): Promise<number> {
  const { stdout, stderr } = process;
  const targets = targetsOf(args);
  const firsts = new FirstResults((result) => {
    if (flags.json) stdout.write(jsonLine(result));
  });
  const session = await openSession({ flags, defaults, stderr });
  const source = sourceOf(session.settings.config, targets, systemClock);
  const options = appOptions({ session, source, sink: firsts, finishMs: null });
  await using app = await startApp({ ...options, listen: null, runAtStart: true });
  refuseUnknown(app.catalogue, targets);
  const errors = errorsOf(app.catalogue);
  const problems = problemsLine(app.catalogue, session.settings.config);
  if (problems !== null) stderr.write(`watcher: ${problems}\n`);
  const results = await firsts.of(app.catalogue.definitions.length);
  if (!flags.json) {
    const lines = renderTable(resultColumns(stdout), worstFirst(results), widthOf(stdout));
    stdout.write(`${lines.join('\n')}\n`);
  }
  return errors > 0 ? EXIT.bad : statusExitCode(results.map(({ status }) => status));
}

const widthOf = (stream: NodeJS.WriteStream): number | undefined =>
  stream.isTTY ? stream.columns : undefined;

const errorsOf = ({ diagnostics, definitions }: Catalogue): number => {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  if (definitions.length > 0 || errors > 0) return errors;
  throw new WatcherError('WCH_USAGE', 'there is no check to run: name a URL, or see --config');
};

/** The first result of each check; its later ticks, while others are still to come, do not count. */
class FirstResults implements Sink {
  readonly views = [];
  readonly #onFirst: (result: Result) => void;
  readonly #results = new Map<string, Result>();
  #wanted = Number.POSITIVE_INFINITY;
  readonly #complete = Promise.withResolvers<void>();

  constructor(onFirst: (result: Result) => void) {
    this.#onFirst = onFirst;
  }

  write(result: Result): void {
    if (this.#results.has(result.check)) return;
    this.#results.set(result.check, result);
    this.#onFirst(result);
    this.#settle();
  }

  /** Resolves when that many checks have been heard of. */
  async of(count: number): Promise<readonly Result[]> {
    this.#wanted = count;
    this.#settle();
    await this.#complete.promise;
    return [...this.#results.values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #settle(): void {
    if (this.#results.size >= this.#wanted) this.#complete.resolve();
  }
}
