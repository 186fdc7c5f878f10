import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SelfSample } from '../../../../src/shared/domain/delivery.ts';
import type { DatadogSink } from '../../../../src/shared/domain/sink-settings.ts';
import type { Call } from '../../../../src/shared/sinks/destination.ts';
import { anEmission, aSelfEmission, TICK } from '../../../support/builders.ts';
import { aSink, bodiesOf, destination, itemsOf } from './support.ts';

const SECOND = TICK / 1000;

interface Series {
  readonly metric: string;
  readonly tags: readonly string[];
  readonly points: readonly { readonly timestamp: number; readonly value: number }[];
}

const seriesOf = (
  emissions: Parameters<typeof bodiesOf>[1],
  sink: DatadogSink = aSink(),
): readonly Series[] =>
  (bodiesOf(destination('series', sink), emissions) as { series: Series[] }[]).flatMap(
    ({ series }) => series,
  );

describe('a check as series', () => {
  it('is a gauge for each metric of the sink, at the second of the tick', () => {
    const emission = anEmission({ tick: TICK + 999, durationMs: 12.3456789, latenessMs: 3 });
    const common = { type: 3, tags: ['check:a/', 'env:prod'] };
    const at = (value: number) => ({ points: [{ timestamp: SECOND, value }] });
    expect(seriesOf([emission])).toEqual([
      { metric: 'watcher.check.success', ...common, ...at(1) },
      { metric: 'watcher.check.duration_ms', unit: 'millisecond', ...common, ...at(12.346) },
      { metric: 'watcher.check.lateness_ms', unit: 'millisecond', ...common, ...at(3) },
    ]);
    expect(seriesOf([emission], aSink({ metrics: ['lateness_ms'] }))).toHaveLength(1);
  });

  it.each([
    ['ok', 1],
    ['warning', 1],
    ['critical', 0],
  ] as const)('has the success of a run that is %s as %i', (status, value) => {
    const [success] = seriesOf([anEmission({ status })]);
    expect(success?.points).toEqual([{ timestamp: SECOND, value }]);
  });

  it('has no success where the run says nothing of the target', () => {
    const names = seriesOf([anEmission({ status: 'unknown' })]).map(({ metric }) => metric);
    expect(names).toEqual(['watcher.check.duration_ms', 'watcher.check.lateness_ms']);
  });

  it('is one series with a point for each of its runs in a call', () => {
    const runs = [0, 1, 2].map((n) => anEmission({ tick: TICK + n * 1000, latenessMs: n }));
    const series = seriesOf([...runs, anEmission({ check: 'b/' })]);
    expect(series).toHaveLength(6);
    expect(series[2]?.points).toEqual([0, 1, 2].map((n) => ({ timestamp: SECOND + n, value: n })));
  });

  it('has no point where there is no number', () => {
    const series = seriesOf([
      anEmission({ durationMs: Number.NaN, latenessMs: Number.POSITIVE_INFINITY }),
    ]);
    expect(series.map(({ metric }) => metric)).toEqual(['watcher.check.success']);
  });

  it.each([
    ['Www.Example.com:8080/a?b=c&d', 'check:www.example.com:8080/a_b_c_d'],
    ['bücher.example/', 'check:bücher.example/'],
    ['a,b|c#d\n"e"\u202e', 'check:a_b_c_d__e__'],
  ])('has the tag that Datadog would keep: %j', (check, tag) => {
    expect(seriesOf([anEmission({ check })])[0]?.tags).toEqual([tag, 'env:prod']);
  });

  it('tells long keys apart that begin alike', () => {
    const check = `a/${'x'.repeat(300)}`;
    const tags = [
      ...new Set(
        seriesOf(['1', '2'].map((end) => anEmission({ check: check + end }))).map(
          ({ tags: [tag] }) => tag,
        ),
      ),
    ];
    expect(tags).toHaveLength(2);
    expect(tags.map((tag) => tag?.length)).toEqual([200, 200]);
  });

  it('has the tags of the sink, made valid', () => {
    const sink = aSink({ tags: ['Team:Core Infra', '9:x', '…'] });
    expect(seriesOf([anEmission()], sink)[0]?.tags).toEqual(['check:a/', 'team:core_infra', 'x']);
  });
});

