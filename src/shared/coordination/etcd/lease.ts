/**
 * A lease of etcd's: grant → **renew**, each time by one call with a deadline. The client library's own
 * renewing is not used: it notices a lost lease one to two TTLs too late.
 */

import type { CallOptions } from '@grpc/grpc-js';
import {
  castGrpcError,
  type Etcd3,
  GRPCUnavailableError,
  type ILeaseKeepAliveResponse,
} from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { isLeaseLost } from '../backoff.ts';
import type { Lease, LeaseId } from '../kv.ts';
import type { Calls } from './calls.ts';

export interface EtcdLeaseOptions {
  readonly id: LeaseId;
  readonly ttlMs: number;
  readonly calls: Calls;
  readonly clock: Clock;
  readonly callMs: number;
  /** Aborts when etcd is no longer the one that granted it. */
  readonly epochEnded: AbortSignal | null;
}

export class EtcdLease implements Lease {
  readonly id: LeaseId;
  readonly ttlMs: number;
  readonly #options: EtcdLeaseOptions;

  constructor(options: EtcdLeaseOptions) {
    this.id = options.id;
    this.ttlMs = options.ttlMs;
    this.#options = options;
  }

  async renew(): Promise<{ ttlMs: number; sentAt: number }> {
    const { calls, clock, callMs, epochEnded } = this.#options;
    if (epochEnded?.aborted)
      throw new WatcherError('WCH_LEASE_LOST', `${this.id} is of an etcd before this one`);
    const plan = { what: 'renewing a lease', withinMs: callMs, repeatable: true };
    const { TTL, sentAt } = await calls.ask(plan, async (client, options) => {
      // Of the try that is answered: an earlier one may not have arrived.
      const sentAt = clock.monotonicMs();
      return { ...(await keepAliveOnce(client, this.id, options)), sentAt };
    });
    const seconds = Number(TTL);
    if (seconds <= 0) throw new WatcherError('WCH_LEASE_LOST', `lease ${this.id} has ended`);
    return { ttlMs: seconds * 1000, sentAt };
  }

  async revoke(): Promise<void> {
    const { calls, callMs, epochEnded } = this.#options;
    if (epochEnded?.aborted) return;
    const plan = { what: 'revoking a lease', withinMs: callMs, repeatable: true };
    try {
      await calls.ask(plan, (client, options) =>
        client.leaseClient.leaseRevoke({ ID: this.id }, options),
      );
    } catch (error) {
      if (!isLeaseLost(error)) throw error;
    }
  }
}

/** Its TTL is the seconds left from now on; 0 or less when the lease is gone. */
const keepAliveOnce = async (
  client: Etcd3,
  id: LeaseId,
  options: CallOptions,
): Promise<ILeaseKeepAliveResponse> => {
  const stream = await client.leaseClient.leaseKeepAlive(options);
  return new Promise((resolve, reject) => {
    stream.on('data', (answer) => {
      resolve(answer);
      stream.end();
    });
    stream.on('error', (error) => reject(castGrpcError(error)));
    stream.on('end', () => reject(new GRPCUnavailableError('14 UNAVAILABLE: ended unanswered')));
    stream.write({ ID: id });
  });
};
