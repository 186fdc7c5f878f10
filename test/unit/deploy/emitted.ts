/** What watcher really emits, by way of the code that emits it: every metric once, with its labels. */

import { type ScalingLevel, samplesOf } from '../../../src/admin/scaling-level.ts';
import type { ScalingEmission, SelfEmission } from '../../../src/shared/domain/delivery.ts';
import {
  METRICS,
  type MetricDefinition,
  type MetricName,
  type NameOf,
} from '../../../src/shared/domain/metrics.ts';
import { Exposition } from '../../../src/shared/runtime/exposition.ts';
import { Meter } from '../../../src/shared/runtime/meter.ts';
import { SelfSamples } from '../../../src/shared/runtime/self-samples.ts';
import { cloudWatchDestination } from '../../../src/shared/sinks/aws/cloudwatch.ts';
import { TICK } from '../../support/builders.ts';
import { ACCESS, anItem, aContext as awsContext } from '../sinks/aws/context.ts';
import { bodiesOf, destination as datadogDestination } from '../sinks/datadog/support.ts';

export const NAMESPACE = 'Watcher';
export const POOL = 'watcher';

/** Each metric with one value, so that none is left out for having none. */
const aFullMeter = (): Meter => {
  const meter = new Meter();
  for (const [name, { kind, labels }] of Object.entries(METRICS) as [
    MetricName,
    MetricDefinition,
  ][]) {
    if (kind === 'histogram') meter.histogram(name as NameOf<'histogram'>).observe(1);
    else {
      const own = Object.keys(labels).map((label) => [label, `some ${label}`]);
      meter.observe(
        name as NameOf<'gauge'>,
        (() => [{ labels: Object.fromEntries(own), value: 1 }]) as never,
      );
    }
  }
  return meter;
};

const LEVEL: ScalingLevel = {
  at: 0,
  workers: 1,
  desiredWorkers: 2,
  capacityUtilization: 140,
  waitingJobs: 3,
  oldestWaitingMs: 12_000,
  quarantinedJobs: 0,
  latenessP99Ms: 10,
  futile: null,
  episode: { id: 'e', raisedAt: 0, jobs: 3 },
};

const ofOneProcess = (): SelfEmission => ({
  kind: 'self',
  at: TICK,
  host: 'host-1',
  status: 'ok',
  findings: [],
  samples: new SelfSamples(aFullMeter()).take(),
});

const ofThePool = (): ScalingEmission => ({
  kind: 'scaling',
  at: TICK,
  pool: POOL,
  samples: samplesOf(LEVEL, POOL),
  event: null,
});

/** `name{dimension,…}`, of the calls that CloudWatch would get. */
export const inCloudWatch = (
  dimensions: Readonly<Record<string, string>> = {},
): ReadonlySet<string> => {
  const sink = {
    ...ACCESS,
    kind: 'cloudwatch',
    namespace: NAMESPACE,
    dimensions,
    metrics: ['success', 'duration_ms'],
  } as const;
  const calls = cloudWatchDestination(sink, awsContext()).encode(
    [ofOneProcess(), ofThePool()].map((emission) => anItem(emission)),
  );
  const data = calls.flatMap(
    ({ payload }) =>
      (
        JSON.parse(payload) as {
          MetricData: { MetricName: string; Dimensions: { Name: string }[] }[];
        }
      ).MetricData,
  );
  return new Set(
    data.map(({ MetricName, Dimensions }) =>
      signature(
        MetricName,
        Dimensions.map(({ Name }) => Name),
      ),
    ),
  );
};

export const signature = (name: string, dimensions: readonly string[]): string =>
  `${name}{${[...dimensions].sort().join()}}`;

/** Metric → keys of its tags, and `host` where it has one. */
export const inDatadog = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const emissions = [ofOneProcess(), ofThePool()];
  const bodies = bodiesOf(datadogDestination('series'), emissions) as readonly {
    series: { metric: string; tags: string[]; resources?: { type: string }[] }[];
  }[];
  return new Map(
    bodies
      .flatMap(({ series }) => series)
      .map(({ metric, tags, resources = [] }) => [
        metric,
        new Set([
          ...tags.map((tag) => tag.split(':')[0] ?? ''),
          ...resources.map(({ type }) => type),
        ]),
      ]),
  );
};

/** Series → its labels, of what Prometheus would scrape; `instance` is Prometheus' own. */
export const inPrometheus = async (): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const text = await new Exposition(aFullMeter()).text();
  const series = new Map<string, Set<string>>();
  for (const line of text.split('\n')) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const keys = [...labels.matchAll(/(\w+)="/g)].map(([, key = '']) => key);
    series.set(name, new Set([...(series.get(name) ?? []), ...keys, 'instance']));
  }
  return series;
};
