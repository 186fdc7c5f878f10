/**
 * The one list of watcher's own metrics: registry, `/metrics`, sinks, dashboards and the table of
 * docs/operations.md are made from it.
 */

import { SKIP_REASONS, type SkipReason, type Status } from './result.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Durations are milliseconds inside watcher; Prometheus shows them in seconds, its base unit. */
export type Unit = 'count' | 'ms' | 'bytes' | 'ratio' | 'info';

export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly unit: Unit;
  /** Label -> its values where they are a closed set, else none. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** One line without a full stop. */
  readonly help: string;
}

const NONE = {} as const;
const STATUSES: readonly Status[] = ['ok', 'warning', 'critical', 'unknown'];
const SKIPS = Object.keys(SKIP_REASONS) as readonly SkipReason[];

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
  'watcher.results.written': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results that a sink has accepted',
  },
  'watcher.results.failed': {
    kind: 'counter',
    unit: 'count',
    labels: { sink: [] },
    help: 'Results that a sink has not accepted and that were given up',
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
  'watcher.network.suspected': {
    kind: 'gauge',
    unit: 'count',
    labels: NONE,
    help: '1 while most targets fail at once, so that their failures are unknown, not critical',
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

const SUFFIX = { count: '', ms: '_seconds', bytes: '_bytes', ratio: '_ratio', info: '_info' };

/** `watcher.check.lateness` (ms) -> `watcher_check_lateness_seconds`. */
export const prometheusName = (name: MetricName): string => {
  const { kind, unit } = METRICS[name];
  return `${name.replaceAll('.', '_')}${SUFFIX[unit]}${kind === 'counter' ? '_total' : ''}`;
};

/** What a value is multiplied by for Prometheus. */
export const prometheusScale = (name: MetricName): number =>
  METRICS[name].unit === 'ms' ? 1e-3 : 1;
