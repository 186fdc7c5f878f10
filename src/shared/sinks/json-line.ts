/** One result as one JSON line: the shape on stdout, in files and in `once --json`. */

import type { Result } from '../domain/result.ts';
import { isoTime } from '../runtime/clock.ts';

/**
 * `{check, tick, start, lateness_ms, duration_ms, phases, status, code, reason, values, worker,
 * token, detached}`, times in ISO 8601 UTC, durations in milliseconds. `unscheduled: true` marks a
 * run that was no tick; `certificate_expires` is there for TLS.
 */
export const jsonLine = (result: Result): string =>
  `${JSON.stringify({
    check: result.check,
    tick: isoTime(result.tick),
    start: isoTime(result.start),
    lateness_ms: result.latenessMs,
    duration_ms: rounded(result.durationMs),
    phases: roundedPhases(result.phases),
    status: result.status,
    code: result.code,
    reason: result.reason,
    values: result.values,
    worker: result.worker,
    token: result.token,
    detached: result.detached,
    unscheduled: result.unscheduled,
    certificate_expires:
      result.certificateExpiresAt === undefined ? undefined : isoTime(result.certificateExpiresAt),
  })}\n`;

/** Microseconds are the clock's noise. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

const roundedPhases = ({ dns, connect, tls, first_byte, body }: Result['phases']) => ({
  dns: dns === undefined ? undefined : rounded(dns),
  connect: connect === undefined ? undefined : rounded(connect),
  tls: tls === undefined ? undefined : rounded(tls),
  first_byte: first_byte === undefined ? undefined : rounded(first_byte),
  body: body === undefined ? undefined : rounded(body),
});
