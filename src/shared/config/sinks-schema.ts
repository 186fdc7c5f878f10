/** What each kind of sink may be in watcher.yml: its keys, their limits and defaults. */

import { z } from 'zod';
import { CHECK_METRICS, type CheckMetric, type SinkKind } from '../domain/sink-settings.ts';
import { REFERENCE_FORMS } from '../secrets/reference.ts';
import { choice, flag, integer, jsonMap, secret, text } from './fields.ts';

/** Where Datadog has an API, as `api.<site>`. */
const DATADOG_SITES = [
  'datadoghq.com',
  'us3.datadoghq.com',
  'us5.datadoghq.com',
  'datadoghq.eu',
  'ap1.datadoghq.com',
  'ap2.datadoghq.com',
  'uk1.datadoghq.com',
  'ddog-gov.com',
  'us2.ddog-gov.com',
] as const;

const METRIC_NAMES = Object.keys(CHECK_METRICS) as readonly CheckMetric[];
const USUAL_METRICS = ['success', 'duration_ms'] as CheckMetric[];

const SIZE = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)$/;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};
/** Smaller files would be rotated all the time, larger ones are a slip. */
const FILE_BYTES = { min: 64 * 1024, max: 1024 ** 4 };

const sizeBytes = (size: number | string): number => {
  if (typeof size === 'number') return Number.isInteger(size) ? size : Number.NaN;
  const [, amount, unit = ''] = SIZE.exec(size) ?? [];
  return Math.round(Number(amount) * (SIZE_UNITS[unit] ?? Number.NaN));
};

const SIZE_ERROR = 'must be a size from 64KiB to 1024GiB, such as 64MiB';
const size = (about: string) =>
  z
    .union([z.number(), z.string()], { error: SIZE_ERROR })
    .refine((given) => sizeBytes(given) >= FILE_BYTES.min && sizeBytes(given) <= FILE_BYTES.max, {
      error: SIZE_ERROR,
    })
    .transform(sizeBytes)
    .meta({ description: about });

const limited = (about: string, { max, error }: { max: number; error: string }) =>
  z.string({ error }).min(1, { error }).max(max, { error }).meta({ description: about });

const kind = <K extends SinkKind>(name: K) =>
  z.literal(name).meta({ description: 'Which sink it is.' });

const metrics = (about: string) =>
  z
    .array(choice(METRIC_NAMES, { about: 'A number of a check.' }), { error: 'must be a list' })
    .transform((names) => [...new Set(names)])
    .meta({ description: about });

const TAG = { max: 200, error: 'must be text of at most 200 characters, such as env:prod' };

const REGION_ERROR = 'must be an AWS region such as eu-central-1';
const awsKeys = {
  region: z
    .string({ error: REGION_ERROR })
    .regex(/^[a-z]{2,4}(?:-[a-z]+){1,2}-\d{1,2}$/, { error: REGION_ERROR })
    .meta({ description: 'AWS region; else `AWS_REGION` or `AWS_DEFAULT_REGION`.' })
    .optional(),
  aws_key: secret({
    about: `Access key id, as ${REFERENCE_FORMS}; without it the default credential chain.`,
  }).optional(),
  aws_secret: secret({ about: 'Secret access key, in the same way.' }).optional(),
};

/** Of PutMetricData, as dimensionsProblem() is. */
const NAMESPACE_ERROR =
  'must be 1 to 255 printable ASCII characters that do not start with AWS/ or ":"';

/** The limits of PutEvents. */
const BUS_ERROR = 'must be the name or the ARN of an event bus';
const SOURCE_ERROR = 'must be text of at most 256 characters that does not start with "aws."';

/** What `{name}` in the body of a webhook may stand for; and `values.NAME` for a value of the check. */
export const WEBHOOK_FIELDS = [
  'id',
  'check',
  'tick',
  'start',
  'status',
  'from',
  'to',
  'reason',
  'code',
  'duration_ms',
  'lateness_ms',
  'worker',
] as const;

/** One that lacks its value is left out. */
const USUAL_BODY = Object.fromEntries(
  (['id', 'check', 'status', 'from', 'reason', 'tick', 'duration_ms'] as const).map(
    (field: (typeof WEBHOOK_FIELDS)[number]) => [field, `{${field}}`],
  ),
);

