/** The worker role of a process, joined to its probes, its sinks and the store. */

import { hostname } from 'node:os';
import { exposeChecks } from './exposed.ts';
import type { Ground } from './ground.ts';
import type { Part } from './part.ts';
import { Ledger } from './shared/coordination/ledger.ts';
import type { WorkerId } from './shared/domain/check.ts';
import type { Capacity, WorkerRecord } from './shared/domain/jobset.ts';
import type { Health, StatusSource } from './shared/domain/status.ts';
import { formatAddress } from './shared/http/listen.ts';
import { statusRoute } from './shared/http/routes.ts';
import { parseConnectTo } from './shared/rules/connect-to.ts';
import type { Clock } from './shared/runtime/clock.ts';
import type { Sink } from './shared/sinks/sink.ts';
import { createHttpProbe, type HttpProbe } from './worker/probes/http.ts';
import { OwnResolver } from './worker/probes/own-resolver.ts';
import type { Resolver } from './worker/probes/resolver.ts';
import { systemResolver } from './worker/probes/system-resolver.ts';
import { Worker } from './worker/worker.ts';

export interface WorkerSettings {
  readonly concurrency: number;
  readonly perHost: number;
  /** How many it takes on; null: as many as it can run on time. */
  readonly maxJobs: number | null;
  readonly runAtStart: boolean;
  /** How long runs in flight may take when the process stops. */
  readonly drainMs: number;
  /** `own`, `system`, or `ADDRESS[:PORT]` of the servers to ask, separated by commas. */
  readonly dns: string;
}

export interface WorkerPart extends Part {
  readonly status: StatusSource;
}

/** On top of the time for runs in flight: the transactions that hand jobsets back. */
const HAND_BACK_MS = 2_000;

export const openWorker = (ground: Ground, settings: WorkerSettings): WorkerPart => {
  const { clock, meter } = ground;
  const probe = probeOn(ground, settings.dns);
  const worker = workerOn(ground, settings, probe);
  meter.observe('watcher.connections.met_closed', () => probe.metClosed());
  exposeChecks(meter, worker.status, clock);
  return {
    status: worker.status,
    routes: [statusRoute(worker.status)],
    get health() {
      return healthOf(worker);
    },
    get standing() {
      return { attached: worker.attached };
    },
    get overdueMs() {
      return worker.overdueMs;
    },
    keyOf: (id) => worker.keyOf(id),
    start: () => worker.start(),
    [Symbol.asyncDispose]: async () => {
      await worker.drain();
      await probe.close();
    },
  };
};

const workerOn = (ground: Ground, settings: WorkerSettings, probe: HttpProbe): Worker => {
  const { concurrency, perHost, maxJobs, runAtStart, drainMs } = settings;
  const sinks: readonly Sink[] = [
    ...ground.sinks,
    ...(ground.outlets ? [ground.outlets.router] : []),
  ];
  return new Worker({
    ...ground,
    ledger: new Ledger(ground),
    probes: { http: probe },
    record: recordOf(ground, { places: concurrency, jobs: maxJobs }),
    timing: ground.pool.timing,
    places: { total: concurrency, perHost },
    loop: () => ground.loop.reading,
    mode: ground.pool.scaling.mode,
    runAtStart,
    stopOnLoss: ground.pool.onCoordinationLoss === 'stop',
    graceMs: drainMs,
    drainMs: drainMs + HAND_BACK_MS,
    onResult: (result, transition, posts) => {
      for (const sink of sinks) sink.write(result, transition, posts);
    },
  });
};

const recordOf = (ground: Ground, capacity: Capacity): WorkerRecord => ({
  id: ground.id as WorkerId,
  state: 'up',
  capacity,
  host: hostname(),
  version: ground.version,
  zone: ground.pool.zone,
  started: ground.clock.now(),
  get listen() {
    const { listening } = ground.place;
    return listening && formatAddress(listening);
  },
});

const probeOn = ({ clock, connectTo, secrets, isOwn }: Ground, dns: string): HttpProbe =>
  createHttpProbe({
    clock,
    connectTo: parseConnectTo(connectTo),
    resolver: resolverFor(dns, clock),
    secrets,
    denied: isOwn,
  });

const resolverFor = (dns: string, clock: Clock): Resolver => {
  if (dns === 'system') return systemResolver;
  return new OwnResolver({ clock, ...(dns === 'own' ? {} : { servers: dns.split(',') }) });
};

/** A process that cannot prove its claims still runs its checks; one that has neither cannot. */
const healthOf = (worker: Worker): Health =>
  worker.attached || worker.held > 0
    ? { status: 'ok', reason: null }
    : { status: 'unavailable', reason: 'the worker is not registered in the ledger' };
