/**
 * Numbers of checks and of watcher itself as series: delivery → **series** → Datadog. Points stand at
 * the tick, so that one that is sent twice overwrites itself.
 */

import { gzipSync } from 'node:zlib';
import type { ScalingEmission, SelfEmission, SelfSample } from '../../domain/delivery.ts';
import type { Result } from '../../domain/result.ts';
import {
  CHECK_METRICS,
  type CheckMetric,
  type DatadogSink,
  hasValue,
  SUCCESS,
} from '../../domain/sink-settings.ts';
import type { Call, Destination, DestinationContext, Item } from '../destination.ts';
import { destinationId } from '../destination-id.ts';
import { datadogApi } from './api.ts';
import { type CheckTags, metricName, tagsOf } from './names.ts';

const MINUTE_MS = 60_000;
/** Datadog loses points older than an hour without a word; two minutes are for clocks and ways. */
const MAX_AGE_MS = 58 * MINUTE_MS;

/** 80 % of what Datadog takes: 512,000 bytes as sent, 5,242,880 unpacked. */
const MAX_PACKED_BYTES = 409_600;
const MAX_RAW_BYTES = 4_194_304;
/** About as many as are full unpacked, of three metrics and keys of an ordinary length. */
const MAX_ITEMS = 6_000;
/** Level 1 makes a twentieth of it; level 6 costs twice as much for a sixth less. */
const GZIP = { level: 1 };

const COUNT = 1;
const GAUGE = 3;
/** Seconds between two reports about watcher itself, over which a count was counted. */
const COUNT_INTERVAL = 60;

export const seriesDestination = (
  sink: DatadogSink,
  context: DestinationContext,
  tags: CheckTags,
): Destination<Uint8Array> => {
  const { site, apiKey, metrics } = sink;
  const api = datadogApi(sink, context);
  const parts = JSON.stringify([sink.tags, metrics]);
  return {
    id: destinationId('datadog series', site, apiKey, parts),
    label: 'datadog series',
    windowMs: 10_000,
    maxAgeMs: MAX_AGE_MS,
    concurrency: 2,
    maxItems: MAX_ITEMS,
    maxCallBytes: MAX_PACKED_BYTES,
    wants: (emission) =>
      emission.kind === 'result'
        ? hasValue(metrics, emission.result.status)
        : emission.samples.length > 0,
    encode: (items) => encode(items, { metrics, tags, common: tagsOf(sink.tags) }),
    send: ({ payload }, signal) =>
      api.post({ path: '/api/v2/series', body: payload, encoding: 'gzip' }, signal),
    verify: api.verify,
    [Symbol.asyncDispose]: async () => {},
  };
};

interface SeriesOptions {
  readonly metrics: readonly CheckMetric[];
  readonly tags: CheckTags;
  readonly common: readonly string[];
}

const encode = (items: readonly Item[], options: SeriesOptions): readonly Call<Uint8Array>[] => {
  const batches = [new Batch(options)];
  for (const item of items) {
    if (batches.at(-1)?.add(item)) continue;
    const next = new Batch(options);
    // What does not fit into an empty call either is in none.
    if (next.add(item)) batches.push(next);
  }
  return batches.flatMap((batch) => packed(batch, options));
};

/** Series pack to a twentieth, so that halving is for what was made to be hard to pack. */
const packed = (batch: Batch, options: SeriesOptions): readonly Call<Uint8Array>[] => {
  if (batch.isEmpty) return [];
  const call = batch.call();
  if (call.bytes <= MAX_PACKED_BYTES) return [call];
  const { items } = call;
  const middle = Math.ceil(items.length / 2);
  if (items.length === 1) return [];
  return [...encode(items.slice(0, middle), options), ...encode(items.slice(middle), options)];
};

/** One call in the making. */
class Batch {
  readonly #options: SeriesOptions;
  readonly #items: Item[] = [];
  /** By check: a text of points for each metric. */
  readonly #points = new Map<string, string[]>();
  readonly #own: string[] = [];
  #bytes = 0;

