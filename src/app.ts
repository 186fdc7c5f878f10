/**
 * The composition root: the only place that joins roles to adapters, with the files beside it that it
 * is split into. A process is its parts, on common ground; no part can tell which others there are, nor
 * whether the store is in memory or a pool's.
 */

import { hostname } from 'node:os';
import { type AdminPart, type AdminSettings, openAdmin } from './admin-part.ts';
import { exposeFlow } from './exposed.ts';
import { type Ground, type GroundOptions, openGround } from './ground.ts';
import type { Part } from './part.ts';
import { openPoolView, type PoolView } from './pool-view.ts';
import type { Health, PoolStanding, SelfSource } from './shared/domain/status.ts';
import type { ListenAddress, TlsFiles } from './shared/http/listen.ts';
import { healthRoute, metricsRoute, selfRoute } from './shared/http/routes.ts';
import { startHttpServer } from './shared/http/server.ts';
import type { Meter } from './shared/runtime/meter.ts';
import { type ResultFlow, SelfMonitor } from './shared/runtime/self-monitor.ts';
import { Watchdog } from './shared/runtime/watchdog.ts';
import { SelfPosts } from './shared/sinks/self-posts.ts';
import { awayReason } from './store-part.ts';
import { openWorker, type WorkerPart, type WorkerSettings } from './worker-part.ts';

export type { CatalogueSource } from './admin-part.ts';
export type { WorkerSettings } from './worker-part.ts';

export interface ProcessOptions extends GroundOptions {
  /** Null: no listener, as for a command that ends by itself. */
  readonly listen: ListenAddress | null;
  /** Both are needed to listen on another address than loopback. */
  readonly tls?: TlsFiles | undefined;
  readonly token?: string | undefined;
  /** After how long of standing still the process is ended, to be started anew; without it, never. */
  readonly standstillMs?: number;
}

export interface WorkerOptions extends ProcessOptions, WorkerSettings {}
export interface AdminOptions extends ProcessOptions, AdminSettings {}
export interface AppOptions extends WorkerOptions, AdminOptions {}

export interface Process extends AsyncDisposable {
  readonly self: SelfSource;
  readonly meter: Meter;
  /** `http://127.0.0.1:9464`, or null without a listener. */
  readonly url: string | null;
}

export interface WorkerApp extends Process, Pick<WorkerPart, 'status'> {}
export interface AdminApp extends Process, Pick<AdminPart, 'catalogue' | 'reload'> {}
export interface App extends WorkerApp, AdminApp {}

/** Both roles in one process. */
export const startApp = async (options: AppOptions): Promise<App> => {
  const { process, parts } = await start(options, async (ground) => [
    await openAdmin(ground, options),
    openWorker(ground, options),
  ]);
  const [admin, worker] = parts;
  return {
    ...process,
    status: worker.status,
    reload: admin.reload,
    get catalogue() {
      return admin.catalogue;
    },
  };
};

export const startWorker = async (options: WorkerOptions): Promise<WorkerApp> => {
  const { process, parts } = await start(options, (ground) => [openWorker(ground, options)]);
  return { ...process, status: parts[0].status };
};

export const startAdmin = async (options: AdminOptions): Promise<AdminApp> => {
  const { process, parts } = await start(options, async (ground) => [
    await openAdmin(ground, options),
  ]);
  const [admin] = parts;
  return {
    ...process,
    reload: admin.reload,
    get catalogue() {
      return admin.catalogue;
    },
  };
};

interface Started<P> {
  readonly process: Process;
  readonly parts: P;
}

type Parts = readonly [Part, ...Part[]];

const start = async <const P extends Parts>(
  options: ProcessOptions,
  open: (ground: Ground) => P | Promise<P>,
): Promise<Started<P>> => {
  const stack = new AsyncDisposableStack();
  try {
    const ground = await openGround(options, stack);
    const parts = await open(ground);
    return { process: await compose(options, { ground, parts, stack }), parts };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
};

/**
 * Parts are registered in the order in which they must outlive each other: the roles end first, the
 * worker, which hands back what it runs, before the admin, which resigns; what shows results, the
 * listener, the store and the way to the sinks go last.
 */
const compose = async (
  options: ProcessOptions,
  { ground, parts, stack }: { ground: Ground; parts: Parts; stack: AsyncDisposableStack },
): Promise<Process> => {
  const { clock, log, version, listen, sinks, standstillMs: limitMs } = options;
  const { id, meter, place } = ground;
  const overdueMs = () => Math.max(...parts.map((part) => part.overdueMs ?? 0));
  if (limitMs !== undefined) stack.use(new Watchdog({ clock, log, limitMs, overdueMs }));
  const flow = flowOf(ground);
  exposeFlow(meter, flow);
  const standing = () => standingOf(ground, parts);
  const self = stack.use(new SelfMonitor({ clock, meter, worker: id, version, flow, standing }));
  const isGuarded = options.token !== undefined;
  const view = stack.use(viewOf(ground, { parts, isGuarded }));
  const routes = [
    healthRoute(() => healthOf(parts)),
    metricsRoute(meter),
    selfRoute(self),
    ...view.routes,
    ...parts.flatMap((part) => part.routes),
  ];
  const server = listen && stack.use(await startHttpServer({ ...options, listen, routes }));
  place.listening = server?.address ?? null;
  for (const sink of sinks) stack.use(sink);
  const posts = selfPostsOf(ground, self);
  if (posts !== null) stack.use(posts);
  for (const part of parts) {
    stack.use(part);
    part.start((selves) => posts?.follow(selves));
  }
  return {
    self,
    meter,
    url: server?.url ?? null,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

const viewOf = (
  ground: Ground,
  { parts, isGuarded }: { readonly parts: Parts; readonly isGuarded: boolean },
): PoolView => {
  const { store, sealer } = ground;
  return openPoolView({
    ...ground,
    isGuarded,
    awaySince: () => store.outage?.since ?? null,
    keyOf: (id) => parts.map((part) => part.keyOf(id)).find((key) => key !== null) ?? null,
    seal: sealer?.seal ?? ((spec) => spec),
  });
};

const flowOf = ({ sinks, outlets }: Ground): ResultFlow => {
  const all = outlets ? [...sinks, outlets.router] : sinks;
  return {
    get views() {
      return all.flatMap((sink) => sink.views);
    },
    get spool() {
      return outlets?.router.spool ?? null;
    },
  };
};

const selfPostsOf = (ground: Ground, self: SelfSource): SelfPosts | null => {
  const { clock, meter, id: worker, outlets } = ground;
  if (outlets === null) return null;
  const { router } = outlets;
  return new SelfPosts({ clock, meter, self, router, host: hostname(), worker });
};

const standingOf = ({ store, clock }: Ground, parts: Parts): PoolStanding => ({
  attached: null,
  leading: null,
  unpublished: null,
  shortage: null,
  quarantined: 0,
  storeAway: awayReason(store, clock),
  ...Object.assign({}, ...parts.map((part) => part.standing)),
});

const OK: Health = { status: 'ok', reason: null };

const healthOf = (parts: Parts): Health =>
  parts.map((part) => part.health).find(({ status }) => status !== 'ok') ?? OK;
