/** A probe whose targets answer as told, after a delay on the clock: for whole fleets in memory. */

import type { Observation } from '../../src/shared/domain/result.ts';
import type { Reach } from '../../src/shared/rules/offering.ts';
import type { Clock } from '../../src/shared/runtime/clock.ts';
import type { Abort, Endpoint, Probe } from '../../src/worker/probes/probe.ts';
import { anAnswer } from './builders.ts';

export interface Script {
  readonly afterMs: number;
  /** When the request leaves, where that matters. */
  readonly sentAfterMs?: number;
  readonly observation: Observation;
}

export class ScriptedProbe implements Probe {
  readonly starts: { readonly key: string; readonly at: number }[] = [];
  /** What a target does; asked at each run. */
  script: (key: string) => Script = () => ({ afterMs: 5, observation: anAnswer() });
  /** Whether a connection to a target comes about; asked at each preflight. */
  reach: (origin: string) => Reach = () => 'reached';
  readonly dialled: { readonly origin: string; readonly at: number }[] = [];
  /** Preflights that have not ended. */
  connecting = 0;
  inFlight = 0;
  mostInFlight = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  prepare(): null {
    return null;
  }

  start(
    key: string,
    _prepared: unknown,
    done: (observation: Observation) => void,
    onSend?: () => void,
  ): Abort {
    this.starts.push({ key, at: this.#clock.now() });
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    const { afterMs, sentAfterMs, observation } = this.script(key);
    if (sentAfterMs !== undefined) this.#clock.after(sentAfterMs, () => onSend?.());
    const timer = this.#clock.after(afterMs, () => {
      this.inFlight--;
      done(observation);
    });
    return () => {
      this.inFlight--;
      timer.cancel();
    };
  }

  /** Its origin is what stands before the first `/` of the key; a connection takes 5 ms, the lack of one 3 s. */
  endpointOf(key: string): Endpoint {
    const origin = key.split('/', 1)[0] as string;
    return {
      origin,
      reach: (done) => {
        this.dialled.push({ origin, at: this.#clock.now() });
        const reach = this.reach(origin);
        this.connecting++;
        const timer = this.#clock.after(reach === 'reached' ? 5 : 3_000, () => {
          this.connecting--;
          done(reach);
        });
        return () => {
          this.connecting--;
          timer.cancel();
        };
      },
    };
  }

  async close(): Promise<void> {}
}
