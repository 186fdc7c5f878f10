/** The real app on a catalogue that is given, for what has to be seen or done from inside one process. */

import { type App, type CatalogueSource, startApp } from '../../src/app.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import { type Clock, systemClock } from '../../src/shared/runtime/clock.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import type { Sink } from '../../src/shared/sinks/sink.ts';
import { ALONE } from './alone.ts';

export interface InProcessOptions {
  readonly catalogue: Catalogue;
  readonly sinks: readonly Sink[];
  readonly concurrency: number;
  readonly clock?: Clock;
  /** Without it no watchdog ends the process. */
  readonly standstillMs?: number;
}

export const startInProcess = ({
  catalogue,
  concurrency,
  clock = systemClock,
  ...options
}: InProcessOptions): Promise<App> =>
  startApp({
    ...options,
    clock,
    random: systemRandom,
    log: silentLog,
    version: 'test',
    pool: ALONE,
    source: unchanging(catalogue),
    outlets: null,
    listen: { host: '127.0.0.1', port: 0 },
    concurrency,
    perHost: concurrency,
    maxJobs: null,
    runAtStart: false,
    drainMs: 0,
    connectTo: [],
    dns: 'own',
    env: {},
    onSecret: () => {},
    redact: (text) => text,
  });

const unchanging = (catalogue: Catalogue): CatalogueSource => ({
  load: async () => catalogue,
  watch: () => ({ [Symbol.asyncDispose]: async () => {} }),
});
