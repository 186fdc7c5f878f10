import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { SelfSample } from '../../../../src/shared/domain/delivery.ts';
import type { CloudWatchSink } from '../../../../src/shared/domain/sink-settings.ts';
import {
  cloudWatchDestination,
  cloudWatchPostDestination,
} from '../../../../src/shared/sinks/aws/cloudwatch.ts';
import type { Call, Item } from '../../../../src/shared/sinks/destination.ts';
import { type Datum, type MetricData, problemOf } from '../../../support/aws-constraints.ts';
import { anEmission, aSelfEmission, TICK } from '../../../support/builders.ts';
import { ACCESS, aContext, anItem } from './context.ts';

const MINUTE = 60_000;

const aSink = (overrides: Partial<CloudWatchSink> = {}) =>
  cloudWatchDestination(
    {
      kind: 'cloudwatch',
      ...ACCESS,
      namespace: 'Watcher',
      dimensions: {},
      metrics: ['success', 'duration_ms'],
      ...overrides,
    },
    aContext(),
  );
const posts = () => cloudWatchPostDestination(ACCESS, aContext());

const requestOf = ({ payload }: Call<string>): MetricData => JSON.parse(payload) as MetricData;
const datumsOf = (calls: readonly Call<string>[]): readonly Datum[] =>
  calls.flatMap((call) => requestOf(call).MetricData);
/** How many values, repeats counted. */
const amountOf = ({ Values, Counts = [] }: Datum): number =>
  Values.reduce((sum, _, i) => sum + (Counts[i] ?? 1), 0);
const aSample = (overrides: Partial<SelfSample> = {}): SelfSample => ({
  name: 'watcher.queue.length',
  kind: 'gauge',
  unit: 'count',
  labels: {},
  value: 5,
  ...overrides,
});

it('puts what the settings choose of a result, under its minute, with the check as dimension', () => {
  const sink = aSink({ namespace: 'Ours/Checks', dimensions: { env: 'prod' } });
  const emission = anEmission({ check: 'a.example/health', tick: TICK + 59_999 });
  const calls = sink.encode([anItem(emission)]);
  expect(calls.map(requestOf)).toEqual([
    {
      Namespace: 'Ours/Checks',
      MetricData: [
        {
          MetricName: 'watcher.check.success',
          Unit: 'Count',
          Dimensions: [
            { Name: 'check', Value: 'a.example/health' },
            { Name: 'env', Value: 'prod' },
          ],
          Timestamp: TICK / 1000,
          Values: [1],
        },
        expect.objectContaining({
          MetricName: 'watcher.check.duration_ms',
          Unit: 'Milliseconds',
          Values: [12.346],
        }),
      ],
    },
  ]);
});

it.each([
  ['ok', 1],
  ['warning', 1],
  ['critical', 0],
] as const)('counts %s as a success of %i', (status, value) => {
  const sink = aSink({ metrics: ['success'] });
  expect(datumsOf(sink.encode([anItem(anEmission({ status }))]))[0]?.Values).toEqual([value]);
});

it('has no success where a run says nothing of the target', () => {
  const unknown = anEmission({ status: 'unknown' });
  expect(aSink({ metrics: ['success'] }).wants(unknown)).toBe(false);
  const sink = aSink({ metrics: ['success', 'lateness_ms'] });
  expect(sink.wants(unknown)).toBe(true);
  const datums = datumsOf(sink.encode([anItem(unknown)]));
  expect(datums.map(({ MetricName }) => MetricName)).toEqual(['watcher.check.lateness_ms']);
});

it('wants every result, unless the settings choose no metric of it', () => {
  expect(aSink().wants(anEmission())).toBe(true);
  expect(aSink({ metrics: [] }).wants(anEmission())).toBe(false);
  expect(aSink({ metrics: [] }).maxItems).toBe(4000);
});

it('makes one datum of all runs of a check in one minute', () => {
  const runs = [5, 7, 5].map((durationMs, i) =>
    anItem(anEmission({ durationMs, tick: TICK + i * 10_000 })),
  );
  const [success, duration, ...more] = datumsOf(aSink().encode(runs));
  expect(more).toEqual([]);
  expect(success).toMatchObject({ Values: [1], Counts: [3] });
  expect(duration).toMatchObject({ Values: [5, 7], Counts: [2, 1] });
});

it('keeps minutes and checks apart', () => {
  const items = [
    anItem(anEmission({ check: 'a/' })),
    anItem(anEmission({ check: 'b/' })),
    anItem(anEmission({ check: 'a/', tick: TICK + MINUTE })),
  ];
  const datums = datumsOf(aSink({ metrics: ['success'] }).encode(items));
  expect(datums.map(({ Timestamp, Dimensions }) => [Timestamp, Dimensions[0]?.Value])).toEqual([
    [TICK / 1000, 'a/'],
    [TICK / 1000, 'b/'],
    [TICK / 1000 + 60, 'a/'],
  ]);
});

