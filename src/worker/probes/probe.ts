/**
 * The port of a probe: schedule → **probe** → judge. A probe never throws for what the target
 * did; whatever happens, it calls `done` exactly once, with an observation.
 */

import type { CheckDefinition } from '../../shared/domain/check.ts';
import type { Observation } from '../../shared/domain/result.ts';

/** Stops a run early; `done` is then not called. */
export type Abort = () => void;

export interface Probe {
  /**
   * Callback style, because a promise and an AbortController a run cost more CPU than the rest of
   * the pipeline together.
   */
  start(check: PreparedCheck, done: (observation: Observation) => void): Abort;
  close(): Promise<void>;
}

/** A definition with what the probe derived from its spec once, for all checks that share it. */
export interface PreparedCheck {
  readonly definition: CheckDefinition;
}
