/**
 * The port of a probe: schedule → **probe** → judge. A probe never throws for what the target
 * did; whatever happens, it calls `done` exactly once, with an observation, unless it is aborted.
 */

import type { HttpRequest } from '../../shared/domain/check.ts';
import type { Observation } from '../../shared/domain/result.ts';

/** Stops a run early; `done` is then not called. */
export type Abort = () => void;

export interface Probe<Request = HttpRequest, Prepared = unknown> {
  /** Compiles what all checks with this request share; called once for each distinct request. */
  prepare(request: Request): Prepared;
  /**
   * Starts one run against the check's key. Callback style, because a promise and an AbortController
   * a run would cost more CPU than the rest of the pipeline together.
   */
  start(key: string, prepared: Prepared, done: (observation: Observation) => void): Abort;
  close(): Promise<void>;
}
