/** What a result and a report of watcher itself are in CloudWatch: names, units, dimensions, values. */

import type { SelfSample } from '../../domain/delivery.ts';
import type { Result } from '../../domain/result.ts';
import { type CheckMetric, SUCCESS } from '../../domain/sink-settings.ts';
import type { Point } from './cloudwatch-encode.ts';

export type Dimensions = Readonly<Record<string, string>>;

/** Each combination of dimensions is billed as a metric; AWS would take 30. */
const MAX_DIMENSIONS = 3;
const MAX_NAME_LENGTH = 255;
const MAX_VALUE_LENGTH = 1024;

const UNITS: Readonly<Record<SelfSample['unit'], string>> = {
  count: 'Count',
  ms: 'Milliseconds',
  bytes: 'Bytes',
  // Percent would be another number than all other sinks show.
  ratio: 'None',
  percent: 'Percent',
};

/** Up to where the dimensions begin. */
export const headStart = (name: string, unit: SelfSample['unit']): string =>
  `{"MetricName":${JSON.stringify(ascii(name, MAX_NAME_LENGTH))},"Unit":"${UNITS[unit]}","Dimensions":[`;

export const dimensionText = (name: string, value: string): string =>
  `{"Name":${JSON.stringify(ascii(name, MAX_NAME_LENGTH))},"Value":${JSON.stringify(ascii(value, MAX_VALUE_LENGTH))}}`;

/** The further dimensions behind the first one, and the end of the list. */
export const dimensionsEnd = (dimensions: Dimensions): string =>
  `${Object.entries(dimensions)
    .map(([name, value]) => `,${dimensionText(name, value)}`)
    .join('')}]`;

export const fits = (dimensions: Dimensions): boolean =>
  Object.keys(dimensions).length <= MAX_DIMENSIONS;

export const checkValue = (metric: CheckMetric, result: Result): number => {
  switch (metric) {
    case 'success':
      return SUCCESS[result.status] ?? Number.NaN;
    case 'duration_ms':
      return rounded(result.durationMs);
    case 'lateness_ms':
      return rounded(result.latenessMs);
  }
};

/** Labels are dimensions; a sample that would need more than three is left out. */
export const selfPoints = (
  samples: readonly SelfSample[],
  dimensions: Dimensions,
): readonly Point[] =>
  samples.flatMap(({ name, unit, labels, value }) => {
    const all = { ...labels, ...dimensions };
    if (!fits(all)) return [];
    return [{ head: headStart(name, unit) + dimensionsEnd(all).slice(1), value }];
  });

/** Microseconds are the clock's noise. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

const FOREIGN = /[^\x20-\x7e]/gu;

/** CloudWatch takes printable ASCII, with something to see in it. */
const ascii = (text: string, length: number): string => {
  const printable = text.replace(FOREIGN, '_').slice(0, length);
  return printable.trim() === '' ? '_' : printable;
};
