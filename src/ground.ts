/** What each process stands on, whatever its roles: its name, its store, its way to the sinks. */

import { lookup } from 'node:dns/promises';
import { type Outlets, openOutlets } from './outlets.ts';
import { isAway } from './shared/coordination/backoff.ts';
import { joinEpoch } from './shared/coordination/epoch-record.ts';
import { Keys } from './shared/coordination/keys.ts';
import type { PoolSettings } from './shared/domain/pool-settings.ts';
import type { SinkSettings } from './shared/domain/sink-settings.ts';
import { type ListenAddress, serves } from './shared/http/listen.ts';
import type { Clock } from './shared/runtime/clock.ts';
import { EventLoopMonitor } from './shared/runtime/event-loop.ts';
import type { Log } from './shared/runtime/log.ts';
import { Meter } from './shared/runtime/meter.ts';
import type { Random } from './shared/runtime/random.ts';
import { createSecrets, type Secrets } from './shared/secrets/resolve.ts';
import { readPoolKey, type Sealer, sealerOf } from './shared/secrets/sealing.ts';
import type { Sink } from './shared/sinks/sink.ts';
import { openStore, type Store } from './store-part.ts';

/** What the parts are given as it was given to the process. */
interface Base {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly version: string;
  /** With `etcd: null` the process is alone. */
  readonly pool: PoolSettings;
  /** What the process itself shows. */
  readonly sinks: readonly Sink[];
  /** `HOST:PORT:ADDRESS:PORT`, as in curl. */
  readonly connectTo: readonly string[];
  /** What `${env:NAME}` refers to. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears of each secret before it is used, so that no text can show it. */
  readonly onSecret: (value: string) => void;
  /** Takes them out of what others have said. */
  readonly redact: (text: string) => string;
}

export interface GroundOptions extends Base {
  /** Null: results are shown, and posted nowhere. */
  readonly outlets: OutletSettings | null;
}

/** Where results are posted besides what check files say, and where they wait when they cannot be. */
export interface OutletSettings {
  readonly sinks: readonly SinkSettings[];
  /** Null: undelivered results are kept in memory, and lost with the process. */
  readonly stateFolder: string | null;
  /** How long what is undelivered is still sent on the way out. */
  readonly finishMs: number;
}

export interface Ground extends Base {
  /** Fresh with each start: of the process as a worker, and as an admin. */
  readonly id: string;
  readonly meter: Meter;
  readonly loop: EventLoopMonitor;
  readonly secrets: Secrets;
  /** Undefined where nothing leaves the process. */
  readonly sealer: Sealer | undefined;
  readonly outlets: Outlets | null;
  readonly store: Store;
  readonly keys: Keys;
  /** Where it listens; null before, and for one that does not. */
  readonly place: { listening: ListenAddress | null };
  /** Whether a check that connects there would test watcher itself. */
  readonly isOwn: (address: string, port: number, path: string) => boolean;
}

/** Resolves when the store answers, which may take as long as it likes. */
export const openGround = async (
  options: GroundOptions,
  stack: AsyncDisposableStack,
): Promise<Ground> => {
  const { clock, random, env, onSecret, pool } = options;
  const id = random.uuid();
  const poolKey = pool.etcd && pool.poolKey !== null ? readPoolKey(pool.poolKey) : null;
  const secrets = createSecrets({ clock, env, onValue: onSecret, poolKey: poolKey ?? undefined });
  const outlets =
    options.outlets && openOutlets({ ...options, ...options.outlets, secrets, worker: id });
  if (outlets !== null) stack.use(outlets);
  const keys = new Keys(pool.prefix);
  const store = await openStore({ ...options, secrets, keys }, stack);
  await refuseNewer({ store, keys, random });
  const etcd = await addressesOf(pool.etcd?.endpoints ?? []);
  const place: Ground['place'] = { listening: null };
  const isOwn: Ground['isOwn'] = (address, port, path) => {
    const { listening } = place;
    if (listening?.port === port && serves(listening.host, address)) return path !== '/healthz';
    return etcd.has(`${address} ${port}`) || outlets?.uses(address, port) === true;
  };
  const meter = new Meter();
  const loop = stack.use(new EventLoopMonitor({ clock, meter }));
  const sealer = pool.etcd === null ? undefined : sealerOf(poolKey);
  return { ...options, id, meter, loop, secrets, sealer, outlets, store, keys, place, isOwn };
};

/** A process that is older than its pool ends before it does anything; roles that join later wait. */
const refuseNewer = async (pool: Parameters<typeof joinEpoch>[0]): Promise<void> => {
  try {
    await joinEpoch(pool);
  } catch (error) {
    if (!isAway(error)) throw error;
  }
};

/** As a connection would meet them; a name that does not resolve now is met by nobody else either. */
const addressesOf = async (endpoints: readonly string[]): Promise<ReadonlySet<string>> => {
  const found = await Promise.all(
    endpoints.map(async (endpoint) => {
      const { hostname, port } = new URL(endpoint);
      const all = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []);
      return all.map(({ address }) => `${address} ${port}`);
    }),
  );
  return new Set(found.flat());
};
