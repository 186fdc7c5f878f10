/** A whole `watcher run` on virtual time: admin, ledger, memory store, worker, scripted targets. */

import { createHash } from 'node:crypto';
import { Admin } from '../../src/admin/admin.ts';
import { Audit } from '../../src/admin/audit.ts';
import { Publisher } from '../../src/admin/publisher.ts';
import { Election } from '../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition, WorkerId } from '../../src/shared/domain/check.ts';
import type { Result, Transition } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { Worker } from '../../src/worker/worker.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedProbe } from './scripted-probe.ts';
import { seededRandom } from './seeded-random.ts';

export interface Seen {
  readonly result: Result;
  readonly transition: Transition | null;
}

export interface FleetOptions {
  readonly seed?: number;
  readonly startAt?: number;
  readonly runAtStart?: boolean;
  readonly total?: number;
  readonly perHost?: number;
  readonly onResult?: (seen: Seen) => void;
}

const textOf = (definition: CheckDefinition): string => JSON.stringify(definition);

/** As of a folder, whose digest does not depend on the order of its checks. */
export const aCatalogue = (definitions: readonly CheckDefinition[]): Catalogue => ({
  definitions,
  selves: [],
  files: 1,
  diagnostics: [],
  digest: createHash('sha256').update(definitions.map(textOf).sort().join()).digest('hex'),
});

export const startFleet = (options: FleetOptions = {}) => {
  const { seed = 1, startAt, runAtStart = false, total = 256, perHost = 128 } = options;
  const clock = new ManualClock(startAt);
  const random = seededRandom(seed);
  const probe = new ScriptedProbe(clock);
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const ledger = new Ledger({ store, keys, clock, random });
  const election = new Election({ store, keys, clock, random, timing: LEASE_TIMING, id: 'admin' });
  const publisher = new Publisher({ publishing: new Publishing({ store, keys }), clock, random });
  const audit = new Audit({ store, keys, clock, log: silentLog });
  const admin = new Admin({ election, publisher, audit, clock, random, log: silentLog });
  const worker = new Worker({
    clock,
    random,
    log: silentLog,
    meter: new Meter(),
    ledger,
    probes: { http: probe },
    record: {
      id: random.uuid() as WorkerId,
      state: 'up',
      host: 'test',
      zone: null,
      version: '0.0.0',
      listen: null,
      started: clock.now(),
    },
    timing: LEASE_TIMING,
    places: { total, perHost },
    runAtStart,
    stopOnLoss: false,
    graceMs: 5_000,
    drainMs: 25_000,
    onResult: (result, transition) => options.onResult?.({ result, transition }),
  });
  admin.start();
  worker.start();
  const stop = async () => {
    await clock.until(worker.drain());
    await clock.until(admin[Symbol.asyncDispose]());
  };
  return { clock, random, probe, store, admin, worker, stop };
};
