/** The one list of proofs, in the order of docs/faults.md. */

import { blockedLoop } from './blocked-loop.ts';
import { claimRace } from './claim-race.ts';
import { cutOffWorker } from './cut-off-worker.ts';
import { deadResolver } from './dead-resolver.ts';
import { etcdAway } from './etcd-away.ts';
import { etcdLeaderKilled } from './etcd-leader-killed.ts';
import { etcdWrites } from './etcd-writes.ts';
import { failoverWorker } from './failover-worker.ts';
import { fewDescriptors } from './few-descriptors.ts';
import { fullDisk } from './full-disk.ts';
import { hookOnce } from './hook-once.ts';
import { hostileLedger } from './hostile-ledger.ts';
import { hostileSinks } from './hostile-sinks.ts';
import { idlePool } from './idle-pool.ts';
import { keptSockets } from './kept-sockets.ts';
import { killedWithResults } from './killed-with-results.ts';
import { noRoute } from './no-route.ts';
import { originalFiles } from './original-files.ts';
import { overloadedWorker } from './overloaded-worker.ts';
import { pausedWorker } from './paused-worker.ts';
import { poisonJob } from './poison-job.ts';
import { rollingRestart } from './rolling-restart.ts';
import type { Row } from './row.ts';
import { secondWorker } from './second-worker.ts';
import { secretsInSinks } from './secrets-in-sinks.ts';
import { simulatedFleet } from './simulated-fleet.ts';
import { simulation } from './simulation.ts';
import { sinkDown } from './sink-down.ts';
import { slowingTarget } from './slowing-target.ts';
import { tarpitHost } from './tarpit-host.ts';
import { twoStores } from './two-stores.ts';
import { unreachableEndpoint } from './unreachable-endpoint.ts';
import { wedgedWorker } from './wedged-worker.ts';

/** What checks see. */
export const PROBE_ROWS: readonly Row[] = [
  keptSockets,
  blockedLoop,
  fewDescriptors,
  deadResolver,
  noRoute,
];

/** What becomes of their results. */
export const SINK_ROWS: readonly Row[] = [
  sinkDown,
  killedWithResults,
  fullDisk,
  hostileSinks,
  secretsInSinks,
];

/** A pool and its etcd. */
export const POOL_ROWS: readonly Row[] = [
  failoverWorker,
  etcdLeaderKilled,
  etcdAway,
  pausedWorker,
  cutOffWorker,
  unreachableEndpoint,
  rollingRestart,
  etcdWrites,
  hostileLedger,
];

/** A pool that is to be kept on time. */
export const SCALING_ROWS: readonly Row[] = [
  idlePool,
  secondWorker,
  overloadedWorker,
  hookOnce,
  slowingTarget,
  tarpitHost,
  wedgedWorker,
  poisonJob,
];

/** What a pool stands on; smaller versions are suites of their own. */
export const LAYER_ROWS: readonly Row[] = [simulation, simulatedFleet, twoStores, claimRace];

/** `original-files` is a test file of its own, for longer. */
export const ROWS: readonly Row[] = [
  ...PROBE_ROWS,
  originalFiles,
  ...SINK_ROWS,
  ...POOL_ROWS,
  ...SCALING_ROWS,
  ...LAYER_ROWS,
];
