/** Checks for tests: everything has a plain default, a test names what it is about. */

import type {
  CheckDefinition,
  CheckId,
  HttpSpec,
  JobsetId,
  Schedule,
} from '../../src/shared/domain/check.ts';
import {
  nothingDropped,
  type ResultEmission,
  type ScalingEmission,
  type ScalingEvent,
  type SelfEmission,
} from '../../src/shared/domain/delivery.ts';
import type { Handover, WorkerLoad } from '../../src/shared/domain/jobset.ts';
import type { Answer, Result } from '../../src/shared/domain/result.ts';
import type { SinkView } from '../../src/shared/domain/status.ts';
import type { ResultFlow } from '../../src/shared/runtime/self-monitor.ts';
import type { LoopLoad } from '../../src/worker/load-meter.ts';
import type { HeldJobset } from '../../src/worker/workload.ts';

export const aSpec = (
  overrides: Partial<Omit<HttpSpec, 'schedule' | 'request'>> & {
    schedule?: Partial<Schedule>;
    request?: Partial<HttpSpec['request']>;
  } = {},
): HttpSpec => ({
  kind: 'http',
  values: [],
  assertions: [],
  failAfter: 1,
  onCoordinationLoss: 'run',
  ...overrides,
  schedule: { cron: '* * * * *', timezone: 'UTC', splayMs: 0, ...overrides.schedule },
  request: {
    scheme: 'http',
    method: 'GET',
    headers: [],
    timeoutMs: 10_000,
    followRedirects: 5,
    ipFamily: 'any',
    connection: 'fresh',
    ...overrides.request,
  },
});

export const aCheck = (key: string, spec: HttpSpec = aSpec()): CheckDefinition => ({
  id: `id-of-${key}` as CheckId,
  key,
  spec,
});

export const aJobset = (
  definitions: readonly CheckDefinition[],
  options: { id?: string; token?: string; handover?: Handover | null } = {},
): HeldJobset => {
  const { id = 'jobset', token = '1', handover = { progress: null, states: {} } } = options;
  return { claim: { jobset: id as JobsetId, token }, definitions, handover };
};

export const anAnswer = (overrides: Partial<Answer> = {}): Answer => ({
  kind: 'answer',
  host: 'host',
  durationMs: 5,
  phases: { first_byte: 4, body: 1 },
  statusCode: 200,
  headers: {},
  body: Buffer.from('{"status":"ok"}'),
  oversize: false,
  ...overrides,
});

/** Results go nowhere. */
export const noFlow: ResultFlow = { views: [], spool: null };

export const aSinkView = (overrides: Partial<SinkView> = {}): SinkView => ({
  sink: 'datadog series',
  produced: 0,
  delivered: 0,
  pending: 0,
  dropped: nothingDropped(),
  retried: 0,
  calls: 0,
  lagMs: 0,
  failing: null,
  ...overrides,
});

export const TICK = Date.UTC(2026, 0, 1);

export const aResult = (overrides: Partial<Result> = {}): Result => ({
  id: 'id-of-a' as CheckId,
  check: 'a/',
  tick: TICK,
  start: TICK + 3,
  latenessMs: 3,
  durationMs: 12.3456789,
  phases: { dns: 0, connect: 1.23456 },
  status: 'ok',
  code: null,
  reason: null,
  values: { status: 'ok' },
  worker: 'w1',
  token: '7',
  detached: false,
  ...overrides,
});

export const anEmission = (
  overrides: Partial<Result> = {},
  transition: ResultEmission['transition'] = null,
): ResultEmission => ({ kind: 'result', result: aResult(overrides), transition });

export const aSelfEmission = (overrides: Partial<SelfEmission> = {}): SelfEmission => ({
  kind: 'self',
  at: TICK,
  host: 'host-1',
  status: 'ok',
  findings: [],
  samples: [],
  ...overrides,
});

/** An event loop with nothing to do. */
export const IDLE_LOOP: LoopLoad = { utilisation: 0, p99Ms: 0 };

/** Of a worker that holds nothing. */
export const NO_LOAD: WorkerLoad = {
  places: 0,
  loop: 0,
  behind: 0,
  latenessP99Ms: null,
  overdueMs: 0,
  slowHosts: [],
};

/** As the leader of a pool announces that workers are missing. */
export const aScalingEmission = (
  overrides: Partial<ScalingEmission> = {},
  event: Partial<ScalingEvent> | null = {},
): ScalingEmission => ({
  kind: 'scaling',
  at: TICK,
  pool: 'eu-checks',
  samples: [
    {
      name: 'watcher.scaling.capacity_utilization',
      kind: 'gauge',
      unit: 'percent',
      labels: { pool: 'eu-checks' },
      value: 142.5,
    },
    {
      name: 'watcher.scaling.desired_workers',
      kind: 'gauge',
      unit: 'count',
      labels: { pool: 'eu-checks' },
      value: 3,
    },
  ],
  event: event && {
    episode: 'e1',
    change: 'raised',
    raisedAt: TICK,
    waitingJobs: 5,
    oldestWaitingMs: 12_000,
    workers: 2,
    desiredWorkers: 3,
    capacityUtilization: 142.5,
    jobs: ['a/x', 'b/y'],
    ...event,
  },
  ...overrides,
});
