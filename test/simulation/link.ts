/**
 * One process's way to the store, and what can be wrong with it: requests that never arrive, answers
 * that never come back, calls that take long or are carried out twice, renewals that lie, watches that
 * are late, say things twice or lose their place. Every call is a place at which its process can die,
 * before it or after it.
 */

import type {
  Commit,
  Condition,
  KeyValueStore,
  Lease,
  LeaseId,
  Operation,
  Read,
  Revision,
  WatchEvent,
} from '../../src/shared/coordination/kv.ts';
import { WatcherError } from '../../src/shared/domain/errors.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import type { Etcd } from './etcd.ts';
import type { ProcessClock, WorldClock } from './process-clock.ts';
import { Watch } from './watch.ts';

/** What an adapter allows one call before it gives up on it. */
export const CALL_MS = 1000;

/** Shares of calls. */
export interface Flakiness {
  readonly request: number;
  readonly answer: number;
  readonly repeated: number;
  readonly slow: number;
}

export interface Death {
  calls: number;
  readonly when: 'before' | 'after';
  /** Only calls that write such keys count. */
  readonly prefix?: string;
}

export interface LinkOptions {
  readonly world: WorldClock;
  readonly etcd: Etcd;
  readonly clock: ProcessClock;
  readonly random: Random;
  readonly onCommit: (call: CommitCall, outcome: Commit) => void;
}

/** A commit as the store sees it. */
export interface CommitCall {
  readonly when: readonly Condition[];
  readonly then: readonly Operation[];
  /** World time at which its process sent it. */
  readonly sentAt: number;
}

const unavailable = (what: string): WatcherError =>
  new WatcherError('WCH_STORE_UNAVAILABLE', what, { retryable: true });

const leaseLost = (id: LeaseId): WatcherError => new WatcherError('WCH_LEASE_LOST', id);

