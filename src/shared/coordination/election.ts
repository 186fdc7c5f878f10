/**
 * One leading admin: campaign → term → lost. The leader's key lies on its lease, and the key's
 * modRevision is the term: every write of a leader is conditional on it, so a leader that was paused
 * writes nothing once another leads.
 */

import { WatcherError } from '../domain/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import { backoffMs, isAway, isLeaseLost } from './backoff.ts';
import { joinEpoch } from './epoch-record.ts';
import { Fence } from './fence.ts';
import { keepAlive, type LeaseTiming, pause } from './heartbeat.ts';
import type { Keys } from './keys.ts';
import type { Condition, KeyValueStore, Lease, Revision } from './kv.ts';
import { encodeLeader, isNewerRecord as isOfNewer } from './records.ts';

export interface Term {
  /** Part of every write of this leader. */
  readonly condition: Condition;
}

export interface ElectionOptions {
  readonly store: KeyValueStore;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: LeaseTiming;
  /** Of this admin, for people. */
  readonly id: string;
}

export class Election {
  readonly #options: ElectionOptions;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /**
   * Campaigns for as long as the signal allows, and runs `lead` once for each term; its signal aborts
   * when the term is over. Resolves when the signal aborts and `lead` has returned.
   */
  async run(
    lead: (term: Term, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#serve(lead, signal);
        failures = 0;
      } catch (error) {
        if (!isAway(error) && !isLeaseLost(error) && !isOfNewer(error)) throw error;
        failures += 1;
        await pause(this.#options.clock, backoffMs(failures, this.#options.random), signal);
      }
    }
  }

  async #serve(
    lead: (term: Term, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, keys, clock, random, timing } = this.#options;
    await this.#vacancy(signal);
    if (signal.aborted) return;
    await joinEpoch(this.#options);
    const lease = await store.lease(timing.ttlMs);
    const term = await this.#accede(lease);
    if (term === null) return lease.revoke();
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    const fence = new Fence(clock, timing.marginMs);
    const beat = async () => {
      const grant = await lease.renew();
      const { succeeded } = await store.commit([term.condition], []);
      if (!succeeded) throw new WatcherError('WCH_LEASE_LOST', `${keys.leader} is no longer ours`);
      return grant;
    };
    const kept = keepAlive({ clock, random, fence, heartbeatMs: timing.heartbeatMs, beat }, ended);
    const led = lead(term, ended);
    try {
      await Promise.race([kept, led]);
    } finally {
      over.abort();
      await Promise.allSettled([kept, led]);
      await lease.revoke();
    }
  }

  /** Resolves when nobody leads, or the signal aborts. A watch may be blind: it is asked again. */
  async #vacancy(signal: AbortSignal): Promise<void> {
    const { store, keys, clock, timing } = this.#options;
    while (!signal.aborted) {
      const { entries, revision } = await store.snapshot(keys.leader);
      if (entries.length === 0) return;
      const over = new AbortController();
      const ended = AbortSignal.any([signal, over.signal]);
      await Promise.race([
        this.#untilDeleted(revision, ended),
        pause(clock, timing.ttlMs, ended),
      ]).finally(() => over.abort());
    }
  }

  async #untilDeleted(after: Revision, signal: AbortSignal): Promise<void> {
    const { store, keys } = this.#options;
    for await (const event of store.watch(keys.leader, after, signal)) {
      if (event.kind === 'gap' || event.changes.some((change) => change.kind === 'delete')) return;
    }
  }

  /**
   * The race: several admins saw the vacancy; the key must be absent, so only the first put holds. An
   * answer that was lost is settled by who stands in the key: the lease is ours alone.
   */
  async #accede(lease: Lease): Promise<Term | null> {
    const { store, keys, id } = this.#options;
    const key = keys.leader;
    const absent = { key, modRevision: 0 };
    const termOf = (modRevision: Revision): Term => ({ condition: { key, modRevision } });
    try {
      const put = { kind: 'put', key, value: encodeLeader({ id }), lease: lease.id } as const;
      const { succeeded, revision } = await store.commit([absent], [put]);
      if (succeeded) return termOf(revision);
    } catch (error) {
      if (!isAway(error)) throw error;
    }
    const { entries } = await store.snapshot(key);
    const [leader] = entries;
    return leader?.lease === lease.id ? termOf(leader.modRevision) : null;
  }
}
