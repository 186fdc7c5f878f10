import { expect, it } from 'vitest';
import { retryAfterMs } from '../../../../src/shared/sinks/http/retry-after.ts';

const NOW = Date.UTC(2026, 10, 21, 8, 0, 0);
const inSeconds = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString();

it.each([
  ['0', 0],
  ['7', 7_000],
  [' 7 ', 7_000],
  ['1.5', 1_500],
  ['599', 599_000],
  ['600', 600_000],
  ['31536000', 600_000],
  ['99999999999999999999', 600_000],
  ['', undefined],
  ['-5', undefined],
  ['soon', undefined],
  ['5 minutes', undefined],
  ['0x10', undefined],
  ['1e3', undefined],
  [inSeconds(30), 30_000],
  [inSeconds(-30), 0],
  [inSeconds(365 * 86_400), 600_000],
  ['Sat, 21 Nov 2026 08:00:09 GMT', 9_000],
  ['Sat, 21 Now 2026 08:00:09 GMT', undefined],
  ['Sat, 21 Anf 2026 08:00:09 GMT', undefined],
  ['Sat, 21 Nov 2026 08:00:09', undefined],
])('reads Retry-After %j as %j ms', (text, expected) => {
  expect(retryAfterMs({ 'retry-after': text }, NOW)).toBe(expected);
});

it('finds every day of nine years where the calendar has it', () => {
  for (let day = 0; day < 9 * 366; day++) {
    const date = Date.UTC(2023, 0, 1 + day, 12, 34, 56);
    const header = { 'retry-after': new Date(date).toUTCString() };
    expect(retryAfterMs(header, date - 1_000)).toBe(1_000);
  }
});

it.each([
  [{ 'x-ratelimit-reset': '9' }, 9_000],
  [{ 'x-ratelimit-reset': '1795248000' }, 600_000],
  [{ 'x-ratelimit-reset': 'garbage' }, undefined],
  [{ 'x-ratelimit-reset': '9', 'retry-after': '4' }, 4_000],
  [{ 'x-ratelimit-reset': '9', 'retry-after': 'garbage' }, 9_000],
  [{}, undefined],
])('reads %j as %j ms', (headers, expected) => {
  expect(retryAfterMs(headers, NOW)).toBe(expected);
});
