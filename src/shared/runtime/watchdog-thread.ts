/** The thread that looks whether the process lives, and ends it when it does not: see watchdog.ts. */

import { write } from 'node:fs';
import { isatty } from 'node:tty';
import { workerData } from 'node:worker_threads';
import { isoTime, systemClock } from './clock.ts';
import { textLine } from './log.ts';
import { standstillOf, WATCH_START, watchAfter } from './standstill.ts';
import { OVERDUE_MS, PULSES, type WatchdogData } from './watchdog.ts';

const LOOK_MS = 1_000;
/** For the line; a pipe that nobody reads may be why the process stands still. */
const LINE_MS = 500;
const STDERR = 2;

const { cells, limitMs } = workerData as WatchdogData;
let watch = WATCH_START;

const look = (): void => {
  const pulses = Atomics.load(cells, PULSES);
  const overdueMs = Atomics.load(cells, OVERDUE_MS);
  watch = watchAfter(watch, { pulses, overdueMs }, limitMs);
  const why = standstillOf(watch, { limitMs, lookMs: LOOK_MS });
  if (why === null) systemClock.after(LOOK_MS, look);
  else end(why);
};

/**
 * By a signal: in a thread `process.exit` ends the thread. The first process of a container cannot be
 * killed from within it; there an init, or whoever asks for its health, has to do it.
 */
const end = (why: string): void => {
  const msg = `this process is ended by its watchdog, to be started anew: ${why}`;
  const line = JSON.stringify({ level: 'error', time: isoTime(systemClock.now()), msg });
  const kill = () => process.kill(process.pid, 'SIGKILL');
  write(STDERR, isatty(STDERR) ? textLine(line) : `${line}\n`, kill);
  systemClock.after(LINE_MS, kill);
};

systemClock.after(LOOK_MS, look);
