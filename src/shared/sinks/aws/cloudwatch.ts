/** The destination of CloudWatch: pool-wide metrics, and those that check files post. */

import type { ScalingEmission, SelfEmission } from '../../domain/delivery.ts';
import {
  type AwsAccess,
  CHECK_METRICS,
  type CheckMetric,
  type CloudWatchSink,
  hasValue,
} from '../../domain/sink-settings.ts';
import type { Destination, DestinationContext, Item, Outcome } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { AwsClient } from './client.ts';
import {
  bodyStart,
  encodeMetrics,
  MAX_CALL_BYTES,
  MAX_DATUMS,
  type MetricsOf,
  type Point,
} from './cloudwatch-encode.ts';
import {
  checkValue,
  type Dimensions,
  dimensionsEnd,
  dimensionText,
  fits,
  headStart,
  selfPoints,
} from './cloudwatch-points.ts';
import { verificationOf } from './outcome.ts';
import { cloudWatchService } from './services.ts';

/** Two weeks are accepted; an hour is for clocks that differ and calls that wait. */
const MAX_AGE_MS = 14 * 86_400_000 - 3_600_000;
/**
 * Several runs of a check in one minute are one datum, so more is gathered than one call takes when
 * none are.
 */
const GATHERED_CALLS = 4;

/**
 * Every result as metrics with the dimension `check`; watcher's own with the dimension `host`, those of
 * the pool with the dimension `pool`.
 */
export const cloudWatchDestination = (
  sink: CloudWatchSink,
  context: DestinationContext,
): Destination<string> => {
  const { namespace, region, key = '', metrics, dimensions } = sink;
  const sorted = Object.entries(dimensions).sort();
  const rest = dimensionsEnd(dimensions);
  const heads = metrics.map((metric) =>
    headStart(CHECK_METRICS[metric].name, CHECK_METRICS[metric].unit),
  );
  const ownOf: Kind['ownOf'] = (emission) =>
    emission.kind === 'self' ? { ...dimensions, host: emission.host } : dimensions;
  const pointsOf = ({ emission }: Item): readonly Point[] => {
    if (emission.kind !== 'result') return selfPoints(emission.samples, ownOf(emission));
    const end = dimensionText('check', emission.result.check) + rest;
    return metrics.map((metric, i) => ({
      head: heads[i] + end,
      value: checkValue(metric, emission.result),
    }));
  };
  return destination(sink, context, {
    id: destinationId('cloudwatch', region, key, namespace, JSON.stringify(sorted)),
    label: 'cloudwatch',
    checkMetrics: metrics,
    metrics: { namespace, keyOf: checkOf, pointsOf },
    ownOf,
    doctor: { ...dimensions, host: context.host },
  });
};

const POST_NAMESPACE = 'Watcher';
const POST_METRICS = Object.keys(CHECK_METRICS) as readonly CheckMetric[];

/** `post_service` of check files: three metrics, by the `source` that the file names. */
export const cloudWatchPostDestination = (
  access: AwsAccess,
  context: DestinationContext,
): Destination<string> => {
  const sourceOf = ({ body }: Item): string =>
    (body as { readonly source: string | null } | null)?.source ?? context.host;
  const heads = POST_METRICS.map((metric) =>
    headStart(CHECK_METRICS[metric].name, CHECK_METRICS[metric].unit),
  );
  const rest = dimensionsEnd({});
  const pointsOf = (item: Item): readonly Point[] => {
    const { emission } = item;
    const source = sourceOf(item);
    if (emission.kind !== 'result') return selfPoints(emission.samples, { source });
    const end = dimensionText('source', source) + rest;
    return POST_METRICS.map((metric, i) => ({
      head: heads[i] + end,
      value: checkValue(metric, emission.result),
    }));
  };
  return destination(access, context, {
    id: destinationId('cloudwatch posts', access.region, access.key ?? ''),
    label: 'cloudwatch posts',
    checkMetrics: POST_METRICS,
    metrics: { namespace: POST_NAMESPACE, keyOf: sourceOf, pointsOf },
    ownOf: () => ({ source: context.host }),
    doctor: { source: context.host },
  });
};

const checkOf = ({ emission }: Item): string =>
  emission.kind === 'result' ? emission.result.check : SELF_KEY;
/** A check of this name would only share the call. */
const SELF_KEY = 'self';

const DOCTOR = {
  name: 'watcher.doctor',
  kind: 'gauge',
  unit: 'count',
  labels: {},
  value: 1,
} as const;

interface Kind {
  readonly id: Destination['id'];
  readonly label: string;
  /** What one result becomes. */
  readonly checkMetrics: readonly CheckMetric[];
  readonly metrics: MetricsOf;
  /** Dimensions of what watcher tells of itself and of its pool. */
  readonly ownOf: (emission: SelfEmission | ScalingEmission) => Dimensions;
  /** Those by which `verify` asks. */
  readonly doctor: Dimensions;
}

const destination = (
  access: AwsAccess,
  context: DestinationContext,
  { id, label, checkMetrics, metrics, ownOf, doctor }: Kind,
): Destination<string> => {
  const { namespace } = metrics;
  const target = {
    name: `CloudWatch in ${access.region}`,
    permission: `cloudwatch:PutMetricData, where it has the condition cloudwatch:namespace for "${namespace}"`,
  };
  const client = new AwsClient({ service: cloudWatchService, access, target, context });
  const put = (body: string, signal: AbortSignal): Promise<Outcome> =>
    client.send(body, signal, () => ({ kind: 'delivered' }));
  return {
    id,
    label,
    windowMs: 60_000,
    maxAgeMs: MAX_AGE_MS,
    concurrency: 2,
    maxItems: GATHERED_CALLS * Math.floor(MAX_DATUMS / Math.max(1, checkMetrics.length)),
    maxCallBytes: GATHERED_CALLS * MAX_CALL_BYTES,
    wants: (emission) =>
      emission.kind === 'result'
        ? hasValue(checkMetrics, emission.result.status)
        : emission.samples.some(({ labels }) => fits({ ...labels, ...ownOf(emission) })),
    encode: (items) => encodeMetrics(items, metrics),
    send: ({ payload }, signal) => put(payload, signal),
    verify: async (signal) => {
      const [head] = selfPoints([DOCTOR], doctor).map((point) => point.head);
      const second = Math.floor(context.clock.now() / 1000);
      const body = `${bodyStart(namespace)}${head},"Timestamp":${second},"Values":[1]}]}`;
      return verificationOf(
        await put(body, signal),
        `${target.name} took one value of ${DOCTOR.name} in the namespace "${namespace}" (a fraction of a cent)`,
      );
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
};
