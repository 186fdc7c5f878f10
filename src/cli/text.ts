/** Durations, times and statuses as people read them. */

import { styleText } from 'node:util';
import type { CheckStatus } from '../shared/domain/status.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `0.4 ms`, `12 ms`, `3.2 s`, `5 m 3 s`, `2 h 5 m`, `3 d 4 h`; a dash where there is none. */
export const duration = (ms: number | null): string => {
  if (ms === null) return '-';
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < HOUR) return `${Math.floor(s / MINUTE)} m ${s % MINUTE} s`;
  if (s < DAY) return `${Math.floor(s / HOUR)} h ${Math.floor((s % HOUR) / MINUTE)} m`;
  return `${Math.floor(s / DAY)} d ${Math.floor((s % DAY) / HOUR)} h`;
};

/** How long until then: `in 12.0 s`, `now` when it has come. */
export const until = (at: number | null, now: number): string => {
  if (at === null) return '-';
  return at <= now ? 'now' : `in ${duration(at - now)}`;
};

export const megabytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

const COLOURS = {
  ok: 'green',
  warning: 'yellow',
  critical: 'red',
  unknown: 'magenta',
  pending: 'gray',
} as const satisfies Record<CheckStatus, string>;

/** Colour only where the stream has it; NO_COLOR and FORCE_COLOR count. */
export const coloured = (
  status: CheckStatus,
  text: string,
  stream: NodeJS.WritableStream,
): string => styleText(COLOURS[status], text, { stream });
