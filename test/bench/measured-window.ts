/**
 * One measurement inside a child process: warm up, then count checks and the CPU of the whole
 * process (user and system, every thread) over a stretch of time. Both sides of a ratio use it.
 */

import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { outputOf } from '../support/processes.ts';

export interface Span {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface Window {
  readonly checks: number;
  /** CPU microseconds a check. */
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly rssBytes: number;
}

export async function measureWindow(span: Span, checksDone: () => number): Promise<Window> {
  await sleep(span.warmUpMs);
  const before = { checks: checksDone(), cpu: process.cpuUsage(), at: performance.now() };
  await sleep(span.measureMs);
  const cpu = process.cpuUsage(before.cpu);
  const checks = checksDone() - before.checks;
  return {
    checks,
    cpuUs: (cpu.user + cpu.system) / checks,
    perSecond: (checks * 1000) / (performance.now() - before.at),
    rssBytes: process.memoryUsage.rss(),
  };
}

/** Runs a script of this folder in a process of its own; its last line of output is the answer. */
export async function inChild<Answer>(
  script: string,
  options: object,
  flags: readonly string[] = [],
): Promise<Answer> {
  const file = path.join(import.meta.dirname, script);
  const output = await outputOf([process.execPath, ...flags, file, JSON.stringify(options)]);
  return JSON.parse(output.slice(output.lastIndexOf('\n') + 1)) as Answer;
}

/** What `inChild` passed on. */
export const childOptions = <Options>(): Options => JSON.parse(process.argv[2] ?? '{}') as Options;
