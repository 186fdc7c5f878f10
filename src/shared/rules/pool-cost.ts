/** What the sinks of the settings cost, which get every result: sink → **a row a destination**. */

import type { CheckId } from '../domain/check.ts';
import { METRICS, type MetricDefinition, PUSHED_METRICS } from '../domain/metrics.ts';
import type { CloudWatchSink, DatadogSink, SinkSettings } from '../domain/sink-settings.ts';
import { BATCHING, callsOf, DATUMS_PER_CALL } from './batching.ts';
import type { DestinationCost, ScheduledCheck } from './cost-report.ts';
import { type Month, type Scheduled, scheduledOf } from './month.ts';
import { originOf } from './post-cost.ts';

/** A JSON line without the check's key: the phases of a TLS connection, two short values. */
const LINE_BYTES = 420;

/** What every sink of the settings gets: all results, and each process's report on itself. */
export interface Pool {
  readonly month: Month;
  readonly checks: readonly ScheduledCheck[];
  readonly all: readonly Scheduled[];
  readonly workers: number;
  /** Metrics of one process about itself. */
  readonly own: number;
}

const EVERY_MINUTE = scheduledOf(
  { cron: '* * * * *', timezone: 'UTC', splayMs: 0 },
  'self' as CheckId,
);

/** One for each destination of the sink, as they are called in logs and metrics. */
export const sinkCosts = (sink: SinkSettings, pool: Pool): readonly DestinationCost[] => {
  const { month, all } = pool;
  switch (sink.kind) {
    case 'datadog':
      return datadogCosts(sink, pool);
    case 'cloudwatch':
      return [cloudWatchCost(sink, pool)];
    case 'eventbridge':
      return [row('eventbridge', `${sink.region} ${sink.bus}`, { pool, calls: null })];
    case 'jsonl':
      return [row('jsonl', sink.path, { pool, calls: 0, bytes: bytesOf(pool) })];
    case 'webhook': {
      const calls = sink.on === 'every' ? month.runsOf(all) : null;
      return [row('webhook', originOf(sink.url), { pool, calls })];
    }
  }
};

interface Figures extends Partial<Pick<DestinationCost, 'customMetrics' | 'bytes'>> {
  readonly pool: Pool;
  readonly calls: number | null;
}

const row = (
  sink: string,
  where: string,
  { pool, customMetrics = 0, calls, bytes = null }: Figures,
): DestinationCost => ({ sink, where, checks: pool.all.length, customMetrics, calls, bytes });

const datadogCosts = (sink: DatadogSink, pool: Pool): readonly DestinationCost[] => {
  const { site, metrics, events, serviceChecks } = sink;
  const { month, all, workers } = pool;
  const { seconds } = month.load([...(metrics.length > 0 ? all : []), EVERY_MINUTE]);
  const customMetrics = customMetricsOf(metrics, pool);
  const calls = callsOf(seconds, BATCHING['datadog series']) * workers;
  const costs = [row('datadog series', site, { pool, customMetrics, calls })];
  if (events) costs.push(row('datadog events', site, { pool, calls: null }));
  if (serviceChecks) {
    const sum = callsOf(month.load(all).seconds, BATCHING['datadog service checks']);
    costs.push(row('datadog service checks', site, { pool, calls: sum * workers }));
  }
  return costs;
};

const cloudWatchCost = (sink: CloudWatchSink, pool: Pool): DestinationCost => {
  const { region, namespace, metrics } = sink;
  const { minutes } = pool.month.load(pool.all);
  const calls = minutes.reduce(
    (sum, checks) => sum + Math.ceil((checks * metrics.length + pool.own) / DATUMS_PER_CALL),
    0,
  );
  const customMetrics = customMetricsOf(metrics, pool);
  const where = `${region} ${namespace}`;
  return row('cloudwatch', where, { pool, customMetrics, calls: calls * pool.workers });
};

/** A check's metrics are the same whichever process runs it; those about processes are of each. */
const customMetricsOf = (metrics: CloudWatchSink['metrics'], { all, own, workers }: Pool): number =>
  all.length * metrics.length + own * workers;

/** The names that the destinations of a sink have. */
export const namesOf = (sink: SinkSettings): readonly string[] => {
  if (sink.kind !== 'datadog') return [sink.kind];
  const { events, serviceChecks } = sink;
  return [
    'datadog series',
    ...(events ? ['datadog events'] : []),
    ...(serviceChecks ? ['datadog service checks'] : []),
  ];
};

/** By the labels that are kept; the label `sink` has as many values as there are names. */
export const ownMetrics = (names: number): number => {
  let sum = 0;
  for (const [name, kept] of Object.entries(PUSHED_METRICS)) {
    const { labels }: MetricDefinition = METRICS[name as keyof typeof PUSHED_METRICS];
    sum += kept.reduce((product, label) => product * (labels[label]?.length || names), 1);
  }
  return sum;
};

const bytesOf = ({ checks, month }: Pool): number =>
  checks.reduce(
    (sum, { definition, scheduled }) =>
      sum + month.runs(scheduled) * (LINE_BYTES + definition.key.length),
    0,
  );
