/** What is written down of each run: results → **run log** → accounts, absences. */

import type { WorkerId } from '../../src/shared/domain/check.ts';
import type { SimulatedCheck } from './folder.ts';
import type { Term } from './ownership.ts';

export interface RunLog {
  readonly worker: WorkerId;
  readonly token: string;
  /** World time. */
  readonly start: number;
  readonly end: number;
  readonly detached: boolean;
  /** Under which it ran; tokens come again in a store that was restored. */
  readonly term: Term | undefined;
}

export interface CheckLog {
  check: SimulatedCheck;
  readonly ticks: Map<number, RunLog[]>;
  /** Ticks before it are judged, or came before its first run. */
  judged: number;
}

export const firstTick = ({ periodMs, offsetMs }: SimulatedCheck, from: number): number =>
  Math.ceil((from - offsetMs) / periodMs) * periodMs + offsetMs;