export const SINK_SCHEMAS = {
  datadog: z.strictObject({
    kind: kind('datadog'),
    site: choice(DATADOG_SITES, {
      about: 'Site of the account; watcher speaks to `api.<site>`.',
    }).default('datadoghq.com'),
    api_key: secret({ about: `API key, as ${REFERENCE_FORMS}.` }),
    tags: z
      .array(limited('A tag.', TAG), { error: 'must be a list' })
      .meta({ description: 'Tags on everything, such as `env:prod`.' })
      .default([]),
    metrics: metrics('Which numbers of a check are sent; each is a custom metric.').prefault(
      USUAL_METRICS,
    ),
    events: flag({ about: 'Whether each change of a status becomes an event.' }).default(true),
    service_checks: flag({ about: 'Whether each result becomes a service check.' }).default(true),
  }),
  cloudwatch: z.strictObject({
    kind: kind('cloudwatch'),
    ...awsKeys,
    namespace: limited('Namespace of the metrics.', { max: 255, error: NAMESPACE_ERROR })
      .regex(/^(?!AWS\/|:)[\x20-\x7e]+$/, { error: NAMESPACE_ERROR })
      .default('Watcher'),
    dimensions: z
      .record(z.string(), text({ about: 'Value of the dimension.' }), { error: 'must be a map' })
      .meta({ description: 'At most two more beside `check`, on everything.' })
      .prefault({}),
    metrics: metrics('Which numbers of a check are put; each is a custom metric.').prefault(
      USUAL_METRICS,
    ),
  }),
  eventbridge: z.strictObject({
    kind: kind('eventbridge'),
    ...awsKeys,
    bus: limited('Name or ARN of the event bus.', { max: 1600, error: BUS_ERROR })
      .regex(/^(?:arn:aws[\w-]*:events:[a-z0-9-]+:\d{12}:event-bus\/)?[/.\-_A-Za-z0-9]+$/, {
        error: BUS_ERROR,
      })
      .default('default'),
    source: limited('Source of the events.', { max: 256, error: SOURCE_ERROR })
      .regex(/^(?!aws\.)/, { error: SOURCE_ERROR })
      .default('watcher'),
  }),
  jsonl: z.strictObject({
    kind: kind('jsonl'),
    path: limited('File to append to.', { max: 4096, error: 'must be the path of a file' }),
    max_size: size('The file is rotated when it would grow beyond this.').prefault('64MiB'),
    keep: integer({ about: 'How many rotated files are kept.', min: 0, max: 1000 }).default(5),
  }),
  webhook: z.strictObject({
    kind: kind('webhook'),
    url: secret({ about: `Where to post to; as ${REFERENCE_FORMS} where it is a secret.` }),
    headers: z
      .record(z.string(), text({ about: 'Value of the header.' }), { error: 'must be a map' })
      .meta({ description: `Headers; a secret stands in them as ${REFERENCE_FORMS}.` })
      .prefault({}),
    on: choice(['transitions', 'every'], {
      about: 'What is posted: changes of a status, or every result.',
    }).default('transitions'),
    body: jsonMap({
      about: 'The JSON to post; `{name}` stands for a field, see below.',
    }).default(USUAL_BODY),
  }),
} satisfies Record<SinkKind, z.ZodObject>;

export const SINK_KINDS = Object.keys(SINK_SCHEMAS) as readonly SinkKind[];

/** As it stands in the file, with defaults and units applied. */
export type SinkInput<K extends SinkKind = SinkKind> = {
  readonly [N in K]: z.output<(typeof SINK_SCHEMAS)[N]>;
}[K];

const DIMENSION_NAME = /^(?!:)[\x20-\x7e]{1,255}$/;
const DIMENSION_VALUE = /^(?=.*\S)[\x20-\x7e]{1,1024}$/;
/** With the one that watcher sets, three: each combination is billed as a metric. */
const MAX_DIMENSIONS = 2;
/** Of each check, and of watcher's own metrics. */
const OUR_DIMENSIONS: ReadonlySet<string> = new Set(['check', 'host']);

/** What is wrong with dimensions, or null. */
export const dimensionsProblem = (dimensions: Readonly<Record<string, string>>): string | null => {
  const entries = Object.entries(dimensions);
  if (entries.length > MAX_DIMENSIONS) return `at most ${MAX_DIMENSIONS} dimensions can be set`;
  const ours = entries.find(([name]) => OUR_DIMENSIONS.has(name.toLowerCase()));
  if (ours) return `the dimension ${ours[0]} is set by watcher itself`;
  return entries.every(([name, value]) => DIMENSION_NAME.test(name) && DIMENSION_VALUE.test(value))
    ? null
    : 'dimensions have names of 1 to 255 and values of 1 to 1024 printable ASCII characters';
};

/** Which sink is meant is known first, so that only its keys are hinted at. */
export const kindSchema = z.looseObject(
  { kind: choice(SINK_KINDS, { about: 'Which sink it is.' }) },
  { error: 'must be a list of maps' },
);
