/** That the double refuses what AWS refuses: a test that passes against it must mean something. */

import { request as httpRequest } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { AwsClient } from '../../../../src/shared/sinks/aws/client.ts';
import {
  cloudWatchService,
  eventBridgeService,
} from '../../../../src/shared/sinks/aws/services.ts';
import { type AwsDouble, startAwsDouble } from '../../../support/aws-double.ts';
import { TICK } from '../../../support/builders.ts';
import { ACCESS, AWS_ENV, aContext, NEVER } from './context.ts';

let double: AwsDouble;

beforeEach(async () => {
  for (const [name, value] of Object.entries(AWS_ENV)) vi.stubEnv(name, value);
  double = await startAwsDouble({ now: () => TICK });
  vi.stubEnv('AWS_ENDPOINT_URL', double.url);
});
afterEach(async () => {
  await double[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
});

const TARGET = { name: 'the double', permission: 'none' };

/** The answer with HTTP 200, or what came instead. */
const put = async (body: unknown, service: typeof cloudWatchService = cloudWatchService) => {
  await using client = new AwsClient({
    service,
    access: ACCESS,
    target: TARGET,
    context: aContext(),
  });
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  let answer: unknown = null;
  const outcome = await client.send(text, NEVER, (given) => {
    answer = given;
    return { kind: 'delivered' };
  });
  return { answer, outcome };
};

const SECOND = TICK / 1000;
const aDatum = (overrides: object = {}) => ({
  MetricName: 'm',
  Dimensions: [{ Name: 'check', Value: 'a' }],
  Timestamp: SECOND,
  Values: [1],
  Unit: 'Count',
  ...overrides,
});
const metricsOf = (...datums: readonly object[]) => ({ Namespace: 'N', MetricData: datums });
const dimensions = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ Name: `d${i}`, Value: 'v' }));

it('accepts a datum without a fault', async () => {
  await put(metricsOf(aDatum({ Values: [1, 2], Counts: [3, 1], StorageResolution: 60 })));
  expect(double.refusals).toEqual([]);
  expect(double.metrics).toHaveLength(1);
});

it.each<[string, unknown]>([
  ['text that is not JSON', '{"Namespace":'],
  ['no namespace', { MetricData: [aDatum()] }],
  ['a namespace of AWS', { ...metricsOf(aDatum()), Namespace: 'AWS/EC2' }],
  ['a namespace with a colon in front', { ...metricsOf(aDatum()), Namespace: ':N' }],
  ['no datum', metricsOf()],
  ['more than 1000 datums', metricsOf(...Array.from({ length: 1001 }, () => aDatum()))],
  ['a datum without a name', metricsOf(aDatum({ MetricName: undefined }))],
  ['an empty name', metricsOf(aDatum({ MetricName: '' }))],
  ['a name of 256 characters', metricsOf(aDatum({ MetricName: 'x'.repeat(256) }))],
  ['a member that nobody knows', metricsOf(aDatum({ Sum: 1 }))],
  ['a unit that nobody knows', metricsOf(aDatum({ Unit: 'Fortnights' }))],
  ['no value', metricsOf(aDatum({ Values: [] }))],
  ['a value that is no number', metricsOf(aDatum({ Values: ['NaN'] }))],
  ['a null for a value', metricsOf(aDatum({ Values: [null] }))],
  ['a value out of range', metricsOf(aDatum({ Values: [2 ** 361] }))],
  ['151 values', metricsOf(aDatum({ Values: Array.from({ length: 151 }, (_, i) => i) }))],
  ['a value twice', metricsOf(aDatum({ Values: [1, 1] }))],
  ['fewer counts than values', metricsOf(aDatum({ Values: [1, 2], Counts: [1] }))],
  ['a count of none', metricsOf(aDatum({ Counts: [0] }))],
  ['a resolution of 30 s', metricsOf(aDatum({ StorageResolution: 30 }))],
  ['a fourth dimension', metricsOf(aDatum({ Dimensions: dimensions(4) }))],
  ['a dimension twice', metricsOf(aDatum({ Dimensions: [...dimensions(1), ...dimensions(1)] }))],
  ['a dimension without text', metricsOf(aDatum({ Dimensions: [{ Name: 'a', Value: '' }] }))],
  ['a dimension of blanks', metricsOf(aDatum({ Dimensions: [{ Name: 'a', Value: ' ' }] }))],
  ['a dimension that is not ASCII', metricsOf(aDatum({ Dimensions: [{ Name: 'a', Value: 'ü' }] }))],
  [
    'a dimension of 1025 characters',
    metricsOf(aDatum({ Dimensions: [{ Name: 'a', Value: 'x'.repeat(1025) }] })),
  ],
  ['a time of two weeks ago', metricsOf(aDatum({ Timestamp: SECOND - 14 * 86_400 - 1 }))],
  ['a time two hours ahead', metricsOf(aDatum({ Timestamp: SECOND + 7_201 }))],
  ['a time as text', metricsOf(aDatum({ Timestamp: '2026-01-01T00:00:00Z' }))],
  ['more than 1 MB', `${' '.repeat(1_000_001)}${JSON.stringify(metricsOf(aDatum()))}`],
])('refuses metrics with %s', async (_, body) => {
  expect((await put(body)).outcome.kind).toBe('split');
  expect(double.refusals).toHaveLength(1);
  expect(double.metrics).toEqual([]);
});

