/** A check's state across its runs: verdict → **state**, and the moments when it changes. */

import type { StoredState } from '../domain/jobset.ts';
import type { Status, Transition, Verdict } from '../domain/result.ts';

/** Small and plain: kept for each check, and written into checkpoints. */
export interface CheckState {
  /** As shown; `pending` before the first result. */
  readonly status: Status | 'pending';
  /** Since when the status has been what it is, ms since the epoch. */
  readonly since: number;
  /** Bad runs in a row. */
  readonly bad: number;
}

export interface Folded {
  readonly state: CheckState;
  /** What results, sinks and people see: `warning` while bad runs are fewer than `failAfter`. */
  readonly verdict: Verdict;
  readonly transition: Transition | null;
}

export const PENDING: CheckState = { status: 'pending', since: 0, bad: 0 };

/**
 * `unknown` tells nothing of the target, so it neither adds to the bad runs nor ends their row. A
 * first result that is ok is no transition: nobody wants to hear that a new check is fine.
 */
export const fold = (
  previous: CheckState,
  verdict: Verdict,
  { failAfter, at }: { readonly failAfter: number; readonly at: number },
): Folded => {
  const bad = badRuns(previous.bad, verdict.status);
  const shown =
    verdict.status === 'critical' && bad < failAfter ? softened(verdict, bad, failAfter) : verdict;
  const { status: from } = previous;
  if (shown.status === from)
    return {
      state: { status: from, since: previous.since, bad },
      verdict: shown,
      transition: null,
    };
  const { status: to, reason } = shown;
  const news = !(from === 'pending' && to === 'ok');
  return {
    state: { status: to, since: at, bad },
    verdict: shown,
    transition: news ? { from, to, at, reason } : null,
  };
};

/** What of it a checkpoint keeps; null when there is nothing to tell. Bad runs count up to `failAfter`. */
export const storedState = (state: CheckState, failAfter: number): StoredState | null => {
  const { status, since, bad } = state;
  if (status === 'pending' || (status === 'ok' && bad === 0)) return null;
  return { status, since, bad: Math.min(bad, failAfter) };
};

/** Whether a checkpoint says something else of the second than of the first. */
export const isStoredOtherwise = (
  before: CheckState,
  after: CheckState,
  failAfter: number,
): boolean => {
  const [a, b] = [storedState(before, failAfter), storedState(after, failAfter)];
  return a?.status !== b?.status || a?.since !== b?.since || a?.bad !== b?.bad;
};

const badRuns = (before: number, status: Status): number => {
  if (status === 'critical') return before + 1;
  return status === 'unknown' ? before : 0;
};

const softened = (verdict: Verdict, bad: number, failAfter: number): Verdict => ({
  ...verdict,
  status: 'warning',
  reason: `${bad} of ${failAfter}: ${verdict.reason}`,
});
