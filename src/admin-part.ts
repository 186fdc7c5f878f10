/** The admin role of a process, joined to the folder that it publishes and to the store. */

import { Admin } from './admin/admin.ts';
import { Audit } from './admin/audit.ts';
import type { FleetListener } from './admin/fleet.ts';
import { Publisher } from './admin/publisher.ts';
import { Steering } from './admin/steering.ts';
import { countOf, exposeCatalogue } from './exposed.ts';
import type { Ground } from './ground.ts';
import type { Part } from './part.ts';
import { openScaling, shortageIn } from './scaling-part.ts';
import { Election } from './shared/coordination/election.ts';
import { Publishing } from './shared/coordination/publishing.ts';
import type { Catalogue } from './shared/domain/catalogue.ts';
import type { CheckId, SelfDefinition } from './shared/domain/check.ts';
import type { Health, ReloadReport } from './shared/domain/status.ts';
import { problem, type Route } from './shared/http/route.ts';
import { reloadRoute } from './shared/http/routes.ts';
import { awayReason } from './store-part.ts';

/** Where the catalogue comes from: a folder, or URLs from the command line. */
export interface CatalogueSource {
  load(): Promise<Catalogue>;
  /** Calls back when `load` may have something new to say. */
  watch(onChange: () => void): AsyncDisposable;
}

export interface AdminSettings {
  readonly source: CatalogueSource;
}

export interface AdminPart extends Part {
  /** The catalogue as it was last loaded. */
  readonly catalogue: Catalogue;
  /**
   * Loads, and publishes while it leads; resolves when the ledger has it. `confirm` lets many checks
   * vanish at once.
   */
  reload(confirm: boolean): Promise<ReloadReport>;
}

export const openAdmin = async (ground: Ground, { source }: AdminSettings): Promise<AdminPart> => {
  const { log, meter } = ground;
  const stack = new AsyncDisposableStack();
  const scaling = openScaling(ground, stack);
  const admin = stack.use(adminOn(ground, scaling));
  let catalogue = await source.load();
  let keys: ReadonlyMap<CheckId, string> | null = null;
  let follow: (selves: readonly SelfDefinition[]) => void = () => {};
  exposeCatalogue(meter, () => catalogue);
  meter.observe('watcher.admin.leading', () => (admin.status.leading ? 1 : 0));
  const offer = (): void => {
    admin.offer(catalogue);
    follow(catalogue.selves);
  };
  const reload = async (confirm: boolean): Promise<ReloadReport> => {
    catalogue = await source.load();
    keys = null;
    offer();
    if (confirm) admin.confirm();
    await admin.published();
    const { published, held, waitingMs } = admin.status;
    const checks = published?.checks ?? catalogue.definitions.length;
    return { checks, ...countOf(catalogue.diagnostics), held, waitingMs };
  };
  return {
    get catalogue() {
      return catalogue;
    },
    reload,
    routes: [whileLeading(reloadRoute(reload), admin)],
    get health() {
      return healthOf(ground);
    },
    get standing() {
      const { leading, failing } = admin.status;
      return { leading, unpublished: leading ? failing : null, ...shortageIn(scaling.level) };
    },
    keyOf: (id) => {
      keys ??= new Map(catalogue.definitions.map((one) => [one.id, one.key]));
      return keys.get(id) ?? null;
    },
    start: (tell) => {
      follow = tell;
      offer();
      admin.start();
      const read = () => {
        reload(false).catch((err) => log.error('the folder cannot be read', { err }));
      };
      stack.use(source.watch(read));
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
};

const adminOn = (ground: Ground, listener: FleetListener): Admin => {
  const election = new Election({ ...ground, timing: ground.pool.timing });
  const publisher = new Publisher({ ...ground, publishing: new Publishing(ground) });
  const audit = new Audit({
    ...ground,
    onRepaired: (reason) => ground.meter.counter('watcher.ledger.repaired', { reason }).add(),
  });
  const steering = new Steering({
    ...ground,
    holdMs: ground.pool.timing.ttlMs,
    listener,
    onLost: () => ground.meter.counter('watcher.workers.lost').add(),
  });
  return new Admin({ ...ground, election, publisher, audit, steering });
};

/** A standby has nothing to do with what is asked of it, and must not keep it for the day it leads. */
const whileLeading = (route: Route, admin: Admin): Route => ({
  ...route,
  handle: (request) =>
    admin.status.leading
      ? route.handle(request)
      : problem(409, 'not_leading', 'this admin stands by: ask the one that leads'),
});

/** Leading or standing by, it is well; without the store it can do neither. */
const healthOf = ({ store, clock }: Ground): Health => {
  const away = awayReason(store, clock);
  if (away === null) return { status: 'ok', reason: null };
  return { status: 'unavailable', reason: `the store does not answer: ${away}` };
};
