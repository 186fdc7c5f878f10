/** The real app on a catalogue that is given, for everything measured from inside one process. */

import { startApp } from '../../src/app.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import type { Sink } from '../../src/shared/sinks/sink.ts';

export interface BenchAppOptions {
  readonly catalogue: Catalogue;
  readonly sinks: readonly Sink[];
  readonly concurrency: number;
}
