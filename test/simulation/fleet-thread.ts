/** One simulated fleet in a thread of its own: it takes more memory than a process has by default. */

import { parentPort, Worker, workerData } from 'node:worker_threads';
import { type FleetSize, liveFleet } from './fleet.ts';
import type { FleetFigures } from './fleet-figures.ts';

export const liveFleetInThread = (size: FleetSize): Promise<FleetFigures> =>
  new Promise((resolve, reject) => {
    const thread = new Worker(new URL(import.meta.url), {
      workerData: size,
      resourceLimits: { maxOldGenerationSizeMb: 12_000, maxYoungGenerationSizeMb: 384 },
    });
    thread.on('message', (figures: FleetFigures) => {
      resolve(figures);
      void thread.terminate();
    });
    thread.on('error', reject);
  });

if (parentPort !== null && workerData !== null)
  parentPort.postMessage(await liveFleet(workerData as FleetSize));