export class Link implements KeyValueStore {
  /** Nothing gets through: calls fail at once, or only when their time is up. */
  cut: 'refused' | 'silent' | null = null;
  flaky: Flakiness | null = null;
  /** Renewals are answered with success whatever became of the lease. */
  lies = false;
  /** How late watches are. */
  watchDelayMs = 0;
  /** Share of changes that a watch says again. */
  doubled = 0;
  /** Share of changes that a watch passes over, and nothing says so. */
  skipped = 0;
  /** Its process dies at one of the next calls. */
  dieAt: Death | null = null;
  /** What its heartbeats say of its scheduler, whatever is true. */
  overdueMs: number | null = null;
  /** The lease granted last. */
  granted: LeaseId | null = null;
  onDeath: () => void = () => {};
  readonly #options: LinkOptions;
  readonly #watches = new Set<Watch>();
  #epoch: number;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#epoch = options.etcd.epoch;
  }

  get isSound(): boolean {
    return this.cut === null && this.flaky === null && !this.lies && this.watchDelayMs === 0;
  }

  get standsStill(): boolean {
    return this.cut !== null || this.#options.etcd.isDown;
  }

  /** Hands over what has been held back. */
  flush(): void {
    for (const watch of this.#watches) watch.flush();
  }

  /** Watches are told that they have lost their place. */
  loseWatches(): void {
    for (const watch of this.#watches) watch.lose();
  }

  snapshot(prefix: string) {
    return this.#call(() => this.#options.etcd.snapshot(prefix));
  }

  changes(prefix: string, since: Revision) {
    return this.#call(() => this.#options.etcd.changes(prefix, since));
  }

  commit(
    when: readonly Condition[],
    then: readonly Operation[],
    otherwise?: readonly Read[],
  ): Promise<Commit> {
    const { etcd, onCommit, world } = this.#options;
    const call: CommitCall = { when, then, sentAt: world.monotonicMs() };
    const exec = async () => {
      const sent = then.map((operation) => this.#disguised(operation));
      const outcome = await etcd.commit(when, sent, otherwise);
      onCommit(call, outcome);
      return outcome;
    };
    return this.#call(exec, then);
  }

  async lease(ttlMs: number): Promise<Lease> {
    const { etcd, clock } = this.#options;
    const lease = await this.#call(() => etcd.grant(ttlMs));
    const { id } = lease;
    const epoch = this.#epoch;
    this.granted = id;
    return {
      id,
      ttlMs,
      renew: async () => {
        if (epoch !== this.#epoch) throw leaseLost(id);
        const sentAt = clock.monotonicMs();
        await this.#call(() => (this.lies ? lease.renew().catch(() => null) : lease.renew()));
        return { ttlMs, sentAt };
      },
      revoke: async () => {
        if (epoch === this.#epoch) await this.#call(() => lease.revoke());
      },
    };
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const watch = new Watch({ ...this.#options, link: this, prefix, after });
    this.#watches.add(watch);
    watch.begin();
    const end = () => {
      this.#watches.delete(watch);
      watch.end();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    const done = async (): Promise<IteratorResult<WatchEvent>> => {
      signal.removeEventListener('abort', end);
      end();
      return { done: true, value: undefined };
    };
    return { [Symbol.asyncIterator]: () => ({ next: () => watch.next(), return: done }) };
  }

  /** Its process is gone. */
  close(): void {
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #disguised(operation: Operation): Operation {
    if (this.overdueMs === null || operation.kind !== 'put') return operation;
    if (!operation.key.includes('/hb/')) return operation;
    const beat = JSON.parse(operation.value.toString());
    const load = { ...beat.load, overdueMs: this.overdueMs };
    return { ...operation, value: Buffer.from(JSON.stringify({ ...beat, load })) };
  }

  #call<T>(exec: () => Promise<T>, writes: readonly Operation[] = []): Promise<T> {
    const { clock } = this.#options;
    if (clock.isDead || this.#diesNow('before', writes)) return new Promise(() => {});
    return this.#try(async () => {
      const outcome = await exec();
      this.#diesNow('after', writes);
      return outcome;
    });
  }

  #try<T>(exec: () => Promise<T>): Promise<T> {
    const { random } = this.#options;
    const luck = this.flaky === null ? 1 : random.next();
    const { request = 0, answer = 0, repeated = 0, slow = 0 } = this.flaky ?? {};
    if (luck < request) return this.#lost();
    if (luck < request + answer) return this.#unanswered(exec);
    if (luck < request + answer + repeated)
      return this.#send(() => exec().then(exec), this.#latency());
    if (luck < request + answer + repeated + slow)
      return this.#send(exec, random.next() * 1.5 * CALL_MS);
    return this.#send(exec, this.#latency());
  }

  #latency(): number {
    return 0.2 + 4 * this.#options.random.next() ** 3;
  }

  #lost(): Promise<never> {
    const { clock, random } = this.#options;
    const isQuick = this.cut === 'refused' || random.next() < 0.3;
    return new Promise((_, reject) => {
      clock.after(isQuick ? 1 : CALL_MS, () => reject(unavailable('the request was lost')));
    });
  }

  async #unanswered(exec: () => Promise<unknown>): Promise<never> {
    await this.#send(exec, this.#latency()).catch(() => undefined);
    return this.#lost();
  }

  /** Carried out now and answered later, or carried out later and answered then. */
  #send<T>(exec: () => Promise<T>, latencyMs: number): Promise<T> {
    if (this.standsStill) return this.#lost();
    const { clock, world, random } = this.#options;
    const startedAt = clock.monotonicMs();
    const epoch = this.#epoch;
    return new Promise((resolve, reject) => {
      const answer = (done: () => void) => {
        clock.deliver(() => {
          if (this.#epoch !== epoch) reject(unavailable('etcd went back while it was asked'));
          else if (clock.monotonicMs() - startedAt <= CALL_MS) done();
          else reject(unavailable('no answer in time'));
        });
      };
      const run = () => this.#arrive(exec);
      const settle = (promise: Promise<T>) =>
        promise.then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
      if (random.next() < 0.5) {
        const outcome = run();
        outcome.catch(() => undefined);
        world.after(latencyMs, () => settle(outcome));
      } else world.after(latencyMs, () => settle(run()));
      if (latencyMs > CALL_MS) clock.after(CALL_MS, () => reject(unavailable('no answer in time')));
    });
  }

  async #arrive<T>(exec: () => Promise<T>): Promise<T> {
    const { etcd } = this.#options;
    if (this.standsStill) throw unavailable('the connection broke');
    if (this.#epoch !== etcd.epoch) {
      this.#epoch = etcd.epoch;
      for (const watch of this.#watches) watch.lapse();
      throw unavailable('etcd went back');
    }
    return exec();
  }

  #diesNow(when: Death['when'], writes: readonly Operation[]): boolean {
    if (this.dieAt?.when !== when) return false;
    const { prefix } = this.dieAt;
    const counts = (one: Operation): boolean =>
      one.kind === 'put' && one.key.startsWith(prefix ?? '');
    if (prefix !== undefined && !writes.some(counts)) return false;
    this.dieAt.calls -= 1;
    if (this.dieAt.calls > 0) return false;
    this.dieAt = null;
    this.onDeath();
    return true;
  }
}
