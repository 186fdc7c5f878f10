/** One `watcher validate --cost`: check files and settings → what they cost at the sinks. */

import { count } from '../shared/config/diagnostics.ts';
import { loadSettings } from '../shared/config/settings.ts';
import { WatcherError } from '../shared/domain/errors.ts';
import { costOf } from '../shared/rules/cost.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { costText } from './cost-text.ts';
import { EXIT } from './exit-codes.ts';
import { loadPaths } from './spec-paths.ts';
import { plural } from './text.ts';

interface CostFlags {
  readonly settings: string | undefined;
  readonly workers: string;
  readonly json: boolean;
}

const MAX_WORKERS = 10_000;

/** The exit code. */
export async function costSession(paths: readonly string[], flags: CostFlags): Promise<number> {
  const { stdout, stderr, env } = process;
  const workers = workersOf(flags.workers);
  const { sinks } = await loadSettings({ file: flags.settings, env });
  const { definitions, selves, diagnostics } = await loadPaths(paths);
  const from = Math.floor(systemClock.now() / 1000) * 1000;
  const report = costOf({ definitions, selves, sinks, workers, from });
  stdout.write(
    flags.json
      ? `${JSON.stringify(report)}\n`
      : costText(report, stdout.isTTY ? stdout.columns : undefined),
  );
  const errors = count(diagnostics, 'error');
  if (errors === 0) return EXIT.ok;
  stderr.write(
    `watcher: ${plural(errors, 'error')}; what has one is not counted: watcher validate shows them\n`,
  );
  return EXIT.bad;
}

const workersOf = (text: string): number => {
  const workers = /^\d+$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= MAX_WORKERS) return workers;
  const message = `--workers: '${text}' is not a whole number from 1 to ${MAX_WORKERS}`;
  throw new WatcherError('WCH_USAGE', message);
};
