/**
 * A process that writes synthetic results to the real pipeline, at a steady rate: what `watcher run`
 * is to the sinks, without its checks. Started by `maker.ts`.
 *
 * Its argument is MakerOptions as JSON. A line on stdin is a request: `report` is answered by a line
 * of JSON, `pause` stops making, `resume` goes on, `end` ends it as an operator would.
 */

import { writeSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { openOutlets } from '../../src/outlets.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { openLog } from '../../src/shared/runtime/log.ts';
import { systemRandom } from '../../src/shared/runtime/random.ts';
import { Redactor } from '../../src/shared/runtime/redact.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import type { MakerOptions, MakerReport } from './maker.ts';
import { dueAt, madeOf, nextAt } from './synthetic.ts';

const PACE_MS = 20;
const { sequence, confirm, sinks, posts, stateFolder, connectTo } = JSON.parse(
  process.argv[2] ?? '{}',
) as MakerOptions;
const redactor = new Redactor();
const secrets = createSecrets({
  clock: systemClock,
  env: process.env,
  onValue: (value) => redactor.register(value),
});
const outlets = openOutlets({
  clock: systemClock,
  random: systemRandom,
  log: await openLog({ level: 'info', redactor, stderr: process.stderr }),
  secrets,
  connectTo,
  worker: 'maker',
  redact: (text) => redactor.apply(text),
  sinks,
  stateFolder,
  finishMs: 10_000,
});
const { router } = outlets;
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();

const first = nextAt(Date.now(), sequence);
let next = first;
let skipped = 0;
let latestMs = 0;
let isPaused = false;

setInterval(() => {
  const end = nextAt(Date.now(), sequence);
  if (isPaused) {
    skipped += end - next;
    next = end;
  }
  for (; next < end; next++) {
    latestMs = Math.max(latestMs, Date.now() - dueAt(next, sequence));
    const { result, transition } = madeOf(next, sequence);
    router.write(result, transition, posts);
    if (confirm) tell(`${next}`);
  }
}, PACE_MS);

for await (const request of createInterface({ input: process.stdin })) {
  if (request === 'report') tell(JSON.stringify(await reported()));
  else if (request === 'end') await end();
  else isPaused = request === 'pause';
}
// Whoever has started it is gone.
process.exit(1);

/** At once, so that it is known however this process ends. */
function tell(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

async function reported(): Promise<MakerReport> {
  await sleep(0);
  const blockedMs = delay.max / 1e6;
  globalThis.gc?.();
  // What the collection holds up is no fault of the pipeline.
  await sleep(20);
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const report: MakerReport = {
    first,
    next,
    skipped,
    rssBytes: rss,
    usedBytes: heapUsed + external,
    cpuMs: (user + system) / 1000,
    blockedMs,
    latestMs,
    views: router.views,
    spool: router.spool,
  };
  delay.reset();
  latestMs = 0;
  return report;
}

async function end(): Promise<void> {
  isPaused = true;
  await outlets[Symbol.asyncDispose]();
  tell(JSON.stringify(await reported()));
  process.exit(0);
}
