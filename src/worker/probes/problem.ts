/** Why a run has no answer: the value that every step of the probe hands on instead of an error. */

import type { ReasonCode } from '../../shared/domain/reasons.ts';

export interface Problem {
  readonly code: ReasonCode;
  /** One line for people; never holds a secret. */
  readonly detail: string;
}
