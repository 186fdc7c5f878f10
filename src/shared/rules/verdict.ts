/** What an observation that is no answer means, and whom it concerns. */

import { isCheckerFault } from '../domain/reasons.ts';
import type { Failure, Verdict } from '../domain/result.ts';

const NO_VALUES = Object.freeze({});

/** A fault of watcher or its machine is `unknown`; one of the target is critical. */
export const failureVerdict = ({ code, detail }: Failure): Verdict => ({
  status: isCheckerFault(code) ? 'unknown' : 'critical',
  code,
  reason: detail,
  values: NO_VALUES,
});

/** The same failure while most targets fail at once: the network here is the likelier cause. */
export const suspended = ({ reason }: Verdict): Verdict => ({
  status: 'unknown',
  code: 'checker_network',
  reason: `most targets fail at once, so this says nothing of the target: ${reason}`,
  values: NO_VALUES,
});

/** A rule of watcher threw: a defect here says nothing of the target either. */
export const defect = (error: unknown): Verdict => ({
  status: 'unknown',
  code: 'checker_error',
  reason: `defect of watcher: ${error instanceof Error ? error.message : String(error)}`,
  values: NO_VALUES,
});

/** `host[:port]` of a check's key or URL, without parsing the rest: called for every run. */
export const hostOf = (keyOrUrl: string): string => {
  const scheme = keyOrUrl.indexOf('://');
  const from = scheme < 0 ? 0 : scheme + 3;
  for (let at = from; at < keyOrUrl.length; at++) {
    const code = keyOrUrl.charCodeAt(at);
    if (code === SLASH || code === QUESTION || code === HASH) return keyOrUrl.slice(from, at);
  }
  return keyOrUrl.slice(from);
};

const SLASH = 47;
const QUESTION = 63;
const HASH = 35;
