/** A whole `watcher run` on virtual time: admin, ledger, memory store, worker, scripted targets. */

import { createHash } from 'node:crypto';
import { Admin } from '../../src/admin/admin.ts';
import { Audit } from '../../src/admin/audit.ts';
import { Publisher } from '../../src/admin/publisher.ts';
import { Scaling } from '../../src/admin/scaling.ts';
import { Steering } from '../../src/admin/steering.ts';
import { Election } from '../../src/shared/coordination/election.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition, WorkerId } from '../../src/shared/domain/check.ts';
import type { ScalingEmission } from '../../src/shared/domain/delivery.ts';
import type { ScalingMode } from '../../src/shared/domain/pool-settings.ts';
import type { Result, Transition } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import { Worker } from '../../src/worker/worker.ts';
import { IDLE_LOOP } from './builders.ts';
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
  /** The first worker's. */
  readonly id?: string;
  readonly maxJobs?: number | null;
  readonly mode?: ScalingMode;
  /** Hears what the leader says of the pool's size. */
  readonly announce?: (emission: ScalingEmission) => void;
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

export interface JoinOptions {
  readonly id?: string;
  readonly total?: number;
  readonly maxJobs?: number | null;
}

export const startFleet = (options: FleetOptions = {}) => {
  const { seed = 1, startAt, runAtStart = false, total = 256, perHost = 128 } = options;
  const { mode = 'rebalance' } = options;
  const clock = new ManualClock(startAt);
  const random = seededRandom(seed);
  const probe = new ScriptedProbe(clock);
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const ledger = new Ledger({ store, keys, clock, random });
  const common = { store, keys, clock, random, log: silentLog };
  const election = new Election({ ...common, timing: LEASE_TIMING, id: 'admin' });
  const publisher = new Publisher({ ...common, publishing: new Publishing(common) });
  const audit = new Audit(common);
  const settings = { pool: 'test', waitingGraceMs: 10_000 };
  const { announce = () => {} } = options;
  const listener = new Scaling({ ...common, settings, announce });
  const steering = new Steering({ ...common, holdMs: LEASE_TIMING.ttlMs, listener });
  const admin = new Admin({ ...common, election, publisher, audit, steering });
  const workers: Worker[] = [];
  /** One more worker of the pool. */
  const join = (joining: JoinOptions = {}): Worker => {
    const places = joining.total ?? total;
    const id = (joining.id ?? random.uuid()) as WorkerId;
    const worker = new Worker({
      clock,
      random,
      log: silentLog,
      meter: new Meter(),
      ledger,
      probes: { http: probe },
      record: {
        id,
        state: 'up',
        capacity: { places, jobs: joining.maxJobs ?? options.maxJobs ?? null },
        host: 'test',
        zone: null,
        version: '0.0.0',
        listen: null,
        started: clock.now(),
      },
      timing: LEASE_TIMING,
      places: { total: places, perHost },
      loop: () => IDLE_LOOP,
      mode,
      runAtStart,
      stopOnLoss: false,
      graceMs: 5_000,
      drainMs: 25_000,
      onResult: (result, transition) => options.onResult?.({ result, transition }),
    });
    workers.push(worker);
    worker.start();
    return worker;
  };
  admin.start();
  const worker = join(options);
  const stop = async () => {
    await clock.until(Promise.all(workers.map((one) => one.drain())));
    await clock.until(admin[Symbol.asyncDispose]());
  };
  return { clock, random, probe, store, keys, admin, worker, workers, join, stop };
};
