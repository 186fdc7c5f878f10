/**
 * What Datadog accepts: the models of its official client (test/fixtures/datadog-models.json), and the
 * limits that only its documentation tells. Its own intake answers 202 and then drops in silence, so a
 * double that is this strict finds what the real one would hide.
 */

import { gunzipSync } from 'node:zlib';
import models from '../fixtures/datadog-models.json' with { type: 'json' };

/** As it came over the wire. */
export interface DatadogRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly raw: Uint8Array;
}

interface Field {
  readonly type: string;
  readonly required: boolean;
  readonly format?: string;
  readonly maxLength?: number;
  readonly maxAgeSeconds?: number;
  readonly pointMaxAgeSeconds?: number;
  readonly pointMaxAheadSeconds?: number;
}

const MODELS = models.models as Readonly<Record<string, Readonly<Record<string, Field>>>>;
const ENUMS = models.enums as Readonly<Record<string, readonly unknown[]>>;

interface Intake {
  readonly type: string;
  readonly maxBytes: number;
  readonly maxRawBytes: number;
  readonly rules: (body: unknown, nowSeconds: number) => readonly string[];
}

const MAX_TAG = 200;
const MAX_METRIC = 200;
const CHECK_MAX_AGE_SECONDS = 600;
const MAX_AHEAD_SECONDS = 600;

/** Empty when Datadog would take it and keep all of it. `now` in ms since the epoch. */
export const datadogProblems = (request: DatadogRequest, now: number): readonly string[] => {
  const intake = INTAKES[request.path];
  if (!intake) return [`no such path: ${request.path}`];
  const problems: string[] = [];
  if (!request.headers['dd-api-key']) problems.push('no dd-api-key header');
  if (request.headers['content-type'] !== 'application/json') problems.push('not sent as JSON');
  if (request.raw.length > intake.maxBytes) problems.push('too large');
  const unpacked = unpackedOf(request);
  if (unpacked.length > intake.maxRawBytes) problems.push('too large when unpacked');
  const body = parsed(unpacked);
  if (body === undefined) return [...problems, 'not JSON'];
  problems.push(...modelProblems(body, intake.type));
  return problems.length > 0 ? problems : intake.rules(body, now / 1000);
};

const unpackedOf = ({ headers, raw }: DatadogRequest): Uint8Array =>
  headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;

const parsed = (text: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(text).toString());
  } catch {
    return undefined;
  }
};

/** Missing, of a wrong type, outside an enum, unknown to the model. */
const modelProblems = (value: unknown, type: string, at = 'body'): readonly string[] => {
  const element = /^Array<(.+)>$/.exec(type)?.[1];
  if (element !== undefined) {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((one, index) => modelProblems(one, element, `${at}[${index}]`));
  }
  const enumeration = ENUMS[type];
  if (enumeration) return enumeration.includes(value) ? [] : [`${at} is none of ${enumeration}`];
  const model = MODELS[type];
  if (model) return objectProblems(value, model, at);
  return typeof value === type ? [] : [`${at} is no ${type}`];
};

const objectProblems = (
  value: unknown,
  model: Readonly<Record<string, Field>>,
  at: string,
): readonly string[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${at} is no object`];
  const given = value as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(model, key));
  const known = Object.entries(model).flatMap(([key, field]) =>
    fieldProblems(given[key], field, `${at}.${key}`),
  );
  return [...unknown.map((key) => `${at}.${key} is unknown`), ...known];
};

const fieldProblems = (value: unknown, field: Field, at: string): readonly string[] => {
  if (value === undefined) return field.required ? [`${at} is missing`] : [];
  const { type, format, maxLength = Number.POSITIVE_INFINITY } = field;
  if (format?.startsWith('int') && !Number.isInteger(value)) return [`${at} is no whole number`];
  if (typeof value === 'string' && value.length > maxLength) return [`${at} is too long`];
  return modelProblems(value, type, at);
};

interface Series {
  readonly metric: string;
  readonly type?: number;
  readonly interval?: number;
  readonly tags?: readonly string[];
  readonly points: readonly { readonly timestamp?: number; readonly value?: number }[];
}

/** A count or a rate without its interval cannot be read. */
const NEEDS_INTERVAL = [1, 2];

const seriesProblems = (body: unknown, now: number): readonly string[] =>
  (body as { readonly series: readonly Series[] }).series.flatMap(
    ({ metric, type = 0, interval, tags = [], points }) => [
      ...(isMetricName(metric) ? [] : [`"${metric}" is no name of a metric`]),
      ...(NEEDS_INTERVAL.includes(type) && !interval ? [`${metric} lacks its interval`] : []),
      ...(points.length > 0 ? [] : [`${metric} has no point`]),
      ...points.flatMap(({ timestamp, value }) => [
        ...(value === undefined ? [`${metric} has a point without value`] : []),
        ...ageProblems(timestamp, now, POINT_MAX_AGE_SECONDS),
      ]),
      ...tagProblems(tags),
    ],
  );

const eventProblems = (body: unknown, now: number): readonly string[] => {
  const { date_happened: at = now, tags = [] } = body as {
    readonly date_happened?: number;
    readonly tags?: readonly string[];
  };
  return [...ageProblems(at, now, EVENT_MAX_AGE_SECONDS), ...tagProblems(tags)];
};

const checkProblems = (body: unknown, now: number): readonly string[] =>
  (
    body as readonly {
      readonly check: string;
      readonly timestamp?: number;
      readonly tags: readonly string[];
    }[]
  ).flatMap(({ check, timestamp = now, tags }) => [
    ...(isMetricName(check) ? [] : [`"${check}" is no name of a service check`]),
    ...ageProblems(timestamp, now, CHECK_MAX_AGE_SECONDS),
    ...tagProblems(tags),
  ]);

const isMetricName = (name: string): boolean =>
  /^[A-Za-z][A-Za-z0-9_.]*$/.test(name) && name.length <= MAX_METRIC;

const tagProblems = (tags: readonly string[]): readonly string[] =>
  tags.flatMap((tag) =>
    /^\p{L}[\p{L}\p{N}_\-:./]*$/u.test(tag) && tag === tag.toLowerCase() && tag.length <= MAX_TAG
      ? []
      : [`"${tag}" is no tag`],
  );

const ageProblems = (
  at: number | undefined,
  now: number,
  maxAgeSeconds: number,
): readonly string[] => {
  if (at === undefined) return ['a point without timestamp'];
  if (now - at > maxAgeSeconds) return [`${at} is too old`];
  return at - now > MAX_AHEAD_SECONDS ? [`${at} is in the future`] : [];
};

const POINT_MAX_AGE_SECONDS = MODELS['MetricSeries']?.['points']?.pointMaxAgeSeconds ?? 0;
const EVENT_MAX_AGE_SECONDS = MODELS['EventCreateRequest']?.['date_happened']?.maxAgeSeconds ?? 0;

const INTAKES: Readonly<Record<string, Intake>> = {
  '/api/v2/series': {
    type: 'MetricPayload',
    maxBytes: 512_000,
    maxRawBytes: 5_242_880,
    rules: seriesProblems,
  },
  '/api/v1/events': {
    type: 'EventCreateRequest',
    maxBytes: 512_000,
    maxRawBytes: 5_242_880,
    rules: eventProblems,
  },
  '/api/v1/check_run': {
    type: 'Array<ServiceCheck>',
    maxBytes: 512_000,
    maxRawBytes: 5_242_880,
    rules: checkProblems,
  },
};
