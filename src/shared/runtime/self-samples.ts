/** The meter's numbers as they are pushed: meter → **samples** → sinks, `self` blocks. */

import type { SelfSample } from '../domain/delivery.ts';
import { METRICS, type NameOf, PUSHED_METRICS } from '../domain/metrics.ts';
import type { Labels, Meter } from './meter.ts';

type Pushed = keyof typeof PUSHED_METRICS & NameOf<'counter' | 'gauge'>;
const NAMES = Object.keys(PUSHED_METRICS) as readonly Pushed[];

/** One for each reader: a counter is told as what was added since that reader's last look. */
export class SelfSamples {
  readonly #meter: Meter;
  readonly #before = new Map<string, number>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  take(): readonly SelfSample[] {
    return NAMES.flatMap((name) => this.#samples(name));
  }

  #samples(name: Pushed): readonly SelfSample[] {
    const { kind, unit } = METRICS[name];
    return [...this.#summed(name)].map(([key, { labels, value }]) => {
      if (kind === 'gauge') return { name, kind: 'gauge', unit, labels, value };
      const added = value - (this.#before.get(key) ?? 0);
      this.#before.set(key, value);
      return { name, kind: 'count', unit, labels, value: added };
    });
  }

  /** Over the labels that are not kept. */
  #summed(name: Pushed): ReadonlyMap<string, { readonly labels: Labels; readonly value: number }> {
    const kept: readonly string[] = PUSHED_METRICS[name];
    const sums = new Map<string, { readonly labels: Labels; readonly value: number }>();
    if (kept.length === 0) sums.set(name, { labels: {}, value: 0 });
    for (const { labels: all, value } of this.#meter.samples(name)) {
      const labels = Object.fromEntries(kept.map((label) => [label, all[label] ?? '']));
      const key = [name, ...Object.values(labels)].join('\0');
      sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) });
    }
    return sums;
  }
}
