/**
 * The composition root: the only place that joins roles to adapters. One process, both roles, the
 * store in memory; the roles cannot tell that it is not a pool.
 */

import { hostname } from 'node:os';
import { Admin } from './admin/admin.ts';
import { Publisher } from './admin/publisher.ts';
import { countOf, expose } from './exposed.ts';
import { type Outlets, openOutlets } from './outlets.ts';
import { Election } from './shared/coordination/election.ts';
import { LEASE_TIMING } from './shared/coordination/heartbeat.ts';
import { Keys } from './shared/coordination/keys.ts';
import { MemoryStore } from './shared/coordination/kv-memory.ts';
import { Ledger } from './shared/coordination/ledger.ts';
import { Publishing } from './shared/coordination/publishing.ts';
import type { Catalogue } from './shared/domain/catalogue.ts';
import type { WorkerId } from './shared/domain/check.ts';
import type { WorkerRecord } from './shared/domain/jobset.ts';
import type { SinkSettings } from './shared/domain/sink-settings.ts';
import type { Health, ReloadReport, SelfSource, StatusSource } from './shared/domain/status.ts';
import { formatAddress, type ListenAddress, serves, type TlsFiles } from './shared/http/listen.ts';
import {
  healthRoute,
  metricsRoute,
  reloadRoute,
  selfRoute,
  statusRoute,
} from './shared/http/routes.ts';
import { startHttpServer } from './shared/http/server.ts';
import { parseConnectTo } from './shared/rules/connect-to.ts';
import type { Clock } from './shared/runtime/clock.ts';
import { EventLoopMonitor } from './shared/runtime/event-loop.ts';
import type { Log } from './shared/runtime/log.ts';
import { Meter } from './shared/runtime/meter.ts';
import type { Random } from './shared/runtime/random.ts';
import { type ResultFlow, SelfMonitor } from './shared/runtime/self-monitor.ts';
import { createSecrets, type Secrets } from './shared/secrets/resolve.ts';
import { SelfPosts } from './shared/sinks/self-posts.ts';
import type { Sink } from './shared/sinks/sink.ts';
import { createHttpProbe, type HttpProbe } from './worker/probes/http.ts';
import { OwnResolver } from './worker/probes/own-resolver.ts';
import type { Resolver } from './worker/probes/resolver.ts';
import { systemResolver } from './worker/probes/system-resolver.ts';
import { Worker } from './worker/worker.ts';

/** Where the catalogue comes from: a folder, or URLs from the command line. */
export interface CatalogueSource {
  load(): Promise<Catalogue>;
  /** Calls back when `load` may have something new to say. */
  watch(onChange: () => void): AsyncDisposable;
}

export interface AppOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  readonly source: CatalogueSource;
  /** What the process itself shows. */
  readonly sinks: readonly Sink[];
  /** Null: results are shown, and posted nowhere. */
  readonly outlets: OutletSettings | null;
  /** Null: no listener, as for a command that ends by itself. */
  readonly listen: ListenAddress | null;
  /** Both are needed to listen on another address than loopback. */
  readonly tls?: TlsFiles | undefined;
  readonly token?: string | undefined;
  readonly concurrency: number;
  readonly perHost: number;
  readonly runAtStart: boolean;
  /** How long runs in flight may take when the process stops. */
  readonly drainMs: number;
  /** `HOST:PORT:ADDRESS:PORT`, as in curl. */
  readonly connectTo: readonly string[];
  /** `own`, `system`, or `ADDRESS[:PORT]` of the servers to ask, separated by commas. */
  readonly dns: string;
  /** What `${env:NAME}` refers to. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears of each secret before it is used, so that no text can show it. */
  readonly onSecret: (value: string) => void;
  /** Takes them out of what others have said. */
  readonly redact: (text: string) => string;
}

/** Where results are posted besides what check files say, and where they wait when they cannot be. */
export interface OutletSettings {
  readonly sinks: readonly SinkSettings[];
  /** Null: undelivered results are kept in memory, and lost with the process. */
  readonly stateFolder: string | null;
}

export interface App extends AsyncDisposable {
  readonly status: StatusSource;
  readonly self: SelfSource;
  readonly meter: Meter;
  /** `http://127.0.0.1:9464`, or null without a listener. */
  readonly url: string | null;
  /** The catalogue as it was last loaded. */
  readonly catalogue: Catalogue;
  /** Loads and publishes; resolves when the ledger has it. `confirm` lets many checks vanish at once. */
  reload(confirm: boolean): Promise<ReloadReport>;
}