it.each([1, 2, 3] as const)('needs no more calls than %i metrics a check allow', (count) => {
  const metrics = (['success', 'duration_ms', 'lateness_ms'] as const).slice(0, count);
  const items = Array.from({ length: 2500 }, (_, i) => anItem(anEmission({ check: `c${i}/` })));
  const calls = aSink({ metrics }).encode(items);
  expect(calls).toHaveLength(Math.ceil(2500 / Math.floor(1000 / count)));
  expect(calls.flatMap((call) => call.items)).toEqual(items);
});

it('puts a later run of a check in the call that has the earlier ones', () => {
  const first = Array.from({ length: 600 }, (_, i) => anItem(anEmission({ check: `c${i}/` })));
  const again = first.map(({ emission }) => anItem(emission));
  const calls = aSink().encode([...first, ...again]);
  expect(calls.map((call) => call.items.length)).toEqual([1000, 200]);
  expect(datumsOf(calls)).toHaveLength(1200);
});

it('closes a call before it has more bytes than AWS takes', () => {
  const items = Array.from({ length: 1000 }, (_, i) =>
    anItem(anEmission({ check: `${i}`.padStart(1024, 'x') })),
  );
  const calls = aSink({ metrics: ['success'] }).encode(items);
  expect(calls.map(({ bytes, payload }) => bytes === payload.length && bytes <= 900_000)).toEqual([
    true,
    true,
  ]);
});

it('keeps three digits of the values of a minute that has more than 150 of them', () => {
  const values = Array.from({ length: 400 }, (_, i) => 100 + i / 8);
  const items = [100, 100, ...values].map((durationMs) => anItem(anEmission({ durationMs })));
  const [datum, ...more] = datumsOf(aSink({ metrics: ['duration_ms'] }).encode(items));
  expect(more).toEqual([]);
  expect(datum?.Values).toEqual(Array.from({ length: 51 }, (_, i) => 100 + i));
  expect(datum && amountOf(datum)).toBe(402);
});

it('makes several datums of more than 150 values that differ in three digits', () => {
  const items = Array.from({ length: 400 }, (_, i) => anItem(anEmission({ durationMs: 100 + i })));
  const datums = datumsOf(aSink({ metrics: ['duration_ms'] }).encode(items));
  expect(datums.map(({ Values }) => Values.length)).toEqual([150, 150, 100]);
});