const anEntry = (overrides: object = {}) => ({
  Source: 's',
  DetailType: 't',
  Detail: '{}',
  Time: SECOND,
  Resources: [],
  ...overrides,
});
const eventsOf = (...entries: readonly object[]) => ({ Entries: entries });
const filled = (bytes: number) => JSON.stringify({ t: 'x'.repeat(bytes) });

it.each<[string, unknown]>([
  ['no entry', eventsOf()],
  ['eleven entries', eventsOf(...Array.from({ length: 11 }, () => anEntry()))],
  ['a member that nobody knows', eventsOf(anEntry({ Id: '1' }))],
  ['a detail that is no text', eventsOf(anEntry({ Detail: {} }))],
  ['a bus that has no such name', eventsOf(anEntry({ EventBusName: 'a bus' }))],
  ['a resource of 2049 characters', eventsOf(anEntry({ Resources: ['x'.repeat(2049)] }))],
  ['an entry of more than 256 KB', eventsOf(anEntry({ Detail: filled(256 * 1024) }))],
  [
    'more than 1 MB in all',
    eventsOf(...Array.from({ length: 5 }, () => anEntry({ Detail: filled(250_000) }))),
  ],
])('refuses a request for events with %s', async (_, body) => {
  expect((await put(body, eventBridgeService)).outcome.kind).toBe('split');
  expect(double.refusals).toHaveLength(1);
});

it.each([
  ['without a source', { Source: undefined }, 'InvalidArgument'],
  ['with a source of AWS', { Source: 'aws.ec2' }, 'NotAuthorizedForSourceException'],
  ['with a type of 129 characters', { DetailType: 'x'.repeat(129) }, 'InvalidArgument'],
  ['with a list for a detail', { Detail: '[]' }, 'MalformedDetail'],
  ['with a detail that is not JSON', { Detail: '{' }, 'MalformedDetail'],
])('takes the others and fails an entry %s', async (_, overrides, code) => {
  const { answer } = await put(eventsOf(anEntry(), anEntry(overrides)), eventBridgeService);
  expect(answer).toMatchObject({
    FailedEntryCount: 1,
    Entries: [{ EventId: 'event-1' }, { ErrorCode: code }],
  });
  expect(double.entries).toHaveLength(1);
});

it('verifies that the very body and headers were signed', async () => {
  const body = JSON.stringify(metricsOf(aDatum()));
  await put(body);
  const signed = double.requests[0]?.headers ?? {};
  expect(await post(signed, body)).toMatchObject({ status: 200 });
  const forged = await Promise.all([
    post(signed, body.replace('"m"', '"n"')),
    post({ ...signed, 'x-amz-date': laterBy1s(String(signed['x-amz-date'])) }, body),
    post({ ...signed, authorization: signed.authorization?.replace(/.$/, 'g') }, body),
    post({ ...signed, authorization: signed.authorization?.replace('AKID', 'AKIX') }, body),
    post(
      { ...signed, authorization: signed.authorization?.replace('eu-west-1', 'eu-west-2') },
      body,
    ),
    post(
      { ...signed, authorization: signed.authorization?.replace('/monitoring/', '/events/') },
      body,
    ),
    post({ ...signed, authorization: undefined }, body),
    post({ ...signed, 'x-amz-target': 'AWSEvents.PutEvents' }, body),
  ]);
  expect(forged.filter(({ status }) => status === 200)).toEqual([]);
  expect(double.metrics).toHaveLength(2);
});

/** Another second of the same day. */
const laterBy1s = (date: string): string =>
  date.replace(/\d(?=Z$)/, (digit) => String((Number(digit) + 1) % 10));

const post = async (
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  body: string,
) => {
  const given = Object.entries(headers).filter(([, value]) => value !== undefined);
  const sending = httpRequest(double.url, {
    method: 'POST',
    headers: Object.fromEntries(given) as Record<string, string>,
  });
  sending.end(body);
  const [response] = await new Promise<[import('node:http').IncomingMessage]>((resolve, reject) => {
    sending.once('response', (one) => resolve([one]));
    sending.once('error', reject);
  });
  return { status: response.statusCode, answer: await text(response) };
};
