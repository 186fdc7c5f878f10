/** How long a sink asks to be left alone: answer headers → **wait** → outcome. */

import type { HttpAnswer } from './transport.ts';

/** Whatever a sink asks for, it is tried again after this long. */
export const LONGEST_WAIT_MS = 600_000;

/**
 * Ms from `now` (wall clock) by `Retry-After`, else by `X-RateLimit-Reset`, which Datadog gives in
 * seconds to wait. Undefined when neither says anything that can be followed.
 */
export const retryAfterMs = (headers: HttpAnswer['headers'], now: number): number | undefined => {
  const waitMs =
    secondsOf(headers['retry-after']) ??
    untilDate(headers['retry-after'], now) ??
    secondsOf(headers['x-ratelimit-reset']);
  return waitMs === undefined ? undefined : Math.min(waitMs, LONGEST_WAIT_MS);
};

const secondsOf = (text = ''): number | undefined =>
  /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) * 1000 : undefined;

const HTTP_DATE = /^\s*[a-z]{3}, (\d\d) ([a-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT\s*$/i;
const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec';

const untilDate = (text = '', now: number): number | undefined => {
  const parts = HTTP_DATE.exec(text);
  if (parts === null) return undefined;
  const [, day, month = '', year, hour, minute, second] = parts;
  const place = MONTHS.indexOf(month.toLowerCase());
  if (place % 3 !== 0) return undefined;
  const days = daysSince1970(Number(year), place / 3, Number(day));
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  return Math.max(0, (days * 86_400 + seconds) * 1000 - now);
};

/** Counted in years that start on 1 March, so that a leap day is the last of its year. */
const daysSince1970 = (year: number, month: number, day: number): number => {
  const years = month < 2 ? year - 1 : year;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1;
  return 365 * years + leapDays + dayOfYear - 719_468;
};
