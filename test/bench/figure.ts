/** One figure of the benchmark: what was measured, how often, and the bound that it has to keep. */

import { median } from './statistics.ts';

export type Unit = 'ratio' | 'µs' | 'ms' | 's' | 'B' | 'MB' | 'runs' | '1/s';
export type Bound = { readonly atMost: number } | { readonly atLeast: number };

export interface Figure {
  readonly part: string;
  readonly what: string;
  readonly unit: Unit;
  /** One for each round. */
  readonly samples: readonly number[];
  /** None for figures that only explain others. */
  readonly bound?: Bound;
}

export type Outcome = 'pass' | 'miss' | 'info';

/** The median is what is held against the bound. */
export function outcomeOf({ samples, bound }: Figure): Outcome {
  if (bound === undefined) return 'info';
  const value = median(samples);
  // A side that did nothing has no cost, and that is no success.
  if (!samples.every((sample) => Number.isFinite(sample) && sample >= 0)) return 'miss';
  return ('atMost' in bound ? value <= bound.atMost : value >= bound.atLeast) ? 'pass' : 'miss';
}

export const COLUMNS = ['part', 'what', 'bound', 'median (min–max)', 'n', ''] as const;

/** Plain columns, as wide as their widest cell. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = [COLUMNS, ...figures.map(cellsOf)];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

export function cellsOf(figure: Figure): readonly string[] {
  const { part, what, unit, samples, bound } = figure;
  const spread = `${format(median(samples))} (${format(Math.min(...samples))}–${format(Math.max(...samples))})`;
  return [
    part,
    what,
    boundText(bound, unit),
    `${spread} ${unit}`,
    String(samples.length),
    outcomeOf(figure),
  ];
}

const boundText = (bound: Bound | undefined, unit: Unit): string => {
  if (bound === undefined) return '';
  return 'atMost' in bound ? `<= ${bound.atMost} ${unit}` : `>= ${bound.atLeast} ${unit}`;
};

const format = (value: number): string =>
  Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
