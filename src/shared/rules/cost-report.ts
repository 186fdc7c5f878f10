/** What a folder creates at its sinks, in numbers: the shapes that costs are reckoned in and told by. */

import type { CheckDefinition } from '../domain/check.ts';
import type { Scheduled } from './month.ts';

/** Of thirty days. */
export interface CostReport {
  readonly checks: number;
  readonly runs: number;
  readonly workers: number;
  readonly destinations: readonly DestinationCost[];
}

export interface DestinationCost {
  /** What it is called in logs and metrics. */
  readonly sink: string;
  /** Without what may be a secret. */
  readonly where: string;
  readonly checks: number;
  readonly customMetrics: number;
  /** Null: one for each change of a status, and nobody knows beforehand how many there will be. */
  readonly calls: number | null;
  /** Of a file. */
  readonly bytes: number | null;
}

export interface ScheduledCheck {
  readonly definition: CheckDefinition;
  readonly scheduled: Scheduled;
}
