/**
 * Counts what watcher does. Hot paths bind a handle once and then only add to a number; whatever
 * is counted elsewhere already is read by a callback, when someone looks.
 */

import {
  type LabelsOf,
  METRICS,
  type MetricDefinition,
  type MetricName,
  type NameOf,
} from '../domain/metrics.ts';

export interface Counter {
  add(count?: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export type Labels = Readonly<Record<string, string>>;

/** One number of a metric now. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** What an observed metric answers with: a number, or samples where it has labels. */
type Reading<N extends MetricName> = keyof LabelsOf<N> extends never
  ? number
  : readonly { readonly labels: LabelsOf<N>; readonly value: number }[];

type LabelArguments<N extends MetricName> = keyof LabelsOf<N> extends never ? [] : [LabelsOf<N>];

/** Labels such as file names come from outside: more samples of one metric than this are cut. */
const MAX_SAMPLES = 1_000;

/** Upper bounds in ms: a run within a local network to one that ends at a long timeout. */
const BOUNDS = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4] as const;

class Cell implements Counter, Gauge {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(count = 1): void {
    this.value += count;
  }

  set(value: number): void {
    this.value = value;
  }
}

export class Histogram {
  readonly bounds: readonly number[] = BOUNDS;
  /** One more than bounds: the last holds what is above all of them. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  sum = 0;
  count = 0;

  /** Most values are small, and a scan from below over 15 bounds is faster than a bisection. */
  observe(value: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && value > (BOUNDS[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
    this.count++;
  }

  /** The upper bound of the bucket that holds the quantile; above the last bound, that bound. */
  quantile(q: number): number {
    let left = Math.ceil(q * this.count);
    let bucket = 0;
    while (bucket < BOUNDS.length && left > (this.counts[bucket] as number)) {
      left -= this.counts[bucket++] as number;
    }
    return BOUNDS[Math.min(bucket, BOUNDS.length - 1)] as number;
  }
}

/** Every combination of labels whose values are known, so that what never happened shows as 0. */
const knownLabels = ({ labels }: MetricDefinition): Labels[] =>
  Object.entries(labels).reduce<Labels[]>(
    (sets, [label, values]) =>
      sets.flatMap((set) => values.map((value) => ({ ...set, [label]: value }))),
    [{}],
  );

const keyOf = (labels: Labels): string => Object.values(labels).join('\0');

/** Prometheus refuses a page on which the same labels occur twice. */
const summed = (samples: readonly Sample[]): readonly Sample[] => {
  const sums = new Map<string, Sample>();
  for (const { labels, value } of samples) {
    const key = keyOf(labels);
    sums.set(key, { labels, value: value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
};

export class Meter {
  readonly #cells = new Map<MetricName, Map<string, Cell>>();
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #observed = new Map<MetricName, () => number | readonly Sample[]>();

  constructor() {
    for (const [name, definition] of Object.entries(METRICS) as [MetricName, MetricDefinition][]) {
      if (definition.kind === 'histogram') this.#histograms.set(name, new Histogram());
      else {
        const cells = knownLabels(definition).map((labels) => new Cell(labels));
        this.#cells.set(name, new Map(cells.map((cell) => [keyOf(cell.labels), cell])));
      }
    }
  }

  counter<N extends NameOf<'counter'>>(name: N, ...labels: LabelArguments<N>): Counter {
    return this.#cell(name, labels[0] ?? {});
  }

  gauge<N extends NameOf<'gauge'>>(name: N, ...labels: LabelArguments<N>): Gauge {
    return this.#cell(name, labels[0] ?? {});
  }

  histogram(name: NameOf<'histogram'>): Histogram {
    return this.#histograms.get(name) as Histogram;
  }

  /** The metric's samples come from `read` from now on. */
  observe<N extends NameOf<'counter' | 'gauge'>>(name: N, read: () => Reading<N>): void {
    this.#observed.set(name, read as () => number | readonly Sample[]);
  }

  samples(name: NameOf<'counter' | 'gauge'>): readonly Sample[] {
    const reading = this.#observed.get(name)?.() ?? [...(this.#cells.get(name)?.values() ?? [])];
    const samples = typeof reading === 'number' ? [{ labels: {}, value: reading }] : reading;
    return summed(samples).slice(0, MAX_SAMPLES);
  }

  /** The sum over all labels. */
  total(name: NameOf<'counter' | 'gauge'>): number {
    return this.samples(name).reduce((sum, sample) => sum + sample.value, 0);
  }

  #cell(name: MetricName, labels: Labels): Cell {
    const cells = this.#cells.get(name) as Map<string, Cell>;
    const known = cells.get(keyOf(labels));
    if (known !== undefined) return known;
    const cell = new Cell(labels);
    cells.set(keyOf(labels), cell);
    return cell;
  }
}
