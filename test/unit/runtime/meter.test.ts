import { describe, expect, it } from 'vitest';
import {
  METRICS,
  type MetricDefinition,
  prometheusName,
} from '../../../src/shared/domain/metrics.ts';
import { Exposition } from '../../../src/shared/runtime/exposition.ts';
import { Histogram, Meter } from '../../../src/shared/runtime/meter.ts';

const linesOf = async (meter: Meter): Promise<string[]> =>
  (await new Exposition(meter).text()).split('\n');

describe('the meter', () => {
  it('shows what never happened as 0 where the labels are known', () => {
    const meter = new Meter();
    meter.counter('watcher.results', { status: 'critical' }).add();
    expect(meter.samples('watcher.results')).toMatchObject([
      { labels: { status: 'ok' }, value: 0 },
      { labels: { status: 'warning' }, value: 0 },
      { labels: { status: 'critical' }, value: 1 },
      { labels: { status: 'unknown' }, value: 0 },
    ]);
  });

  it('gives every part that binds a metric the same count', () => {
    const meter = new Meter();
    meter.counter('watcher.sink.delivered', { sink: 'jsonl' }).add(2);
    meter.counter('watcher.sink.delivered', { sink: 'jsonl' }).add();
    meter.counter('watcher.sink.delivered', { sink: 'datadog' }).add();
    expect(meter.total('watcher.sink.delivered')).toBe(4);
    expect(meter.samples('watcher.sink.delivered')).toHaveLength(2);
  });

  it('reads an observed metric only when someone looks', () => {
    const meter = new Meter();
    let held = 3;
    meter.observe('watcher.checks.held', () => held);
    held = 7;
    expect(meter.total('watcher.checks.held')).toBe(7);
  });

  it('adds up what is observed twice with the same labels', () => {
    const meter = new Meter();
    const labels = { file: 'a.yml', code: 'E1' };
    const other = { file: 'a.yml', code: 'E2' };
    meter.observe('watcher.config.file_errors', () => [
      { labels, value: 1 },
      { labels: other, value: 1 },
      { labels, value: 1 },
    ]);
    expect(meter.samples('watcher.config.file_errors')).toEqual([
      { labels, value: 2 },
      { labels: other, value: 1 },
    ]);
  });

  it('bounds the series of labels that come from outside', () => {
    const meter = new Meter();
    const rows = Array.from({ length: 5000 }, (_, n) => ({
      labels: { file: `${n}.yml`, code: 'E1' },
      value: 1,
    }));
    meter.observe('watcher.config.file_errors', () => rows);
    expect(meter.samples('watcher.config.file_errors')).toHaveLength(1000);
  });
});

describe('a histogram', () => {
  it.each([
    { values: [0.4], q: 0.5, bound: 1 },
    { values: [1], q: 0.5, bound: 1 },
    { values: [1.01], q: 0.5, bound: 2.5 },
    { values: [1, 1, 1, 900], q: 0.75, bound: 1 },
    { values: [1, 1, 1, 900], q: 0.99, bound: 1000 },
    { values: [1e9], q: 0.5, bound: 60_000 },
  ])('bounds the $q quantile of $values by $bound ms', ({ values, q, bound }) => {
    const histogram = new Histogram();
    for (const value of values) histogram.observe(value);
    expect(histogram.quantile(q)).toBe(bound);
  });
});

describe('the exposition', () => {
  it('shows durations in seconds, in buckets that add up', async () => {
    const meter = new Meter();
    const duration = meter.histogram('watcher.check.duration');
    for (const ms of [0.5, 30, 40, 90_000]) duration.observe(ms);
    const lines = await linesOf(meter);
    expect(lines).toContain('watcher_check_duration_seconds_bucket{le="0.001"} 1');
    expect(lines).toContain('watcher_check_duration_seconds_bucket{le="0.05"} 3');
    expect(lines).toContain('watcher_check_duration_seconds_bucket{le="60"} 3');
    expect(lines).toContain('watcher_check_duration_seconds_bucket{le="+Inf"} 4');
    expect(lines).toContain('watcher_check_duration_seconds_sum 90.0705');
    expect(lines).toContain('watcher_check_duration_seconds_count 4');
  });

  it('makes a hostile label value inert', async () => {
    const meter = new Meter();
    const labels = { file: 'a"} 1\nforged 1\\.yml', code: 'E1' };
    meter.observe('watcher.config.file_errors', () => [{ labels, value: 1 }]);
    const lines = await linesOf(meter);
    const line = String.raw`watcher_config_file_errors{file="a\"} 1\nforged 1\\.yml",code="E1"} 1`;
    expect(lines).toContain(line);
    expect(lines.filter((each) => each.startsWith('forged'))).toEqual([]);
  });

  it('follows the meter from scrape to scrape', async () => {
    const meter = new Meter();
    const exposition = new Exposition(meter);
    const run = meter.counter('watcher.checks.run');
    run.add();
    expect(await exposition.text()).toContain('\nwatcher_checks_run_total 1\n');
    run.add(4);
    expect(await exposition.text()).toContain('\nwatcher_checks_run_total 5\n');
  });
});

describe('the list of metrics', () => {
  const all = Object.entries(METRICS) as [keyof typeof METRICS, MetricDefinition][];

  it.each(all)('%s follows the rules of names', (name, { help, kind, labels }) => {
    expect(name).toMatch(/^watcher(\.[a-z][a-z0-9_]*)+$/);
    expect(prometheusName(name)).toMatch(kind === 'counter' ? /_total$/ : /(?<!_total)$/);
    expect(help).toMatch(/^[A-Z0-9].*[^.]$/);
    for (const label of Object.keys(labels)) expect(label).toMatch(/^[a-z]+$/);
  });

  it('has no two metrics with one Prometheus name', () => {
    expect(new Set(all.map(([name]) => prometheusName(name))).size).toBe(all.length);
  });
});
