/**
 * The one list of watcher's own metrics: registry, `/metrics`, sinks, dashboards and the table of
 * docs/operations.md are made from it.
 */

import { DROP_REASONS, type DropReason } from './delivery.ts';
import { SKIP_REASONS, type SkipReason, type Status } from './result.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Durations are milliseconds inside watcher; Prometheus shows them in seconds, its base unit. */
export type Unit = 'count' | 'ms' | 'bytes' | 'ratio' | 'percent' | 'info';

export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly unit: Unit;
  /** Label -> its values where they are a closed set, else none. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** One line without a full stop. */
  readonly help: string;
}

const NONE = {} as const;
const POOL = { pool: [] } as const;
const STATUSES: readonly Status[] = ['ok', 'warning', 'critical', 'unknown'];
const SKIPS = Object.keys(SKIP_REASONS) as readonly SkipReason[];
const DROPS = Object.keys(DROP_REASONS) as readonly DropReason[];

/** At any moment: scheduled = run + skipped (all reasons) + pending. */
export const METRICS = {
  'watcher.checks.held': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Checks that this process holds',
  },
  'watcher.checks.scheduled': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Ticks that fell due; each is run, skipped or pending',
  },
  'watcher.checks.run': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Ticks that became a finished run',
  },
  'watcher.checks.skipped': {
    kind: 'counter',
    unit: 'count',
    labels: { reason: SKIPS },
    help: 'Ticks that were not run, by reason',
  },
  'watcher.checks.pending': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Ticks that are due and neither finished nor skipped yet',
  },
  'watcher.checks.unaccounted': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Ticks neither run, skipped nor pending; anything but 0 is a defect of watcher',
  },
  'watcher.checks.unusable': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Stored checks that this version could not compile and left out',
  },
  'watcher.checks.late': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Runs that started later than their budget, half the interval between 2 s and 30 s',
  },
  'watcher.checks.behind': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Checks that stay behind their schedule',
  },
  'watcher.check.lateness': {
    kind: 'histogram',
    unit: 'ms',
    labels: NONE,
    help: 'From the tick to the start of its run',
  },
  'watcher.check.duration': {
    kind: 'histogram',
    unit: 'ms',
    labels: NONE,
    help: 'From the start of a run to its end, redirects included',
  },
  'watcher.results': {
    kind: 'counter',
    unit: 'count',
    labels: { status: STATUSES },
    help: 'Results by status, runs at start included',
  },
  'watcher.check.success': {
    kind: 'gauge',
    unit: 'count',
    labels: { check: [] },
    help: '1 where the last result was ok or warning, 0 where critical; of 1000 checks at most, the worst first',
  },
  'watcher.check.last_duration': {
    kind: 'gauge',
    unit: 'ms',
    labels: { check: [] },
    help: 'Duration of the last run, of the same checks',
  },
  'watcher.check.last_tick_age': {
    kind: 'gauge',
    unit: 'ms',
    labels: { check: [] },
    help: 'Since the tick of the last result, of the same checks',
  },
  'watcher.sink.produced': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results and reports for a sink; each is delivered, pending or dropped',
  },
  'watcher.sink.delivered': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results and reports that a sink has accepted',
  },
  'watcher.sink.dropped': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [], reason: DROPS },
    help: 'Results and reports that a sink will never get, by reason',
  },
  'watcher.sink.pending': {
    kind: 'gauge',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results and reports that wait for a sink, kept in the state folder where there is one',
  },
  'watcher.sink.unaccounted': {
    kind: 'gauge',
    unit: 'count',
    labels: { sink: [] },
    help: 'Neither delivered, pending nor dropped; anything but 0 is a defect of watcher',
  },
  'watcher.sink.retried': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results and reports that were sent again, as the call before failed or went unanswered',
  },
  'watcher.sink.calls': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Calls to a sink',
  },
  'watcher.sink.lag': {
    kind: 'gauge',
    unit: 'ms',
    labels: { sink: [] },
    help: 'Age of the oldest result that waits for a sink',
  },
  'watcher.sink.failing': {
    kind: 'gauge',
    unit: 'count',
    labels: { sink: [] },
    help: '1 while the last call to a sink has failed',
  },
  'watcher.spool.size': {
    kind: 'gauge',
    unit: 'bytes',
    labels: { place: ['disk', 'memory'] },
    help: 'Undelivered results, and delivered ones that were kept between them',
  },
  'watcher.spool.damaged': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Records of the state folder that a former process or its disk has left damaged',
  },
  'watcher.runs.in_flight': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Runs that are speaking to their target',
  },
  'watcher.runs.waiting': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Runs that are due and wait for a free place',
  },
  'watcher.runs.concurrency': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Places for runs, the setting concurrency',
  },
  'watcher.load.places': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Seconds in flight a second that the checks held here ask for',
  },
  'watcher.load.utilisation': {
    kind: 'gauge',
    unit: 'ratio',
    labels: NONE,
    help: 'Load of this worker over what it can take; 1 is all of it',
  },
  'watcher.load.full': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: '1 while this worker leaves what comes new to others that have room',
  },
  'watcher.network.suspected': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: '1 while most targets fail at once, so that their failures are unknown, not critical',
  },
  'watcher.jobs.offered': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Jobs handed to other workers because their endpoints could not be reached from here',
  },
  'watcher.ledger.repaired': {
    kind: 'counter',
    unit: 'count',
    labels: { reason: [] },
    help: 'Repairs of the ledger by this admin while it led; more than a few mean that other hands write there',
  },
  'watcher.jobs.quarantined': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Checks that this worker has quarantined: three workers have died during runs of each',
  },
  'watcher.connections.met_closed': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Kept connections that the server had closed, so that the run was repeated on a fresh one',
  },
  'watcher.event_loop.delay': {
    kind: 'gauge',
    unit: 'ms',
    labels: { stat: ['p50', 'p99', 'max'] },
    help: 'How late timers fired in the last full window of 10 s',
  },
  'watcher.event_loop.utilisation': {
    kind: 'gauge',
    unit: 'ratio',
    labels: NONE,
    help: 'Share of the last full window of 10 s in which the event loop was busy',
  },
  'watcher.event_loop.blocked': {
    kind: 'counter',
    unit: 'ms',
    labels: NONE,
    help: 'Time in which the event loop was blocked for 200 ms or more at a stretch',
  },
  'watcher.config.files': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: 'Files of the spec folder',
  },
  'watcher.config.file_errors': {
    kind: 'gauge',
    unit: 'count',
    labels: { file: [], code: [] },
    help: 'Errors of the spec folder by file and code; gone when fixed',
  },
  'watcher.config.diagnostics': {
    kind: 'gauge',
    unit: 'count',
    labels: { severity: ['error', 'warning', 'info'] },
    help: 'Problems of the spec folder by severity',
  },
  'watcher.heartbeat.age': {
    kind: 'gauge',
    unit: 'ms',
    labels: NONE,
    help: 'Since the claims were last renewed',
  },
  'watcher.admin.leading': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: '1 at the admin that leads its pool, 0 at one that stands by',
  },
  'watcher.workers.lost': {
    kind: 'counter',
    unit: 'count',
    labels: NONE,
    help: 'Workers whose lease ended without their having said that they leave, as the leader saw it',
  },
  'watcher.scaling.capacity_utilization': {
    kind: 'gauge',
    unit: 'percent',
    labels: POOL,
    help: 'What is asked for over what the live workers can take, 0 to 200; keep it at 70',
  },
  'watcher.scaling.workers': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: 'Live workers that are not about to leave',
  },
  'watcher.scaling.desired_workers': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: 'Workers that the load asks for',
  },
  'watcher.scaling.waiting_jobs': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: 'Jobs that wait for a worker with room',
  },
  'watcher.scaling.oldest_waiting': {
    kind: 'gauge',
    unit: 'ms',
    labels: POOL,
    help: 'How long the first of them has been waiting',
  },
  'watcher.scaling.quarantined_jobs': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: 'Jobs that nobody runs, since workers have died of them',
  },
  'watcher.scaling.lateness_p99': {
    kind: 'gauge',
    unit: 'ms',
    labels: POOL,
    help: 'Lateness at the worker where it is worst, of the last minute',
  },
  'watcher.scaling.limit_hit': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: '1 while jobs wait and no worker has room',
  },
  'watcher.scaling.futile': {
    kind: 'gauge',
    unit: 'count',
    labels: POOL,
    help: '1 while checks are late for a reason that more workers would not change',
  },
  'watcher.scaling.hooks': {
    kind: 'counter',
    unit: 'count',
    labels: { outcome: ['ok', 'failed'] },
    help: 'Runs of the command or the webhook that is told of missing workers',
  },
  'watcher.uptime': {
    kind: 'gauge',
    unit: 'ms',
    labels: NONE,
    help: 'Since the process started',
  },
  'watcher.memory.rss': {
    kind: 'gauge',
    unit: 'bytes',
    labels: NONE,
    help: 'Resident memory of the process',
  },
  'watcher.process': {
    kind: 'gauge',
    unit: 'info',
    labels: { version: [], node: [], worker: [] },
    help: 'Always 1; the labels say which process this is',
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;

/**
 * What is pushed to metrics sinks each minute, and which labels are kept; over all others it is
 * summed. Few, because most sinks bill by the number of series.
 */
export const PUSHED_METRICS = {
  'watcher.checks.held': [],
  'watcher.checks.scheduled': [],
  'watcher.checks.run': [],
  'watcher.checks.skipped': ['reason'],
  'watcher.checks.pending': [],
  'watcher.checks.unaccounted': [],
  'watcher.checks.late': [],
  'watcher.checks.behind': [],
  'watcher.results': ['status'],
  'watcher.runs.waiting': [],
  'watcher.load.utilisation': [],
  'watcher.sink.pending': ['sink'],
  'watcher.sink.dropped': ['sink'],
  'watcher.sink.failing': ['sink'],
  'watcher.event_loop.utilisation': [],
  'watcher.config.file_errors': [],
  'watcher.workers.lost': [],
  'watcher.heartbeat.age': [],
  'watcher.uptime': [],
} as const satisfies { readonly [N in MetricName]?: readonly string[] };

/** What the leader of a pool says of its size, with the pool as the only label. */
export const SCALING_METRICS = [
  'watcher.scaling.capacity_utilization',
  'watcher.scaling.workers',
  'watcher.scaling.desired_workers',
  'watcher.scaling.waiting_jobs',
  'watcher.scaling.oldest_waiting',
  'watcher.scaling.quarantined_jobs',
  'watcher.scaling.lateness_p99',
  'watcher.scaling.limit_hit',
  'watcher.scaling.futile',
] as const satisfies readonly MetricName[];
export type ScalingMetric = (typeof SCALING_METRICS)[number];

/** The metrics of one kind, so that a handle cannot be bound to a metric of another. */
export type NameOf<K extends MetricKind> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never;
}[MetricName];

type ValueOf<Values extends readonly string[]> = Values extends readonly []
  ? string
  : Values[number];

export type LabelsOf<N extends MetricName> = {
  readonly [L in keyof (typeof METRICS)[N]['labels']]: (typeof METRICS)[N]['labels'][L] extends readonly string[]
    ? ValueOf<(typeof METRICS)[N]['labels'][L]>
    : never;
};

const SUFFIX = {
  count: '',
  ms: '_seconds',
  bytes: '_bytes',
  ratio: '_ratio',
  percent: '_percent',
  info: '_info',
};

/** `watcher.check.lateness` (ms) -> `watcher_check_lateness_seconds`. */
export const prometheusName = (name: MetricName): string => {
  const { kind, unit } = METRICS[name];
  return `${name.replaceAll('.', '_')}${SUFFIX[unit]}${kind === 'counter' ? '_total' : ''}`;
};

/** What a value is multiplied by for Prometheus. */
export const prometheusScale = (name: MetricName): number =>
  METRICS[name].unit === 'ms' ? 1e-3 : 1;
