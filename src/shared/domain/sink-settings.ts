/** The pool-wide sinks of the settings file: `sinks: [...]`, decoded. Secrets stand as references. */

import type { JsonValue, SecretText } from './check.ts';
import type { Status } from './result.ts';

/** The numbers of a check that go to a metrics sink; each is billed by most of them. */
export const CHECK_METRICS = {
  success: {
    name: 'watcher.check.success',
    unit: 'count',
    help: '1 for ok and warning, 0 for critical; unknown says nothing of the target and has none',
  },
  duration_ms: { name: 'watcher.check.duration_ms', unit: 'ms', help: 'From start to end' },
  lateness_ms: { name: 'watcher.check.lateness_ms', unit: 'ms', help: 'From tick to start' },
} as const;
export type CheckMetric = keyof typeof CHECK_METRICS;

/** The value of `success`; null is no point at all. */
export const SUCCESS: Readonly<Record<Status, number | null>> = {
  ok: 1,
  warning: 1,
  critical: 0,
  unknown: null,
};

/** Whether any of these has a value for a run that ended so: only `success` may have none. */
export const hasValue = (metrics: readonly CheckMetric[], status: Status): boolean =>
  metrics.some((metric) => metric !== 'success' || SUCCESS[status] !== null);

/** Series, events for transitions, service checks; host `api.<site>`, key in the header. */
export interface DatadogSink {
  readonly kind: 'datadog';
  readonly site: string;
  readonly apiKey: SecretText;
  /** On everything, as `env:prod`. */
  readonly tags: readonly string[];
  readonly metrics: readonly CheckMetric[];
  readonly events: boolean;
  readonly serviceChecks: boolean;
}

/** Without key and secret the default credential chain. */
export interface AwsAccess {
  readonly region: string;
  readonly key?: SecretText;
  readonly secret?: SecretText;
}

/** Values and counts once a minute; dimension `check`, and at most two more. */
export interface CloudWatchSink extends AwsAccess {
  readonly kind: 'cloudwatch';
  readonly namespace: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly metrics: readonly CheckMetric[];
}

/** Transitions as events. */
export interface EventBridgeSink extends AwsAccess {
  readonly kind: 'eventbridge';
  /** Name or ARN. */
  readonly bus: string;
  readonly source: string;
}

/** Every result as a JSON line. */
export interface JsonlSink {
  readonly kind: 'jsonl';
  readonly path: string;
  /** Rotated when it would grow beyond this. */
  readonly maxBytes: number;
  /** How many rotated files are kept. */
  readonly keep: number;
}

/** Any HTTP endpoint; `body` is a template over the fields of a result. */
export interface WebhookSink {
  readonly kind: 'webhook';
  readonly url: SecretText;
  readonly headers: readonly (readonly [name: string, value: SecretText])[];
  readonly on: 'transitions' | 'every';
  readonly body: { readonly [key: string]: JsonValue };
}

export type SinkSettings = DatadogSink | CloudWatchSink | EventBridgeSink | JsonlSink | WebhookSink;
export type SinkKind = SinkSettings['kind'];
