/**
 * Whether a process stands still, as its watchdog thread sees it: pure. It counts the thread's own looks,
 * never the time between them: a suspended machine or a starved one looks rarely as well, and so does not
 * seem to stand still.
 */

export interface Seen {
  /** How often the loop has turned for its watchdog. */
  readonly pulses: number;
  /** How long the first due check has been waiting to be started. */
  readonly overdueMs: number;
}

export interface Watch {
  readonly pulses: number;
  /** Looks in a row without a pulse. */
  readonly still: number;
  /** Looks in a row at which checks were overdue past the limit. */
  readonly overdue: number;
}

export const WATCH_START: Watch = { pulses: -1, still: 0, overdue: 0 };

/** After a pause the loop turns before its scheduler has caught up. */
const OVERDUE_LOOKS = 5;

export const watchAfter = (before: Watch, { pulses, overdueMs }: Seen, limitMs: number): Watch => ({
  pulses,
  still: pulses === before.pulses ? before.still + 1 : 0,
  overdue: overdueMs > limitMs ? before.overdue + 1 : 0,
});

/** Null: it lives. */
export const standstillOf = (
  { still, overdue }: Watch,
  { limitMs, lookMs }: { readonly limitMs: number; readonly lookMs: number },
): string | null => {
  const seconds = Math.round(limitMs / 1000);
  if (still * lookMs >= limitMs) return `its event loop has not turned for ${seconds} s`;
  if (overdue >= OVERDUE_LOOKS) return `checks have been due for ${seconds} s and none is started`;
  return null;
};
