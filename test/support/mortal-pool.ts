/**
 * Workers that can die, on virtual time: whole ones, with one ledger, each with its own way to it. A run can
 * end the process in which it runs; another then takes its place, as under a supervisor.
 */

import { digestOf } from '../../src/shared/coordination/definitions.ts';
import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import { Keys } from '../../src/shared/coordination/keys.ts';
import { MemoryStore } from '../../src/shared/coordination/kv-memory.ts';
import { Ledger } from '../../src/shared/coordination/ledger.ts';
import { Publishing } from '../../src/shared/coordination/publishing.ts';
import { decodeJobset, decodeSuspects } from '../../src/shared/coordination/records.ts';
import type { CheckDefinition, JobsetId, WorkerId } from '../../src/shared/domain/check.ts';
import type { Jobset } from '../../src/shared/domain/jobset.ts';
import type { Result } from '../../src/shared/domain/result.ts';
import { silentLog } from '../../src/shared/runtime/log.ts';
import { Meter } from '../../src/shared/runtime/meter.ts';
import type { Abort, Probe } from '../../src/worker/probes/probe.ts';
import { Worker } from '../../src/worker/worker.ts';
import { ProcessClock } from '../simulation/process-clock.ts';
import { anAnswer, IDLE_LOOP } from './builders.ts';
import { FaultyStore } from './faulty-store.ts';
import { ManualClock } from './manual-clock.ts';
import { seededRandom } from './seeded-random.ts';

const STANDSTILL_MS = 30_000;
const TERM = { condition: { key: 'nobody/leads', modRevision: 0 } };

export interface Mortal {
  readonly id: string;
  readonly worker: Worker;
  readonly network: FaultyStore;
  readonly clock: ProcessClock;
  readonly isDead: boolean;
  readonly isWell: boolean;
  kill(): void;
}

export interface Start {
  readonly at: number;
  readonly worker: string;
  readonly check: string;
}

/** What a run does: how long it takes; that nothing is left of its worker, or that this one stands still. */
export type Deed = (start: Start) => { readonly afterMs: number } | 'dies' | 'stands still';

export const aMortalPool = (
  options: { readonly seed?: number; readonly startAt?: number } = {},
) => {
  const { seed = 1, startAt } = options;
  const clock = new ManualClock(startAt);
  const store = new MemoryStore({ clock });
  const keys = new Keys();
  const random = seededRandom(seed);
  const publishing = new Publishing({ store, keys });
  const results: Result[] = [];
  const starts: Start[] = [];
  /** Whom each has killed: `check worker`. */
  const deaths: string[] = [];
  const workers: Mortal[] = [];
  const behaviour: { deed: Deed; isRunAtStart: boolean } = {
    deed: () => ({ afterMs: 50 }),
    isRunAtStart: false,
  };
  let born = 0;

  const probeOf = (mortal: () => Mortal): Probe => ({
    prepare: () => null,
    endpointOf: (key) => ({
      origin: key,
      reach: (done) => {
        const timer = mortal().clock.after(5, () => done('reached'));
        return () => timer.cancel();
      },
    }),
    start: (check, _prepared, done): Abort => {
      const { id, clock: own, kill } = mortal();
      const start = { at: clock.now(), worker: id, check };
      starts.push(start);
      const deed = behaviour.deed(start);
      if (typeof deed === 'object') {
        const timer = own.after(deed.afterMs, () => done(anAnswer()));
        return () => timer.cancel();
      }
      deaths.push(`${check} ${id}`);
      if (deed === 'dies') kill();
      // Until its watchdog ends it.
      else own.stop();
      clock.after(STANDSTILL_MS, kill);
      return () => {};
    },
    close: async () => {},
  });

  const join = (): Mortal => {
    born += 1;
    const id = `w${born}`;
    const own = new ProcessClock(clock);
    const network = new FaultyStore(store);
    const worker = new Worker({
      clock: own,
      random,
      log: silentLog,
      meter: new Meter(),
      ledger: new Ledger({ store: network, keys, clock: own, random }),
      probes: { http: probeOf(() => mortal) },
      record: {
        id: id as WorkerId,
        state: 'up',
        capacity: { places: 256, jobs: null },
        host: id,
        zone: null,
        version: '0.0.0',
        listen: null,
        started: 0,
      },
      timing: LEASE_TIMING,
      places: { total: 256, perHost: 128 },
      loop: () => IDLE_LOOP,
      mode: 'rebalance',
      runAtStart: behaviour.isRunAtStart,
      stopOnLoss: false,
      graceMs: 5_000,
      drainMs: 7_000,
      onResult: (result) => {
        if (!own.isDead) results.push(result);
      },
    });
    const mortal: Mortal = {
      id,
      worker,
      network,
      clock: own,
      get isDead() {
        return own.isDead;
      },
      get isWell() {
        return own.isRunning;
      },
      kill: () => {
        own.kill();
        network.cut = true;
      },
    };
    worker.start();
    workers.push(mortal);
    return mortal;
  };

  const standing = async (id: string) => {
    for await (const entry of publishing.jobsets()) if (entry.jobset.id === id) return entry;
    return null;
  };

  return {
    clock,
    store,
    keys,
    results,
    starts,
    deaths,
    workers,
    behaviour,
    join,
    live: (): Mortal[] => workers.filter(({ isDead }) => !isDead),
    publish: async (id: string, definitions: readonly CheckDefinition[]): Promise<void> => {
      const digest = digestOf(definitions);
      const place = { id: id as JobsetId, source: 'folder', zone: null } as const;
      const old = await standing(id);
      await publishing.replace({ ...place, old, digest, definitions }, TERM);
    },
    jobsets: async (): Promise<Jobset[]> => {
      const { entries } = await store.snapshot(keys.jobsets);
      return entries.map((entry) => decodeJobset(keys.jobsetOf(entry.key), entry));
    },
    /** By jobset what is held against its jobs. */
    suspects: async () => {
      const { entries } = await store.snapshot(keys.allSuspects);
      return Object.fromEntries(
        entries.map((entry) => [
          entry.key.slice(keys.allSuspects.length),
          decodeSuspects(entry).jobs,
        ]),
      );
    },
    resultsOf: (check: string): Result[] => results.filter((result) => result.check === check),
  };
};
