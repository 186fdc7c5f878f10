/** What a process is given, and says of itself, that is no part of a pool. */

import { LEASE_TIMING } from '../../src/shared/coordination/heartbeat.ts';
import type { PoolSettings } from '../../src/shared/domain/pool-settings.ts';
import type { PoolStanding } from '../../src/shared/domain/status.ts';

export const ALONE: PoolSettings = {
  etcd: null,
  prefix: '/watcher/v1/',
  zone: null,
  onCoordinationLoss: 'run',
  poolKey: null,
  timing: LEASE_TIMING,
  scaling: {
    mode: 'rebalance',
    pool: 'watcher',
    waitingGraceMs: 10_000,
    command: null,
    webhook: null,
  },
};

export const WELL: PoolStanding = {
  attached: true,
  leading: true,
  unpublished: null,
  shortage: null,
  quarantined: 0,
  storeAway: null,
};