export const startApp = async (options: AppOptions): Promise<App> => {
  const stack = new AsyncDisposableStack();
  try {
    return await compose(options, stack);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
};

/**
 * Parts are registered in the order in which they must outlive each other: watching the folder ends
 * first, then the worker hands back what it runs, then the admin resigns; what shows results, the
 * listener, the store and the way to the sinks go last.
 */
const compose = async (options: AppOptions, stack: AsyncDisposableStack): Promise<App> => {
  const { clock, log, version, source, env, onSecret } = options;
  let catalogue = await source.load();
  let listening: ListenAddress | null = null;
  const meter = new Meter();
  const record = recordOf(options, () => listening);
  const secrets = createSecrets({ clock, env, onValue: onSecret });
  const outlets = stack.use(outletsOf(options, secrets, record.id));
  const isOwn = (address: string, port: number, path: string): boolean =>
    (listening?.port === port && path !== '/healthz' && serves(listening.host, address)) ||
    outlets?.uses(address, port) === true;
  const probe = probeFor({ ...options, secrets, isOwn });
  stack.defer(() => probe.close());
  const store = stack.use(new MemoryStore({ clock }));
  const keys = new Keys();
  const admin = adminOn({ ...options, store, keys });
  const sinks: readonly Sink[] = outlets ? [...options.sinks, outlets.router] : options.sinks;
  const worker = workerOn({ ...options, sinks, store, keys, meter, record, probe });
  const flow = flowOf(sinks, outlets);
  expose(meter, { clock, flow, status: worker.status, catalogue: () => catalogue });
  const self = stack.use(new SelfMonitor({ clock, meter, worker: record.id, version, flow }));
  stack.use(new EventLoopMonitor({ clock, meter }));
  meter.observe('watcher.connections.met_closed', () => probe.metClosed());

  const reload = async (confirm: boolean): Promise<ReloadReport> => {
    catalogue = await source.load();
    admin.offer(catalogue);
    selfPosts?.follow(catalogue.selves);
    if (confirm) admin.confirm();
    await admin.published();
    return { checks: worker.held, ...countOf(catalogue.diagnostics), held: admin.status.held };
  };
  const routes = [
    healthRoute(() => healthOf(worker)),
    metricsRoute(meter),
    statusRoute(worker.status),
    selfRoute(self),
    reloadRoute(reload),
  ];
  const { listen } = options;
  const server = listen && stack.use(await startHttpServer({ ...options, listen, routes }));
  listening = server?.address ?? null;
  for (const sink of options.sinks) stack.use(sink);
  const selfPosts = outlets && stack.use(selfPostsOf(options, { meter, self, outlets, record }));
  stack.use(admin);
  stack.defer(() => worker.drain());

  selfPosts?.follow(catalogue.selves);
  admin.offer(catalogue);
  admin.start();
  worker.start();
  stack.use(
    source.watch(() => {
      reload(false).catch((err) => log.error('the folder cannot be read', { err }));
    }),
  );
  return {
    status: worker.status,
    self,
    meter,
    url: server?.url ?? null,
    reload,
    get catalogue() {
      return catalogue;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

const flowOf = (sinks: readonly Sink[], outlets: Outlets | null): ResultFlow => ({
  get views() {
    return sinks.flatMap((sink) => sink.views);
  },
  get spool() {
    return outlets?.router.spool ?? null;
  },
});

/** On top of the time for runs in flight: the transactions that hand jobsets back. */
const HAND_BACK_MS = 2_000;

const recordOf = (
  { clock, random, version }: AppOptions,
  listening: () => ListenAddress | null,
): WorkerRecord => ({
  id: random.uuid() as WorkerId,
  state: 'up',
  host: hostname(),
  version,
  started: clock.now(),
  get listen() {
    const address = listening();
    return address && formatAddress(address);
  },
});

const probeFor = (
  options: AppOptions & {
    readonly secrets: Secrets;
    readonly isOwn: (address: string, port: number, path: string) => boolean;
  },
): HttpProbe => {
  const { clock, connectTo, dns, secrets, isOwn } = options;
  return createHttpProbe({
    clock,
    connectTo: parseConnectTo(connectTo),
    resolver: resolverFor(dns, clock),
    secrets,
    denied: isOwn,
  });
};

const outletsOf = (options: AppOptions, secrets: Secrets, worker: string): Outlets | null =>
  options.outlets && openOutlets({ ...options, ...options.outlets, secrets, worker });

const selfPostsOf = (
  { clock }: AppOptions,
  {
    meter,
    self,
    outlets,
    record,
  }: {
    readonly meter: Meter;
    readonly self: SelfSource;
    readonly outlets: Outlets;
    readonly record: WorkerRecord;
  },
): SelfPosts => {
  const { host, id: worker } = record;
  return new SelfPosts({ clock, meter, self, router: outlets.router, host, worker });
};

const resolverFor = (dns: string, clock: Clock): Resolver => {
  if (dns === 'system') return systemResolver;
  return new OwnResolver({ clock, ...(dns === 'own' ? {} : { servers: dns.split(',') }) });
};

type Parts = Pick<AppOptions, 'clock' | 'random' | 'log'> & {
  readonly store: MemoryStore;
  readonly keys: Keys;
};

const workerOn = (
  options: AppOptions &
    Parts & { readonly meter: Meter; readonly record: WorkerRecord; readonly probe: HttpProbe },
): Worker => {
  const { sinks, drainMs, concurrency, perHost, probe } = options;
  return new Worker({
    ...options,
    ledger: new Ledger(options),
    probes: { http: probe },
    timing: LEASE_TIMING,
    places: { total: concurrency, perHost },
    graceMs: drainMs,
    drainMs: drainMs + HAND_BACK_MS,
    onResult: (result, transition, posts) => {
      for (const sink of sinks) sink.write(result, transition, posts);
    },
  });
};

const adminOn = (options: Parts): Admin => {
  const election = new Election({ ...options, timing: LEASE_TIMING, id: options.random.uuid() });
  const publisher = new Publisher({ ...options, publishing: new Publishing(options) });
  return new Admin({ ...options, election, publisher });
};

/** A process that cannot prove its claims still runs its checks; one that has neither cannot. */
const healthOf = (worker: Worker): Health =>
  worker.attached || worker.held > 0
    ? { status: 'ok', reason: null }
    : { status: 'unavailable', reason: 'the worker is not registered in the ledger' };
