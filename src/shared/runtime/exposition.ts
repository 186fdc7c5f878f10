/** The meter in Prometheus' text format: meter → **exposition** → GET /metrics. */

import { type Metric, Registry } from 'prom-client';
import {
  METRICS,
  type MetricDefinition,
  type MetricName,
  type NameOf,
  prometheusName,
  prometheusScale,
} from '../domain/metrics.ts';
import type { Histogram, Labels, Meter } from './meter.ts';

/** What prom-client's registry asks of a metric when it is scraped. */
interface Row {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class Exposition {
  readonly #registry = new Registry();

  constructor(meter: Meter) {
    for (const name of Object.keys(METRICS) as MetricName[]) {
      this.#registry.registerMetric(familyOf(name, () => rowsOf(meter, name)));
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/**
 * The registry only calls `get`. prom-client's own classes take their values one observation at a
 * time, for which a check pays whether anyone scrapes or not; these are read at the scrape.
 */
const familyOf = (metric: MetricName, rows: () => readonly Row[]): Metric => {
  const name = prometheusName(metric);
  const { kind: type, help } = METRICS[metric];
  const get = async () => ({ name, type, help, aggregator: 'sum', values: rows() });
  return { name, get } as unknown as Metric;
};

const rowsOf = (meter: Meter, name: MetricName): readonly Row[] => {
  const scale = prometheusScale(name);
  if (isHistogram(name)) return bucketRows(meter.histogram(name), prometheusName(name), scale);
  return meter.samples(name).map(({ labels, value }) => ({ labels, value: value * scale }));
};

/** Prometheus' buckets are cumulative. */
const bucketRows = (histogram: Histogram, name: string, scale: number): readonly Row[] => {
  let below = 0;
  const rows: Row[] = histogram.bounds.map((bound, index) => {
    below += histogram.counts[index] as number;
    return { metricName: `${name}_bucket`, labels: { le: bound * scale }, value: below };
  });
  const labels: Labels = {};
  return [
    ...rows,
    { metricName: `${name}_bucket`, labels: { le: '+Inf' }, value: histogram.count },
    { metricName: `${name}_sum`, labels, value: histogram.sum * scale },
    { metricName: `${name}_count`, labels, value: histogram.count },
  ];
};

const isHistogram = (name: MetricName): name is NameOf<'histogram'> =>
  (METRICS[name] as MetricDefinition).kind === 'histogram';
