/**
 * The store of a process: in memory for one that is alone, else etcd, waited for where it is away.
 * Everything above it knows the port only.
 */

import { backoffMs } from './shared/coordination/backoff.ts';
import { warningsOf } from './shared/coordination/etcd/warnings.ts';
import type { Keys } from './shared/coordination/keys.ts';
import type { KeyValueStore } from './shared/coordination/kv.ts';
import { type EtcdStore, openEtcdStore } from './shared/coordination/kv-etcd.ts';
import { MemoryStore } from './shared/coordination/kv-memory.ts';
import { WatcherError } from './shared/domain/errors.ts';
import type { EtcdSettings, PoolSettings } from './shared/domain/pool-settings.ts';
import type { Clock, Timer } from './shared/runtime/clock.ts';
import type { Log } from './shared/runtime/log.ts';
import type { Random } from './shared/runtime/random.ts';
import type { Secrets } from './shared/secrets/resolve.ts';

export interface StoreParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly pool: PoolSettings;
  readonly keys: Keys;
}

/** `outage`: since when, and why, calls fail; null while they are answered. */
export type Store = KeyValueStore & Partial<Pick<EtcdStore, 'outage'>>;

/** Why the store does not answer, once that has lasted; null while it does. One call may fail. */
export const awayReason = (store: Store, clock: Clock): string | null => {
  const { outage } = store;
  if (!outage || clock.monotonicMs() - outage.since < HICCUP_MS) return null;
  return outage.reason;
};

/** While etcd is away, at start: often enough to be seen, not so often as to fill a disk. */
const TELL_AGAIN_MS = 30_000;
const HICCUP_MS = 2_000;
const EXAMINE_AGAIN_MS = 3_600_000;

/** Throws what only a person can mend: WCH_SETTINGS, WCH_SECRET, WCH_STORE_UNAVAILABLE. */
export const openStore = async (parts: StoreParts, stack: AsyncDisposableStack): Promise<Store> => {
  const { etcd } = parts.pool;
  if (etcd === null) return stack.use(new MemoryStore(parts));
  const store = stack.use(await waitedFor(parts, etcd));
  stack.use(new Examination(store, parts));
  return store;
};

const waitedFor = async (parts: StoreParts, etcd: EtcdSettings): Promise<EtcdStore> => {
  const { clock, random, log } = parts;
  let toldAt: number | null = null;
  for (let failures = 1; ; failures += 1) {
    try {
      const store = await connected(parts, etcd);
      if (toldAt !== null) log.info('etcd answers');
      return store;
    } catch (err) {
      if (!(err instanceof WatcherError && err.retryable)) throw err;
      const now = clock.monotonicMs();
      if (toldAt === null || now - toldAt >= TELL_AGAIN_MS) {
        toldAt = now;
        log.warn(
          'etcd does not answer, and is waited for: see that it runs, that --etcd names it and that the network lets it through',
          { etcd: etcd.endpoints, err },
        );
      }
      await clock.sleep(backoffMs(failures, random));
    }
  }
};

const connected = (
  { clock, random, secrets, pool, keys }: StoreParts,
  { endpoints, tls, auth }: EtcdSettings,
): Promise<EtcdStore> =>
  openEtcdStore({
    clock,
    random,
    endpoints,
    ...(tls === null ? {} : { tls }),
    ...(auth === null ? {} : { auth: { ...auth, password: secrets.resolve(auth.password) } }),
    readableKey: keys.epoch,
    timing: { callMs: pool.timing.callMs },
  });

/** Tells in the log, at start and every hour, what of etcd will need a person. */
class Examination implements Disposable {
  readonly #store: EtcdStore;
  readonly #parts: StoreParts;
  #timer: Timer | null = null;
  #ended = false;

  constructor(store: EtcdStore, parts: StoreParts) {
    this.#store = store;
    this.#parts = parts;
    void this.#examine();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  async #examine(): Promise<void> {
    const { clock, log } = this.#parts;
    try {
      const health = await this.#store.health();
      if (!this.#ended) for (const warning of warningsOf(health, clock.now())) log.warn(warning);
    } catch (err) {
      log.warn('etcd cannot be examined', { err });
    }
    if (!this.#ended) this.#timer = clock.after(EXAMINE_AGAIN_MS, () => void this.#examine());
  }
}