it('writes a check as CloudWatch takes it: printable ASCII of at most 1024 characters', () => {
  const check = `bücher.example/\u0007"\\${'x'.repeat(2000)}`;
  const [datum] = datumsOf(aSink({ metrics: ['success'] }).encode([anItem(anEmission({ check }))]));
  expect(datum?.Dimensions[0]?.Value).toMatch(/^b_cher\.example\/_"\\x+$/);
  expect(datum?.Dimensions[0]?.Value).toHaveLength(1024);
});

it('puts what watcher tells of itself by host, with units, and labels as dimensions', () => {
  const samples = [
    aSample({ labels: { sink: 'datadog' } }),
    aSample({ name: 'watcher.load', unit: 'ratio', value: 0.25 }),
    aSample({ name: 'watcher.memory', unit: 'bytes' }),
    aSample({ name: 'watcher.lag', unit: 'ms' }),
  ];
  const item = anItem(aSelfEmission({ samples }));
  const datums = datumsOf(aSink({ dimensions: { env: 'prod' } }).encode([item]));
  expect(datums.map(({ Unit }) => Unit)).toEqual(['Count', 'None', 'Bytes', 'Milliseconds']);
  expect(datums[0]?.Dimensions).toEqual([
    { Name: 'sink', Value: 'datadog' },
    { Name: 'env', Value: 'prod' },
    { Name: 'host', Value: 'host-1' },
  ]);
  expect(datums[1]?.Values).toEqual([0.25]);
});

it('leaves a sample out that would need a fourth dimension, and a report that has no other', () => {
  const sink = aSink({ dimensions: { env: 'prod', team: 'a' } });
  const wide = aSample({ labels: { sink: 'datadog' } });
  const both = aSelfEmission({ samples: [wide, aSample({ name: 'watcher.load' })] });
  expect(sink.wants(both)).toBe(true);
  expect(datumsOf(sink.encode([anItem(both)])).map(({ MetricName }) => MetricName)).toEqual([
    'watcher.load',
  ]);
  expect(sink.wants(aSelfEmission({ samples: [wide] }))).toBe(false);
  expect(sink.wants(aSelfEmission())).toBe(false);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, -(2 ** 361)])('never puts %d', (value) => {
  const samples = [aSample({ value }), aSample({ name: 'watcher.load' })];
  const datums = datumsOf(aSink().encode([anItem(aSelfEmission({ samples }))]));
  expect(datums.map(({ MetricName }) => MetricName)).toEqual(['watcher.load']);
});

it('leaves out of all calls a report that is too large for one', () => {
  const samples = Array.from({ length: 1001 }, (_, i) => aSample({ name: `watcher.m${i}` }));
  const [before, after] = [anItem(anEmission()), anItem(anEmission({ check: 'b/' }))];
  const calls = aSink().encode([before, anItem(aSelfEmission({ samples })), after]);
  expect(calls.map(({ items }) => items)).toEqual([[before, after]]);
});

it('puts posts of check files by source, all checks of one source together', () => {
  const items = [
    anItem(anEmission({ check: 'a/', durationMs: 5 }), { source: 'shop' }),
    anItem(anEmission({ check: 'b/', durationMs: 9, status: 'critical' }), { source: 'shop' }),
    anItem(anEmission({ check: 'c/' }), { source: null }),
  ];
  const [call, ...more] = posts().encode(items);
  expect(more).toEqual([]);
  const { Namespace, MetricData } = requestOf(call as Call<string>);
  expect(Namespace).toBe('Watcher');
  expect(
    MetricData.map(({ MetricName, Dimensions, Values }) => [
      MetricName,
      Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join(),
      Values,
    ]),
  ).toEqual([
    ['watcher.check.success', 'source=shop', [1, 0]],
    ['watcher.check.duration_ms', 'source=shop', [5, 9]],
    ['watcher.check.lateness_ms', 'source=shop', [3]],
    ['watcher.check.success', 'source=host-1', [1]],
    ['watcher.check.duration_ms', 'source=host-1', [12.346]],
    ['watcher.check.lateness_ms', 'source=host-1', [3]],
  ]);
});

it('puts a posted self report by its source', () => {
  const item = anItem(aSelfEmission({ samples: [aSample()] }), { source: 'watchers' });
  expect(datumsOf(posts().encode([item]))).toMatchObject([
    { MetricName: 'watcher.queue.length', Dimensions: [{ Name: 'source', Value: 'watchers' }] },
  ]);
});

it('puts ten thousand runs of one source and minute in one call', () => {
  const items = Array.from({ length: 10_000 }, (_, i) =>
    anItem(anEmission({ check: `c${i}/`, durationMs: (i * 7919) % 100_000 }), { source: 'shop' }),
  );
  expect(
    posts()
      .encode(items)
      .map((call) => call.items.length),
  ).toEqual([10_000]);
});

it('tells the delivery its window, its limits, and what is too old for AWS', () => {
  const limits = { windowMs: 60_000, maxAgeMs: (14 * 24 - 1) * 3_600_000, concurrency: 2 };
  expect(aSink()).toMatchObject({ ...limits, maxItems: 2000, label: 'cloudwatch' });
  expect(posts()).toMatchObject({ ...limits, maxItems: 1332, label: 'cloudwatch posts' });
});

it('is another destination by namespace, dimensions and key, and not by the metrics chosen', () => {
  const same = [aSink(), aSink({ metrics: ['lateness_ms'] })];
  const others = [
    aSink({ namespace: 'Other' }),
    aSink({ dimensions: { env: 'prod' } }),
    aSink({ key: '${env:OTHER}' }),
    aSink({ region: 'us-east-1' }),
    posts(),
  ];
  expect(new Set(same.map(({ id }) => id)).size).toBe(1);
  expect(new Set([...same, ...others].map(({ id }) => id)).size).toBe(6);
});

it('carries every item once, every value once, and never what AWS would refuse', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a/', 'b/', 'c/'));
  const result = fc
    .record({
      check: text,
      tick: fc.integer({ min: TICK, max: TICK + 3 * MINUTE }),
      durationMs: fc.double({ min: 0, max: 1e5, noNaN: true }),
    })
    .map((overrides): Item => anItem(anEmission(overrides)));
  const self = fc
    .array(
      fc.record({
        name: text,
        unit: fc.constantFrom('count', 'ms', 'bytes', 'ratio'),
        value: fc.float(),
      }),
      { minLength: 1, maxLength: 5 },
    )
    .map((samples): Item => anItem(aSelfEmission({ samples: samples.map(aSample) })));
  fc.assert(
    fc.property(fc.array(fc.oneof(result, self), { maxLength: 400 }), (items) => {
      const calls = aSink({ dimensions: { env: 'prod' } }).encode(items);
      for (const call of calls)
        expect(problemOf('PutMetricData', JSON.parse(call.payload), TICK)).toBe(null);
      const results = items.filter(({ emission }) => emission.kind === 'result');
      const carried = calls.flatMap((call) => call.items);
      expect(new Set(carried).size).toBe(carried.length);
      expect(results.every((item) => carried.includes(item))).toBe(true);
      const successes = datumsOf(calls).filter(
        ({ MetricName }) => MetricName === 'watcher.check.success',
      );
      expect(successes.reduce((sum, datum) => sum + amountOf(datum), 0)).toBe(results.length);
    }),
    { numRuns: 50 },
  );
});
