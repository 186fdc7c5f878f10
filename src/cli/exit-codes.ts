/** What the exit code of every command means; the table in docs/operations.md says the same. */

import { type ErrorCode, WatcherError } from '../shared/domain/errors.ts';
import type { CheckStatus } from '../shared/domain/status.ts';

export const EXIT = {
  ok: 0,
  /** A check is not ok, a file has errors, watcher is degraded. */
  bad: 1,
  usage: 2,
  unreachable: 4,
  /** Some of what was asked could not be found out. */
  partial: 5,
  /** A defect of watcher, as BSD's EX_SOFTWARE. */
  defect: 70,
} as const;

const UNREACHABLE: readonly ErrorCode[] = [
  'WCH_STORE_UNAVAILABLE',
  'WCH_STORE_FULL',
  'WCH_NOT_REACHABLE',
];

export const exitCodeOf = (error: unknown): number => {
  if (!(error instanceof WatcherError)) return EXIT.defect;
  return UNREACHABLE.includes(error.code) ? EXIT.unreachable : EXIT.usage;
};

/** Of what is known about checks: bad ones count first, then those that nobody can tell of. */
export const statusExitCode = (statuses: readonly CheckStatus[]): number => {
  if (statuses.some((status) => status === 'critical' || status === 'warning')) return EXIT.bad;
  return statuses.includes('unknown') ? EXIT.partial : EXIT.ok;
};
