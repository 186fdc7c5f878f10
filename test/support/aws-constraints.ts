/**
 * What AWS accepts: the constraints of the official service models (test/fixtures/aws-models.json),
 * and the limits that only their documentation tells.
 */

import models from '../fixtures/aws-models.json' with { type: 'json' };

export type AwsOperation = keyof typeof models.operations;

interface Shape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly member?: string;
  readonly members?: Readonly<Record<string, string>>;
}

/** As it came over the wire. */
export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}
export interface Datum {
  readonly MetricName: string;
  readonly Dimensions: readonly Dimension[];
  readonly Timestamp: number;
  readonly Values: readonly number[];
  readonly Counts?: readonly number[];
  readonly Unit: string;
  readonly StorageResolution?: number;
}
export interface MetricData {
  readonly Namespace: string;
  readonly MetricData: readonly Datum[];
}
export interface Entry {
  readonly Source?: string;
  readonly DetailType?: string;
  readonly Detail?: string;
  readonly Time?: number;
  readonly Resources?: readonly string[];
  readonly EventBusName?: string;
}

/** What is wrong with the request as a whole; null when nothing is. `now` in ms since the epoch. */
export const problemOf = (operation: AwsOperation, input: unknown, now: number): string | null => {
  const { shapes, input: root } = models.operations[operation];
  const problem = shapeProblem(shapes as Readonly<Record<string, Shape>>, root, input, '');
  if (problem !== null) return problem;
  return operation === 'PutMetricData'
    ? metricsProblem(input as MetricData, now)
    : sizeProblem((input as { readonly Entries: readonly Entry[] }).Entries);
};

const shapeProblem = (
  shapes: Readonly<Record<string, Shape>>,
  name: string,
  value: unknown,
  at: string,
): string | null => {
  const shape = shapes[name];
  if (shape === undefined) return `${at}: no shape ${name}`;
  switch (shape.type) {
    case 'structure':
      return structureProblem(shapes, shape, value, at);
    case 'list':
      if (!Array.isArray(value)) return `${at} is not a list`;
      return (
        lengthProblem(shape, value.length, at) ??
        first(value.map((item, i) => shapeProblem(shapes, shape.member ?? '', item, `${at}[${i}]`)))
      );
    case 'string':
      return textProblem(shape, value, at);
    case 'integer':
      if (!Number.isInteger(value)) return `${at} is not an integer`;
      return lengthProblem(shape, value as number, at);
    case 'double':
    case 'timestamp':
      return typeof value === 'number' && Number.isFinite(value) ? null : `${at} is not a number`;
    default:
      return `${at} is a ${shape.type}, which nobody has taught this test double`;
  }
};

const structureProblem = (
  shapes: Readonly<Record<string, Shape>>,
  { members = {}, required = [] }: Shape,
  value: unknown,
  at: string,
): string | null => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return `${at} is not a structure`;
  const missing = required.find((member) => !(member in value));
  if (missing !== undefined) return `${at}.${missing} is missing`;
  return first(
    Object.entries(value).map(([member, inner]) => {
      const shape = members[member];
      return shape === undefined
        ? `${at}.${member} is not a member`
        : shapeProblem(shapes, shape, inner, `${at}.${member}`);
    }),
  );
};

