/** Errors of watcher itself. What a target does wrong is never one of these (see reasons.ts). */

/** The one list of codes; docs/errors.md explains each. */
export type ErrorCode =
  | 'WCH_USAGE'
  | 'WCH_SETTINGS'
  | 'WCH_STORE_UNAVAILABLE'
  | 'WCH_STORE_LIMIT'
  | 'WCH_STORE_FULL'
  | 'WCH_STORE_COMPACTED'
  | 'WCH_LEASE_LOST'
  | 'WCH_RECORD'
  | 'WCH_SECRET'
  | 'WCH_NOT_REACHABLE';

/** `retryable` means that the same call may succeed later without anyone's doing. */
export class WatcherError extends Error {
  override readonly name: string = 'WatcherError';
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { retryable?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
