/**
 * The event loop stands still for three seconds with a thousand runs in flight. Every answer
 * arrives in time, but by when anybody looks, every deadline has passed.
 */

import path from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../src/app.ts';
import type { Status } from '../../src/shared/domain/result.ts';
import { freePort } from '../support/free-ports.ts';
import { startInProcess } from '../support/in-process-app.ts';
import { addressOf } from '../support/loopback.ts';
import { catalogueOf } from '../support/many-checks.ts';
import { listening, startProcess } from '../support/processes.ts';
import type { Proof, Row, Size } from './row.ts';

const CHECKS = 1_000;
const BLOCK_MS = 3_000;
const TIMEOUT_MS = 2_000;
/** How long the target takes, so that all runs are in flight together. */
const ANSWER_MS = 1_500;

const BLOCKS = { full: 10, small: 1 } as const satisfies Record<Size, number>;

export const blockedLoop: Row = {
  name: 'blocked-loop',
  title: 'Runs whose deadline passed while the event loop was blocked are not failures of targets',
  covers: ['src/worker'],
  prove: async (size): Promise<Proof | null> => {
    const port = await freePort();
    const script = path.join(import.meta.dirname, 'slow-target.ts');
    await using target = startProcess([process.execPath, script, String(port), String(ANSWER_MS)]);
    await listening(port, target);
    await using app = await startInProcess({
      catalogue: catalogueOf(CHECKS, {
        originOf: (index) => `${addressOf(index)}:${port}`,
        cron: '*/10 * * * * *',
        connection: 'fresh',
        timeoutMs: TIMEOUT_MS,
      }),
      sinks: [],
      concurrency: CHECKS,
    });
    const counts = {
      blocks: BLOCKS[size],
      in_flight_at_least: CHECKS,
      ...(await blocked(app, size)),
    };
    return { counts, holds: counts.critical === 0 && counts.ok + counts.unknown > 0 };
  },
};

async function blocked(app: App, size: Size) {
  const inFlight = () => app.meter.total('watcher.runs.in_flight');
  for (let n = 0; n < BLOCKS[size]; n += 1) {
    while (inFlight() < CHECKS) await sleep(5);
    // Connecting, waiting, or nearly answered: each block comes at another moment of the runs.
    await sleep((n * ANSWER_MS) / BLOCKS.full);
    if (inFlight() < CHECKS) throw new Error(`${inFlight()} of ${CHECKS} runs are in flight`);
    // After an immediate come the timers, deadlines first; after a timer come the sockets.
    await (n % 2 === 0 ? setImmediate() : sleep(1));
    blockLoop(BLOCK_MS);
    while (inFlight() > 0) await sleep(5);
  }
  const results = (status: Status) =>
    app.meter
      .samples('watcher.results')
      .filter(({ labels }) => labels['status'] === status)
      .reduce((sum, { value }) => sum + value, 0);
  return {
    ok: results('ok'),
    warning: results('warning'),
    critical: results('critical'),
    unknown: results('unknown'),
  };
}

function blockLoop(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}