const textProblem = (shape: Shape, value: unknown, at: string): string | null => {
  if (typeof value !== 'string') return `${at} is not a text`;
  if (shape.enum !== undefined && !shape.enum.includes(value))
    return `${at} is none of ${shape.enum.join(', ')}`;
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`, 's').test(value))
    return `${at} does not match ${shape.pattern}`;
  return lengthProblem(shape, value.length, at);
};

const lengthProblem = ({ min, max }: Shape, length: number, at: string): string | null => {
  if (min !== undefined && length < min) return `${at} is below ${min}`;
  return max !== undefined && length > max ? `${at} is above ${max}` : null;
};

const first = (problems: readonly (string | null)[]): string | null =>
  problems.find((problem) => problem !== null) ?? null;

const MAX_BODY_BYTES = 1_000_000;
const MAX_DATUMS = 1000;
const MAX_VALUES = 150;
const MAX_VALUE = 2 ** 360;
/** Each combination is billed: this one is watcher's own promise, AWS takes 30. */
const MAX_DIMENSIONS = 3;
const MAX_PAST_MS = 14 * 86_400_000;
const MAX_FUTURE_MS = 2 * 3_600_000;
/** Printable ASCII with something to see, and no colon in front of a name. */
const DIMENSION_NAME = /^(?!:)(?=.*\S)[\x20-\x7e]+$/;
const DIMENSION_VALUE = /^(?=.*\S)[\x20-\x7e]+$/;

/** Of the request as sent, before it was compressed. */
export const bodyProblem = (bytes: number): string | null =>
  bytes > MAX_BODY_BYTES ? `the body has ${bytes} bytes` : null;

const metricsProblem = ({ Namespace, MetricData }: MetricData, now: number): string | null => {
  if (Namespace.startsWith('AWS/')) return 'the namespace belongs to AWS';
  if (MetricData.length === 0) return 'there is no datum';
  if (MetricData.length > MAX_DATUMS) return `${MetricData.length} datums`;
  return first(MetricData.map((datum, i) => datumProblem(datum, `.MetricData[${i}]`, now)));
};

const datumProblem = (datum: Datum, at: string, now: number): string | null =>
  valuesProblem(datum, at) ?? dimensionsProblem(datum, at) ?? timeProblem(datum, at, now);

const valuesProblem = ({ Values, Counts, StorageResolution }: Datum, at: string) => {
  if (Values === undefined || Values.length === 0) return `${at} has no value`;
  if (Values.length > MAX_VALUES) return `${at} has ${Values.length} values`;
  if (new Set(Values).size < Values.length) return `${at} has a value twice`;
  if (Values.some((value) => Math.abs(value) > MAX_VALUE)) return `${at} has a value out of range`;
  if (Counts !== undefined && Counts.length !== Values.length)
    return `${at}: values and counts differ`;
  if (Counts?.some((count) => !(count > 0))) return `${at} has a count that is none`;
  return [undefined, 1, 60].includes(StorageResolution) ? null : `${at} has a strange resolution`;
};

const dimensionsProblem = ({ Dimensions }: Datum, at: string): string | null => {
  if (Dimensions.length > MAX_DIMENSIONS) return `${at} has ${Dimensions.length} dimensions`;
  if (new Set(Dimensions.map(({ Name }) => Name)).size < Dimensions.length)
    return `${at} has a dimension twice`;
  const bad = Dimensions.find(
    ({ Name, Value }) => !DIMENSION_NAME.test(Name) || !DIMENSION_VALUE.test(Value),
  );
  return bad === undefined ? null : `${at} has a dimension that is not printable ASCII`;
};

const timeProblem = ({ Timestamp }: Datum, at: string, now: number): string | null => {
  if (Timestamp * 1000 < now - MAX_PAST_MS) return `${at} is older than two weeks`;
  return Timestamp * 1000 > now + MAX_FUTURE_MS ? `${at} is too far ahead` : null;
};

/** The smaller of what the pages of AWS say: 256 KB a call, where it is not yet 1 MB. */
const MAX_ENTRY_BYTES = 256 * 1024;
const MAX_ENTRIES_BYTES = 1_000_000;

/** As the documentation of PutEvents counts it. */
export const entryBytes = ({ Time, Source, DetailType, Detail, Resources = [] }: Entry): number =>
  [Source ?? '', DetailType ?? '', Detail ?? '', ...Resources]
    .map((text) => Buffer.byteLength(text))
    .reduce((sum, bytes) => sum + bytes, Time === undefined ? 0 : 14);

const sizeProblem = (entries: readonly Entry[]): string | null => {
  const sizes = entries.map(entryBytes);
  if (sizes.some((bytes) => bytes > MAX_ENTRY_BYTES)) return 'an entry is over the limit';
  return sizes.reduce((sum, bytes) => sum + bytes, 0) > MAX_ENTRIES_BYTES
    ? 'the total size of the entries in the request is over the limit'
    : null;
};

export interface EntryFailure {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

/** What is wrong with one entry of a request that is good as a whole. */
export const entryProblem = (entry: Entry): EntryFailure | null => {
  for (const name of ['Source', 'DetailType', 'Detail'] as const)
    if (!entry[name])
      return invalid(`Parameter ${name} is not valid. Reason: ${name} is a required argument.`);
  if (entry.Source?.startsWith('aws.'))
    return {
      ErrorCode: 'NotAuthorizedForSourceException',
      ErrorMessage: 'Not authorized for the source.',
    };
  if ((entry.DetailType?.length ?? 0) > 128) return invalid('Parameter DetailType is not valid.');
  if ((entry.Source?.length ?? 0) > 256) return invalid('Parameter Source is not valid.');
  return isObjectText(entry.Detail ?? '')
    ? null
    : { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
};

const invalid = (ErrorMessage: string): EntryFailure => ({
  ErrorCode: 'InvalidArgument',
  ErrorMessage,
});

const isObjectText = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};
