/**
 * The port of a probe: schedule → **probe** → judge. A probe never throws for what the target
 * did; whatever happens, it calls `done` exactly once, with an observation, unless it is aborted.
 */

import type { HttpRequest } from '../../shared/domain/check.ts';
import type { Observation } from '../../shared/domain/result.ts';
import type { Reach } from '../../shared/rules/offering.ts';

/** Stops a run early; `done` is then not called. */
export type Abort = () => void;

/** Checks with equal origins share the fate of their connections. */
export interface Endpoint {
  /** `scheme://host:port` */
  readonly origin: string;
  /** Connects, sends nothing, and closes: whether anybody is there, within 3 s. */
  reach(done: (reach: Reach) => void): Abort;
}

export interface Probe<Request = HttpRequest, Prepared = unknown> {
  /** Compiles what all checks with this request share; called once for each distinct request. */
  prepare(request: Request): Prepared;
  /**
   * Starts one run against the check's key. Callback style, because a promise and an AbortController
   * a run would cost more CPU than the rest of the pipeline together. `onSend` is called just before each
   * request leaves; when the run is aborted in it, nothing leaves.
   */
  start(
    key: string,
    prepared: Prepared,
    done: (observation: Observation) => void,
    onSend?: () => void,
  ): Abort;
  /** What the check connects to; null where it cannot be carried out. */
  endpointOf(key: string, prepared: Prepared): Endpoint | null;
  close(): Promise<void>;
}
