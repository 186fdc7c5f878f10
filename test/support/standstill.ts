/**
 * A program that is the real worker and stands still after some results: with its loop wedged, or with a
 * scheduler whose timer never comes. It says `ready` just before; as `well` it does neither.
 */

import { type Clock, systemClock } from '../../src/shared/runtime/clock.ts';
import type { Sink } from '../../src/shared/sinks/sink.ts';
import { startInProcess } from './in-process-app.ts';
import { catalogueOf } from './many-checks.ts';

const [, , mode, limitMs] = process.argv;
/** Five a second: the watchdog begins only after a start is over. */
const RESULTS = 25;
let results = 0;

const isStill = (): boolean => results >= RESULTS;

const sink: Sink = {
  write: () => {
    results += 1;
    if (results !== RESULTS) return;
    process.stdout.write('ready\n');
    while (mode === 'loop');
  },
  views: [],
  [Symbol.asyncDispose]: async () => {},
};

const clock: Clock = {
  ...systemClock,
  after: (ms, fn) => {
    const isLost = mode === 'scheduler' && isStill() && new Error().stack?.includes('scheduler.ts');
    return isLost ? { cancel: () => {} } : systemClock.after(ms, fn);
  },
};

await startInProcess({
  // Nobody listens there, which makes results as well.
  catalogue: catalogueOf(5, {
    originOf: () => '127.0.0.1:1',
    cron: '* * * * * *',
    connection: 'fresh',
  }),
  sinks: [sink],
  concurrency: 8,
  clock,
  standstillMs: Number(limitMs),
});
