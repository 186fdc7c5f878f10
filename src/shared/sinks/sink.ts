/** The port of a sink: results → **sink**. Writing never throws and never waits. */

import type { Result } from '../domain/result.ts';
import type { Transition } from '../rules/state.ts';

export interface Sink extends AsyncDisposable {
  write(result: Result, transition: Transition | null): void;
}