  constructor(options: SeriesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** False when it does not fit. */
  add(item: Item): boolean {
    const { emission } = item;
    const added =
      emission.kind === 'result' ? this.#addResult(emission.result) : this.#addOwn(emission);
    if (added) this.#items.push(item);
    return added;
  }

  call(): Call<Uint8Array> {
    const { metrics, tags } = this.#options;
    let text = '';
    for (const [check, points] of this.#points) {
      const { json } = tags.of(check);
      for (const [index, metric] of metrics.entries()) {
        const own = points[index] ?? '';
        if (own !== '') text += `,${HEADS[metric]}${json},"points":[${own.slice(1)}]}`;
      }
    }
    for (const series of this.#own) text += `,${series}`;
    const payload = gzipSync(`{"series":[${text.slice(1)}]}`, GZIP);
    return { items: this.#items, bytes: payload.length, payload };
  }

  #addResult(result: Result): boolean {
    const { metrics, tags } = this.#options;
    let points = this.#points.get(result.check);
    const perSeries = points ? POINT_BYTES : POINT_BYTES + HEAD_BYTES + tags.of(result.check).bytes;
    if (!this.#reserve(perSeries * metrics.length)) return false;
    if (!points) {
      points = metrics.map(() => '');
      this.#points.set(result.check, points);
    }
    const head = `,{"timestamp":${Math.floor(result.tick / 1000)},"value":`;
    for (const [index, metric] of metrics.entries()) {
      const value = VALUES[metric](result);
      if (Number.isFinite(value)) points[index] += `${head}${value}}`;
    }
    return true;
  }

  #addOwn(emission: SelfEmission | ScalingEmission): boolean {
    const series = emission.samples
      .filter(({ value }) => Number.isFinite(value))
      .map((sample) => ownSeries(sample, emission, this.#options.common));
    const bytes = series.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
    if (!this.#reserve(bytes)) return false;
    this.#own.push(...series);
    return true;
  }

  #reserve(bytes: number): boolean {
    if (this.#bytes + bytes > MAX_RAW_BYTES) return false;
    this.#bytes += bytes;
    return true;
  }
}

/** Microseconds are the clock's noise. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

const VALUES: Readonly<Record<CheckMetric, (result: Result) => number>> = {
  success: ({ status }) => SUCCESS[status] ?? Number.NaN,
  duration_ms: ({ durationMs }) => rounded(durationMs),
  lateness_ms: ({ latenessMs }) => rounded(latenessMs),
};

const UNITS: Readonly<Record<SelfSample['unit'], string | undefined>> = {
  ms: 'millisecond',
  bytes: 'byte',
  count: undefined,
  ratio: undefined,
  percent: 'percent',
};

const headOf = (metric: CheckMetric): string => {
  const { name, unit } = CHECK_METRICS[metric];
  const known = UNITS[unit];
  const unitText = known === undefined ? '' : `,"unit":"${known}"`;
  return `{"metric":"${metricName(name)}","type":${GAUGE}${unitText},"tags":`;
};

const HEADS: Readonly<Record<CheckMetric, string>> = {
  success: headOf('success'),
  duration_ms: headOf('duration_ms'),
  lateness_ms: headOf('lateness_ms'),
};

/** At most: what stands around the tags of a series, and a point with its longest number. */
const HEAD_BYTES = Math.max(...Object.values(HEADS).map(({ length }) => length)) + 16;
const POINT_BYTES = 64;

/** The pool's carry no host: another process may lead tomorrow. */
const ownSeries = (
  { name, kind, unit, labels, value }: SelfSample,
  emission: SelfEmission | ScalingEmission,
  common: readonly string[],
): string => {
  const labelTags = Object.entries(labels).map(([label, text]) => `${label}:${text}`);
  return JSON.stringify({
    metric: metricName(name),
    type: kind === 'count' ? COUNT : GAUGE,
    interval: kind === 'count' ? COUNT_INTERVAL : undefined,
    unit: UNITS[unit],
    points: [{ timestamp: Math.floor(emission.at / 1000), value }],
    tags: [...tagsOf(labelTags), ...common],
    resources: emission.kind === 'self' ? [{ type: 'host', name: emission.host }] : undefined,
  });
};
