/**
 * What the dashboards show and what the alarms watch, whatever draws them: the one place to change
 * either. Metrics are named by their key in `domain/metrics.ts`, so one that goes breaks the build.
 */

import {
  METRICS,
  type MetricDefinition,
  type MetricName,
  PUSHED_METRICS,
  SCALING_METRICS,
  type ScalingMetric,
} from '../../src/shared/domain/metrics.ts';

/** How the values of several processes become one. `p99` is for histograms. */
export type Over = 'sum' | 'max' | 'p99';

export interface Line {
  readonly metric: MetricName;
  readonly over: Over;
  /** One line for each value of a label; `host` stands for the process. */
  readonly by?: string;
}

export interface Panel {
  readonly title: string;
  /** All of one unit. Counters are shown as what was added within a minute. */
  readonly lines: readonly Line[];
}

export interface Section {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const all = (metric: MetricName): Line => ({ metric, over: 'sum' });
const each = (metric: MetricName, by: string): Line => ({ metric, over: 'sum', by });
const worst = (metric: MetricName, by?: string): Line => ({
  metric,
  over: 'max',
  ...(by === undefined ? {} : { by }),
});

export const SECTIONS: readonly Section[] = [
  {
    title: 'Are the checks on time?',
    panels: [
      {
        title: 'Ticks a minute',
        lines: [all('watcher.checks.scheduled'), all('watcher.checks.run')],
      },
      { title: 'Skipped a minute, by reason', lines: [each('watcher.checks.skipped', 'reason')] },
      {
        title: 'Late runs a minute',
        lines: [all('watcher.checks.late')],
      },
      { title: 'Checks that stay behind', lines: [worst('watcher.checks.behind', 'host')] },
      {
        title: 'Lateness where it is worst (p99)',
        lines: [worst('watcher.scaling.lateness_p99', 'pool')],
      },
      {
        title: 'Lateness and duration of all (p99)',
        lines: [
          { metric: 'watcher.check.lateness', over: 'p99' },
          { metric: 'watcher.check.duration', over: 'p99' },
        ],
      },
      { title: 'Results a minute, by status', lines: [each('watcher.results', 'status')] },
    ],
  },
  {
    title: 'Has the pool room?',
    panels: [
      {
        title: 'Capacity asked for (%), best at 70',
        lines: [worst('watcher.scaling.capacity_utilization', 'pool')],
      },
      {
        title: 'Workers, and workers that the load asks for',
        lines: [
          worst('watcher.scaling.workers', 'pool'),
          worst('watcher.scaling.desired_workers', 'pool'),
        ],
      },
      {
        title: 'Jobs that wait, and jobs in quarantine',
        lines: [
          worst('watcher.scaling.waiting_jobs', 'pool'),
          worst('watcher.scaling.quarantined_jobs', 'pool'),
        ],
      },
      { title: 'Longest wait', lines: [worst('watcher.scaling.oldest_waiting', 'pool')] },
      { title: 'Load of each worker', lines: [worst('watcher.load.utilisation', 'host')] },
      { title: 'Checks of each worker', lines: [worst('watcher.checks.held', 'host')] },
      { title: 'Workers lost a minute', lines: [all('watcher.workers.lost')] },
      { title: 'Runs that wait for a place', lines: [worst('watcher.runs.waiting', 'host')] },
    ],
  },
  {
    title: 'Do results arrive?',
    panels: [
      { title: 'Waiting for a sink', lines: [each('watcher.sink.pending', 'sink')] },
      { title: 'Dropped a minute', lines: [each('watcher.sink.dropped', 'sink')] },
      { title: 'Sinks that fail', lines: [worst('watcher.sink.failing', 'sink')] },
    ],
  },
  {
    title: 'How is watcher itself?',
    panels: [
      {
        title: 'Unaccounted ticks: anything but 0 is a defect',
        lines: [worst('watcher.checks.unaccounted')],
      },
      { title: 'Errors of the spec folder', lines: [worst('watcher.config.file_errors', 'host')] },
      { title: 'Since the claims were renewed', lines: [worst('watcher.heartbeat.age', 'host')] },
      { title: 'Event loop in use', lines: [worst('watcher.event_loop.utilisation', 'host')] },
      { title: 'Memory', lines: [worst('watcher.memory.rss', 'host')] },
      { title: 'Uptime', lines: [worst('watcher.uptime', 'host')] },
    ],
  },
];

export interface Alarm extends Line {
  /** Of words with hyphens. */
  readonly id: string;
  /** What has happened, as a sentence. */
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
  readonly severity: 'critical' | 'warning';
  /**
   * Of a gauge, in each of these minutes; of a counter, of what was added within them. Durations are
   * in milliseconds.
   */
  readonly minutes: number;
  readonly limit: { readonly above: number } | { readonly below: number };
  /** What it means when nobody says anything. */
  readonly missing: 'fine' | 'bad';
}

const POOL = { over: 'max', by: 'pool', missing: 'fine', limit: { above: 0 } } as const;

export const ALARMS: readonly Alarm[] = [
  {
    ...POOL,
    id: 'scaling-limit-hit',
    title: 'Jobs wait and no worker has room',
    metric: 'watcher.scaling.limit_hit',
    minutes: 1,
    severity: 'critical',
    advice: 'Add workers: `watcher scaling` says how many, and which jobs wait.',
  },
  {
    ...POOL,
    id: 'jobs-waiting',
    title: 'A job has been waiting for a worker for two minutes',
    metric: 'watcher.scaling.oldest_waiting',
    limit: { above: 120_000 },
    minutes: 1,
    severity: 'critical',
    advice: 'Workers that were to come have not come: look at the autoscaling group.',
  },
  {
    ...POOL,
    id: 'more-workers-do-not-help',
    title: 'Checks are late, and more workers would not change it',
    metric: 'watcher.scaling.futile',
    minutes: 10,
    severity: 'warning',
    advice: '`watcher scaling` names the host that is slow, or whose limit is reached.',
  },
  {
    ...POOL,
    id: 'jobs-quarantined',
    title: 'Nobody runs a job, since workers have died of it',
    metric: 'watcher.scaling.quarantined_jobs',
    minutes: 1,
    severity: 'critical',
    advice: '`watcher scaling` names it; change the check, or `watcher jobs release` it.',
  },
  {
    ...POOL,
    id: 'late',
    title: 'Checks run more than 5 s late',
    metric: 'watcher.scaling.lateness_p99',
    limit: { above: 5_000 },
    minutes: 5,
    severity: 'warning',
    advice: '`watcher scaling` says whether more workers would help.',
  },
  {
    id: 'behind',
    title: 'Checks stay behind their schedule',
    metric: 'watcher.checks.behind',
    over: 'max',
    by: 'host',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'warning',
    advice: 'The pool has not moved them by itself: `watcher self` of this process says why.',
  },
  {
    id: 'no-leader',
    title: 'No admin leads, or there is no worker',
    metric: 'watcher.scaling.workers',
    over: 'max',
    limit: { below: 1 },
    minutes: 3,
    missing: 'bad',
    severity: 'critical',
    advice: 'Checks run on, but nothing is published, placed or scaled: `watcher workers`.',
  },
  {
    id: 'worker-lost',
    title: 'A worker went without having said so',
    metric: 'watcher.workers.lost',
    over: 'sum',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'warning',
    advice: 'Others run its checks by now; its log, or that of its machine, says why it went.',
  },
  {
    id: 'detached',
    title: 'A process cannot renew its claims',
    metric: 'watcher.heartbeat.age',
    over: 'max',
    by: 'host',
    limit: { above: 10_000 },
    minutes: 2,
    missing: 'fine',
    severity: 'warning',
    advice: 'Look at etcd, at the way to it, and at the event loop of the process.',
  },
  {
    id: 'unaccounted',
    title: 'A tick was neither run nor skipped',
    metric: 'watcher.checks.unaccounted',
    over: 'max',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'critical',
    advice: 'A defect of watcher: report it, please, with the output of `watcher self --json`.',
  },
  {
    id: 'sink-failing',
    title: 'A sink does not take results',
    metric: 'watcher.sink.failing',
    over: 'max',
    by: 'sink',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'warning',
    advice: 'Results wait for it; `watcher self` tells the reason, `watcher doctor` tests it.',
  },
  {
    id: 'results-lost',
    title: 'Results were dropped that a sink will never get',
    metric: 'watcher.sink.dropped',
    over: 'sum',
    by: 'sink',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'critical',
    advice: '`watcher self` tells the reasons.',
  },
  {
    id: 'config-errors',
    title: 'A check file has errors; its last good version runs on',
    metric: 'watcher.config.file_errors',
    over: 'max',
    limit: { above: 0 },
    minutes: 5,
    missing: 'fine',
    severity: 'warning',
    advice: '`watcher validate` shows file, line and reason.',
  },
];

export const isScaling = (metric: MetricName): metric is ScalingMetric =>
  (SCALING_METRICS as readonly MetricName[]).includes(metric);

/** What goes to CloudWatch and Datadog; the rest is on /metrics only. */
export const isPushed = ({ metric, by }: Line): boolean =>
  isScaling(metric) || (metric in PUSHED_METRICS && isKept(metric, by));

const isKept = (metric: MetricName, by: string | undefined): boolean =>
  by === undefined || by === 'host' || keptLabels(metric).includes(by);

/** The labels with which a metric is pushed; over all others it is summed. */
export const keptLabels = (metric: MetricName): readonly string[] =>
  (PUSHED_METRICS as { readonly [N in MetricName]?: readonly string[] })[metric] ??
  Object.keys(METRICS[metric].labels);

export const isCounter = (metric: MetricName): boolean => definitionOf(metric).kind === 'counter';

export const definitionOf = (metric: MetricName): MetricDefinition => METRICS[metric];

/** The sections without what is not pushed. */
export const pushedSections = (): readonly Section[] =>
  SECTIONS.map(({ title, panels }) => ({
    title,
    panels: panels
      .map((panel) => ({ ...panel, lines: panel.lines.filter(isPushed) }))
      .filter(({ lines }) => lines.length > 0),
  }));

export const pushedAlarms = (): readonly Alarm[] => ALARMS.filter(isPushed);

export const lineName = ({ metric, over }: Line): string =>
  over === 'p99' ? `${metric} p99` : metric;