describe('the health of watcher as series', () => {
  const sample = (overrides: Partial<SelfSample>): SelfSample => ({
    name: 'watcher.checks.held',
    kind: 'gauge',
    unit: 'count',
    labels: {},
    value: 7,
    ...overrides,
  });

  it('belongs to its host, and says over which time a count was counted', () => {
    const samples = [
      sample({ labels: { role: 'worker' } }),
      sample({ name: 'watcher.sink.dropped', kind: 'count', labels: { Sink: 'a b' } }),
      sample({ name: 'watcher.heap', unit: 'bytes' }),
    ];
    const common = {
      points: [{ timestamp: SECOND, value: 7 }],
      resources: [{ type: 'host', name: 'host-1' }],
    };
    expect(seriesOf([aSelfEmission({ samples })])).toEqual([
      { metric: 'watcher.checks.held', type: 3, tags: ['role:worker', 'env:prod'], ...common },
      {
        metric: 'watcher.sink.dropped',
        type: 1,
        interval: 60,
        tags: ['sink:a_b', 'env:prod'],
        ...common,
      },
      { metric: 'watcher.heap', type: 3, unit: 'byte', tags: ['env:prod'], ...common },
    ]);
  });

  it('has names that Datadog keeps, and only numbers', () => {
    const samples = [
      sample({ name: '1.watcher-läuft per s' }),
      sample({ name: 'w'.repeat(300) }),
      sample({ name: 'nan', value: Number.NaN }),
    ];
    expect(seriesOf([aSelfEmission({ samples })]).map(({ metric }) => metric)).toEqual([
      'watcher_l_uft_per_s',
      'w'.repeat(200),
    ]);
  });
});

describe('the series of many checks', () => {
  it('are calls within the limits, in order, with every item in one of them', () => {
    const series = destination('series');
    const emissions = Array.from({ length: 9_000 }, (_, n) =>
      anEmission({ check: `${'ü'.repeat(n % 90)}${n}.example/` }),
    );
    expect(bodiesOf(series, emissions).length).toBeGreaterThan(1);
    const calls = series.encode(itemsOf(emissions)) as readonly Call<Uint8Array>[];
    expect(calls.flatMap(({ items }) => items.map(({ seq }) => seq))).toEqual(
      emissions.map((_, seq) => seq),
    );
  });

  it('are halved where they do not pack as series do', () => {
    const series = destination('series');
    const emissions = Array.from({ length: 4_000 }, () =>
      anEmission({ check: randomBytes(120).toString('base64url').toLowerCase() }),
    );
    const calls = series.encode(itemsOf(emissions)) as readonly Call<Uint8Array>[];
    expect(calls).toHaveLength(2);
    for (const { bytes } of calls) expect(bytes).toBeLessThanOrEqual(409_600);
    expect(bodiesOf(series, emissions)).toHaveLength(2);
  });

  it('fill a call, so that what is full does not wait for the window', () => {
    const series = destination('series');
    const emissions = Array.from({ length: series.maxItems }, (_, n) =>
      anEmission({ check: `www.example-${n}.com/health` }),
    );
    expect(series.encode(itemsOf(emissions))).toHaveLength(1);
  });

  it('leave out what is too large alone, and nothing else', () => {
    const name = 'watcher.x';
    const sample: SelfSample = { name, kind: 'gauge', unit: 'count', labels: {}, value: 1 };
    const large = aSelfEmission({ samples: Array.from({ length: 50_000 }, () => sample) });
    const calls = destination('series').encode(itemsOf([anEmission(), large, anEmission()]));
    expect(calls.flatMap(({ items }) => items.map(({ seq }) => seq))).toEqual([0, 2]);
    expect(destination('series').encode(itemsOf([large]))).toEqual([]);
  });
});
