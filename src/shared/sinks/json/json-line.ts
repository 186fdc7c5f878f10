/** One result as one JSON line: the shape on stdout, in files and in `once --json`. */

import type { Result } from '../../domain/result.ts';
import { isoTime } from '../../runtime/clock.ts';

/**
 * `{check, tick, start, lateness_ms, duration_ms, phases, status, code, reason, values, worker,
 * token, detached}`, times in ISO 8601 UTC, durations in milliseconds. `unscheduled: true` marks a
 * run that was no tick; `certificate_expires` is there for TLS.
 */
export const jsonLine = (result: Result): string => {
  const { unscheduled, certificateExpiresAt: expires } = result;
  // Put together by hand: an object made for JSON.stringify alone costs twice as much.
  return `{"check":${JSON.stringify(result.check)},"tick":"${isoTime(result.tick)}","start":"${isoTime(
    result.start,
  )}","lateness_ms":${result.latenessMs},"duration_ms":${rounded(result.durationMs)},"phases":${phasesOf(
    result.phases,
  )},"status":"${result.status}","code":${textOf(result.code)},"reason":${textOf(
    result.reason,
  )},"values":${JSON.stringify(result.values)},"worker":"${result.worker}","token":"${
    result.token
  }","detached":${result.detached}${unscheduled ? ',"unscheduled":true' : ''}${
    expires === undefined ? '' : `,"certificate_expires":"${isoTime(expires)}"`
  }}\n`;
};

/** Microseconds are the clock's noise. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

const textOf = (text: string | null): string => (text === null ? 'null' : JSON.stringify(text));

const phasesOf = ({ dns, connect, tls, first_byte, body }: Result['phases']): string => {
  let text = '';
  if (dns !== undefined) text += `,"dns":${rounded(dns)}`;
  if (connect !== undefined) text += `,"connect":${rounded(connect)}`;
  if (tls !== undefined) text += `,"tls":${rounded(tls)}`;
  if (first_byte !== undefined) text += `,"first_byte":${rounded(first_byte)}`;
  if (body !== undefined) text += `,"body":${rounded(body)}`;
  return `{${text.slice(1)}}`;
};
