/**
 * A worker that holds many checks, in a process of its own: definitions come from the ledger's
 * records, jobset by jobset as claims bring them, into the scheduler. None falls due meanwhile.
 */

import { decodeDefinitions, encodeDefinitions } from '../../src/shared/coordination/definitions.ts';
import type { CheckSpec, JobsetId } from '../../src/shared/domain/check.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { createSecrets } from '../../src/shared/secrets/resolve.ts';
import { CheckTable } from '../../src/worker/check-table.ts';
import { LoadMeter } from '../../src/worker/load-meter.ts';
import { Plans } from '../../src/worker/plan.ts';
import { createHttpProbe } from '../../src/worker/probes/http.ts';
import { OwnResolver } from '../../src/worker/probes/own-resolver.ts';
import { Runner } from '../../src/worker/runner.ts';
import { Scheduler } from '../../src/worker/scheduler.ts';
import { Tally } from '../../src/worker/tally.ts';
import { addressOf } from '../support/loopback.ts';
import { definitionOf, specOf } from '../support/many-checks.ts';
import type { Held } from './held-memory.ts';
import { childOptions } from './measured-window.ts';

const JOBSET_SIZE = 100;
/** Once a year, so that nothing runs while memory is read. */
const CRONS = ['0 3 1 1 *', '30 4 1 1 *', '15 5 1 1 *'];

const { jobsets } = childOptions<{ readonly jobsets: number }>();
const scheduler = idleScheduler();
for (let n = 0; n < jobsets; n += 1) scheduler.hold(claimed(n));
globalThis.gc?.();
globalThis.gc?.();
const { rss, heapUsed } = process.memoryUsage();
const held: Held = { checks: jobsets * JOBSET_SIZE, rssBytes: rss, heapBytes: heapUsed };
console.log(JSON.stringify(held));
process.exit(0);

function idleScheduler(): Scheduler {
  const table = new CheckTable();
  const tally = new Tally();
  const clock = systemClock;
  const load = new LoadMeter({
    clock,
    table,
    capacity: { places: 256, jobs: null },
    perHost: 128,
    loop: () => ({ utilisation: 0, p99Ms: 0 }),
    overdueMs: () => 0,
    slotsOf: () => [],
    behindHosts: () => [],
  });
  const runner = new Runner({
    clock,
    table,
    tally,
    authority: { owns: () => true, doubt: null },
    stopOnLoss: false,
    places: { total: 256, perHost: 128 },
    load,
    worker: 'bench',
    onResult: () => {},
    onSuspicion: () => {},
    onUnreachable: () => {},
    onStateChange: () => {},
  });
  const plans = new Plans({
    http: createHttpProbe({
      clock,
      resolver: new OwnResolver({ clock }),
      secrets: createSecrets({ clock, env: {} }),
    }),
  });
  return new Scheduler({
    clock,
    table,
    tally,
    plans,
    runner,
    authority: { doubt: null },
    runAtStart: false,
    withholds: () => false,
    // Nothing may be left out of what is counted.
    onUnusable: (_definition, cause) => {
      throw new Error('a definition cannot be compiled', { cause });
    },
  });
}

/** As read in a claim's transaction: each jobset has a spec of its own, shared by its checks. */
function claimed(n: number): Parameters<Scheduler['hold']>[0] {
  const base = specOf({ cron: CRONS[n % CRONS.length] ?? '', connection: 'fresh' });
  const spec: CheckSpec = {
    ...base,
    request: { ...base.request, headers: [['x-service', `service-${n}`]] },
  };
  const originOf = (index: number) => `${addressOf(index)}:8080`;
  const definitions = Array.from({ length: JOBSET_SIZE }, (_, i) =>
    definitionOf(n * JOBSET_SIZE + i, spec, { originOf }),
  );
  const chunks = encodeDefinitions(definitions).map((value, i) => ({
    key: `def/${n}/${i}`,
    value,
    modRevision: 1,
    lease: null,
  }));
  const claim = { jobset: `jobset-${n}` as JobsetId, token: String(n + 1) };
  const handover = { progress: null, states: {} };
  return { claim, definitions: decodeDefinitions(chunks), handover };
}
