/**
 * The whole of watcher as the numerator of a ratio: the app as `watcher run` starts it, from the
 * catalogue on, its result lines written to a file. Ledger, claims, heartbeats, state, metrics and
 * monitors are all in it.
 */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { JsonLines } from '../../src/shared/sinks/json/json-lines.ts';
import { startInProcess } from '../support/in-process-app.ts';
import { addressOf } from '../support/loopback.ts';
import { catalogueOf } from '../support/many-checks.ts';
import { childOptions, measureWindow } from './measured-window.ts';
import type { TargetLoad } from './target-load.ts';

/** More a second than a core can do, so that the schedule is always overdue; by little, as every
 * tick that finds its check still waiting costs something too. */
const OVERDUE_CHECKS = { fresh: 15_000, reuse: 45_000 } as const;
/** Waiting runs are seen to, not assumed. */
const ON_TIME = 'the schedule was not overdue: this was no saturated run';

const load = childOptions<TargetLoad>();
await using folder = await mkdtempDisposable(path.join(tmpdir(), 'watcher-bench-'));
const stream = createWriteStream(path.join(folder.path, 'results.jsonl'));
await once(stream, 'open');
let done = 0;
const counter = {
  write: () => {
    done += 1;
  },
  views: [],
  [Symbol.asyncDispose]: async () => {},
};
const app = await startInProcess({
  catalogue: await checksOf(load),
  sinks: [new JsonLines(stream, systemClock), counter],
  concurrency: load.pace.kind === 'saturated' ? load.pace.inFlight : 256,
});
while (app.meter.total('watcher.checks.held') < app.catalogue.definitions.length) await sleep(50);
const window = await measureWindow(load.span, () => done);
if (load.pace.kind === 'saturated' && app.meter.total('watcher.runs.waiting') === 0)
  throw new Error(ON_TIME);
console.log(JSON.stringify(window));
await folder.remove();
process.exit(0);

async function checksOf({
  port,
  certificate,
  origins,
  pace,
  connection,
}: TargetLoad): Promise<Catalogue> {
  const ca = path.join(folder.path, 'ca.pem');
  if (certificate !== '') await writeFile(ca, certificate);
  const count = pace.kind === 'paced' ? pace.perSecond * 60 : OVERDUE_CHECKS[connection];
  return catalogueOf(count, {
    originOf: (index) => `${addressOf(index % origins)}:${port}`,
    cron: pace.kind === 'paced' ? '* * * * *' : '* * * * * *',
    connection,
    ...(certificate === '' ? {} : { ca }),
  });
}
