/**
 * Which jobs a worker may have died of: claim of what a dead worker held → **suspicion** → caution.
 *
 * A job is suspected when it was running, or was to run next, as a worker died. One that does this again
 * is run alone; if that worker dies, too, it was this job. A run that ends clears it. Pure.
 */

import type { CheckDefinition, CheckId } from '../domain/check.ts';
import type { Progress, Suspects, Suspicion } from '../domain/jobset.ts';
import { cronOf, offsetOf } from './schedule.ts';

/** After so many deaths a job is run alone. */
export const ALONE_FROM = 2;
/** The last one has died of it alone: it is not run any more. */
const GUILTY_FROM = 3;
/** Deaths that lie further apart have nothing to do with each other. */
const FORGOTTEN_AFTER_MS = 600_000;

/** How long things take in this pool. */
export interface Pace {
  /** From one heartbeat to the next at most: what falls due meanwhile may have been started untold. */
  readonly beatMs: number;
  /** From a worker's last heartbeat until another runs what it held, if nothing else happens. */
  readonly takeoverMs: number;
}

interface Judged {
  /** Suspected from now on. */
  readonly jobs: Suspects['jobs'];
  /** Those of them that have killed whoever ran them alone: nobody is to run them. */
  readonly guilty: ReadonlySet<CheckId>;
}

/**
 * `undone`: what the last owner had not done when it died; null when it lives or has handed the jobset
 * back, so that nothing it ran has killed it.
 */
export const suspectsAfter = (
  previous: Suspects['jobs'],
  undone: ReadonlySet<CheckId> | null,
  now: number,
): Judged => {
  const jobs: Record<CheckId, Suspicion> = {};
  const guilty = new Set<CheckId>();
  for (const [id, known] of Object.entries(previous) as [CheckId, Suspicion][]) {
    if (now - known.at > FORGOTTEN_AFTER_MS) continue;
    const suspicion = undone === null ? { ...known, isTried: false } : after(known, now);
    // Else its run has ended, and the worker died before it could say so here.
    const isSuspected = undone === null || undone.has(id) || known.deaths >= GUILTY_FROM;
    if (isSuspected) jobs[id] = suspicion;
    if (isSuspected && suspicion.deaths >= GUILTY_FROM) guilty.add(id);
  }
  for (const id of undone ?? []) jobs[id] ??= { deaths: 1, at: now, isTried: false };
  return { jobs, guilty };
};

/** One more death; whoever withheld it cannot have died of it. */
const after = ({ deaths, isTried }: Suspicion, now: number): Suspicion => {
  const wasRun = isTried || deaths < ALONE_FROM;
  return { deaths: wasRun ? deaths + 1 : deaths, at: now, isTried: false };
};

/**
 * Those that the last owner may have been running when it died. When the takeover took longer than it
 * should, another may have claimed the jobset in between and died before its first heartbeat: then it
 * is all that has fallen due.
 */
export const undoneAmong = (
  definitions: readonly CheckDefinition[],
  { through, open }: Progress,
  { now, pace }: { readonly now: number; readonly pace: Pace },
): ReadonlySet<CheckId> => {
  const isLate = now - through > pace.takeoverMs;
  const until = isLate ? now : Math.min(now, through + pace.beatMs);
  const running = new Set(open.map(([id]) => id));
  const undone = new Set<CheckId>();
  for (const definition of definitions) {
    const { id } = definition;
    if (running.has(id) || tickAfter(definition, through) <= until) undone.add(id);
  }
  return undone;
};

const tickAfter = ({ id, spec: { schedule } }: CheckDefinition, time: number): number => {
  try {
    const offsetMs = offsetOf(schedule, id);
    return cronOf(schedule, id).after(time - offsetMs) + offsetMs;
  } catch {
    // It cannot be run by this version, nor has it been by one that died of it.
    return Number.POSITIVE_INFINITY;
  }
};
