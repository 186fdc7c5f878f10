/** One thread of a campaign: lives the worlds whose seeds it is sent, one after the other. */

import { parentPort } from 'node:worker_threads';
import { type LifeOptions, live } from './life.ts';

// Faults are errors by the thousand, and nobody reads where they were made.
Error.stackTraceLimit = 0;

parentPort?.on('message', (options: LifeOptions) => {
  void live(options).then((life) => parentPort?.postMessage(life));
});
