/** Result lines of a watcher, read back: how late its runs were and what they said. */

import { open } from 'node:fs/promises';

export interface Stretch {
  /** Ticks from this on, ms since the epoch. */
  readonly from: number;
  readonly until: number;
}

export interface ScheduledRuns {
  /** Ticks and lateness in ms, side by side, in the order of the lines. */
  readonly ticks: Float64Array;
  readonly lateness: Float64Array;
  /** Lines by status. */
  readonly statuses: ReadonlyMap<string, number>;
}

interface Line {
  readonly tick: string;
  readonly lateness_ms: number;
  readonly status: string;
  readonly unscheduled?: boolean;
}

/** Runs at start and lines outside the stretch are left out. */
export async function scheduledRuns(
  file: string,
  { from, until }: Stretch,
): Promise<ScheduledRuns> {
  const ticks: number[] = [];
  const lateness: number[] = [];
  const statuses = new Map<string, number>();
  await using handle = await open(file);
  for await (const text of handle.readLines()) {
    const line = JSON.parse(text) as Line;
    const tick = Date.parse(line.tick);
    if (line.unscheduled === true || tick < from || tick >= until) continue;
    ticks.push(tick);
    lateness.push(line.lateness_ms);
    statuses.set(line.status, (statuses.get(line.status) ?? 0) + 1);
  }
  return { ticks: Float64Array.from(ticks), lateness: Float64Array.from(lateness), statuses };
}
