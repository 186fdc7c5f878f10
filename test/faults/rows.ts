/** The one list of proofs, in the order of docs/faults.md. */

import { blockedLoop } from './blocked-loop.ts';
import { deadResolver } from './dead-resolver.ts';
import { fewDescriptors } from './few-descriptors.ts';
import { fullDisk } from './full-disk.ts';
import { hostileSinks } from './hostile-sinks.ts';
import { keptSockets } from './kept-sockets.ts';
import { killedWithResults } from './killed-with-results.ts';
import { noRoute } from './no-route.ts';
import { originalFiles } from './original-files.ts';
import type { Row } from './row.ts';
import { secretsInSinks } from './secrets-in-sinks.ts';
import { sinkDown } from './sink-down.ts';

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

/** `original-files` is a test file of its own, for longer. */
export const ROWS: readonly Row[] = [...PROBE_ROWS, originalFiles, ...SINK_ROWS];
