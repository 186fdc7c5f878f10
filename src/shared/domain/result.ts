/** What a run saw (`Observation`) and what that means (`Result`). */

import type { CheckId, JsonValue } from './check.ts';
import type { ReasonCode } from './reasons.ts';

export type Status = 'ok' | 'warning' | 'critical' | 'unknown';

/** Milliseconds; a phase that did not happen is absent, a cached name costs `dns: 0`. */
export interface Phases {
  dns?: number;
  connect?: number;
  tls?: number;
  first_byte?: number;
  body?: number;
}

interface Seen {
  /** From the start of the run to its end, redirects included. */
  readonly durationMs: number;
  readonly phases: Phases;
  /** Network host the run spoke to or tried to; the fleet-wide fault rule counts distinct ones. */
  readonly host: string;
}

/** The target answered, whatever it said. */
export interface Answer extends Seen {
  readonly kind: 'answer';
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Decoded, at most the body cap. */
  readonly body: Buffer;
  /** The body was longer than the cap and was cut. */
  readonly oversize: boolean;
  readonly certificateExpiresAt?: number;
  /** A kept socket had been closed by the server and the run was repeated once on a fresh one. */
  readonly retried?: boolean;
}

/** No answer that can be judged: the code says whose fault that is. */
export interface Failure extends Seen {
  readonly kind: 'failure';
  readonly code: ReasonCode;
  /** One line for people; never holds a secret. */
  readonly detail: string;
  readonly certificateExpiresAt?: number;
}

/** A failure of the target is data, never an exception. */
export type Observation = Answer | Failure;

/** What assertions and the fold of `rules/state.ts` make of an observation. */
export interface Verdict {
  readonly status: Status;
  readonly code: ReasonCode | null;
  /** Null when ok. */
  readonly reason: string | null;
  readonly values: Readonly<Record<string, JsonValue>>;
}

/** One evaluated run. `(check, tick)` identifies it in every sink. */
export interface Result extends Verdict {
  readonly id: CheckId;
  /** The check's key. */
  readonly check: string;
  /** When the run was due, ms since the epoch; for a run at start, when it was asked for. */
  readonly tick: number;
  readonly start: number;
  /** start - tick. */
  readonly latenessMs: number;
  readonly durationMs: number;
  readonly phases: Phases;
  readonly worker: string;
  /** Fencing token of the claim under which it ran. */
  readonly token: string;
  /** The worker could not renew its claim when the run started or ended. */
  readonly detached: boolean;
  /** Asked for outside the schedule: at start, by `once`. */
  readonly unscheduled?: boolean;
  readonly certificateExpiresAt?: number;
}

/** The shown status of a check has changed: what alerts and events are made of. */
export interface Transition {
  readonly from: Status | 'pending';
  readonly to: Status;
  readonly at: number;
  /** Of the result that caused it; null when ok. */
  readonly reason: string | null;
}

/** Why a tick that fell due was not run. */
export const SKIP_REASONS = {
  overlap: 'the run before was still going on',
  catchup: 'a later tick was due already, and only the latest is caught up',
  capacity: 'the check was waiting for a worker with room',
  suspected: 'workers had died during runs of the check, so it was held back to be run alone',
  released: 'the check was handed back or taken away before its run ended',
  fenced: 'the claim was lost, and the check must not run twice',
} as const;
export type SkipReason = keyof typeof SKIP_REASONS;
