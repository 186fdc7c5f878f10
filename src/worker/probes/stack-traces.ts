/**
 * undici ends every connection that is not kept with two errors which nobody reads. Their stack traces
 * cost a quarter of all the CPU of a check, so none is made while it does that.
 */

let usualLimit: number | null = null;

/** Until the tasks of this turn are done, or until `resumeStackTraces`. */
export const suspendStackTraces = (): void => {
  if (usualLimit !== null) return;
  usualLimit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  process.nextTick(resumeStackTraces);
};

/** Before anything runs whose errors somebody may want to read. */
export const resumeStackTraces = (): void => {
  if (usualLimit === null) return;
  Error.stackTraceLimit = usualLimit;
  usualLimit = null;
};
