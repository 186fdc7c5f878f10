import { CronExpressionParser } from 'cron-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CheckId, Schedule } from '../../../src/shared/domain/check.ts';
import {
  type Cron,
  CronError,
  cronOf,
  offsetOf,
  parseCron,
} from '../../../src/shared/rules/schedule.ts';

const at = (text: string) => Date.parse(text);
const utc = (cron: string) => parseCron(cron, 'UTC', 'seed');
const schedule = (cron: string, splayMs = 60_000): Schedule => ({ cron, timezone: 'UTC', splayMs });
const id = (n: number) => `6ba7b810-9dad-51d1-80b4-${n.toString(16).padStart(12, '0')}` as CheckId;
const ids = Array.from({ length: 300 }, (_, n) => id(n));

const instants = (cron: Cron, from: number, count: number): number[] => {
  const found = [];
  for (let t = cron.after(from); found.length < count; t = cron.after(t)) found.push(t);
  return found;
};

describe('what is refused', () => {
  it.each([
    ['', '5 fields'],
    ['   ', 'this one has 0'],
    ['* * * *', 'this one has 4'],
    ['* * * * * * *', 'this one has 7'],
    ['60 * * * *', 'minute "60"'],
    ['*/0 * * * *', 'minute "*/0"'],
    ['5-1 * * * *', 'minute "5-1"'],
    ['1,,2 * * * *', 'minute "1,,2"'],
    ['-1 * * * *', 'minute "-1"'],
    ['* 24 * * *', 'hour "24"'],
    ['* * 0 * *', 'day of month "0"'],
    ['* * * 13 *', 'month "13"'],
    ['* * * * 8', 'day of week "8"'],
    ['* * * * ８', 'day of week "８"'],
    ['٣ * * * *', 'minute "٣"'],
    ['61 * * * * *', 'second "61"'],
    ['* * * foo *', 'month "foo"'],
    ['* * 15W * *', 'day of month "15W"'],
    ['*/5* * * * *', 'minute "*/5*"'],
    ['0 0 30 2 *', 'never fires'],
    ['0 0 31 4,6 *', 'never fires'],
    ['0 0 31 2,4,6,9,11 *', 'never fires'],
    ['@reboot', '@hourly @daily @midnight @weekly @monthly @yearly @annually'],
    ['@every 5m', '@hourly @daily @midnight @weekly @monthly @yearly @annually'],
    ['@minutely', 'not supported'],
  ])('refuses %j, naming %s', (cron, named) => {
    expect(() => utc(cron)).toThrow(CronError);
    expect(() => utc(cron)).toThrow(named);
  });

  it.each(['Mars/Olympus', '', 'Europe'])('refuses the time zone %j by name', (zone) => {
    expect(() => parseCron('* * * * *', zone, 'seed')).toThrow(`unknown time zone "${zone}"`);
  });

  it('either throws CronError or has an instant, whatever the text', () => {
    const field = fc.string({ unit: fc.constantFrom(...'0123456789*/-,?LH#()'), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 7 }), (fields) => {
        try {
          const next = utc(fields.join(' ')).after(0);
          expect(Number.isInteger(next / 1000)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CronError);
        }
      }),
    );
  });
});

describe('aliases', () => {
  it.each([
    ['@hourly', '2026-03-04T06:00:00Z'],
    ['@daily', '2026-03-05T00:00:00Z'],
    ['@midnight', '2026-03-05T00:00:00Z'],
    ['@weekly', '2026-03-08T00:00:00Z'],
    ['@monthly', '2026-04-01T00:00:00Z'],
    ['@yearly', '2027-01-01T00:00:00Z'],
    ['@annually', '2027-01-01T00:00:00Z'],
  ])('%s is next at %s', (alias, next) => {
    expect(utc(alias).after(at('2026-03-04T05:06:07Z'))).toBe(at(next));
  });
});

describe('instants in UTC', () => {
  const list = (low: number, high: number) => {
    const value = fc.integer({ min: low, max: high });
    const range = fc.tuple(value, value).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    const step = fc.integer({ min: 1, max: high }).map((n) => `*/${n}`);
    const pair = fc
      .uniqueArray(value, { minLength: 1, maxLength: 3 })
      .map((values) => values.join(','));
    return fc.oneof(fc.constant('*'), pair, range, step);
  };
  const weekday = fc.oneof(list(0, 6), fc.constantFrom('1#2', '5L', 'mon-fri', '7'));
  const day = fc.oneof(list(1, 31), fc.constant('L'));
  const clock = fc.tuple(list(0, 59), list(0, 23));
  const six = fc
    .tuple(fc.constantFrom('', '0 ', '*/7 ', '13,40 '), clock, day, list(1, 12), weekday)
    .map(([second, [minute, hour], ...rest]) => `${second}${minute} ${hour} ${rest.join(' ')}`);
  const moment = fc.integer({ min: at('1999-12-01T00:00:00Z'), max: at('2099-12-31T00:00:00Z') });

  it('are those that cron-parser finds', () => {
    fc.assert(
      fc.property(six, moment, (text, from) => {
        let theirs: { next(): { getTime(): number } };
        try {
          theirs = CronExpressionParser.parse(text, { tz: 'UTC', currentDate: from });
        } catch {
          expect(() => utc(text)).toThrow(CronError);
          return;
        }
        let now = from;
        const cron = utc(text);
        for (let n = 0; n < 12; n++) {
          const expected = theirs.next().getTime();
          now = cron.after(now);
          expect(now).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are counted as they are listed', () => {
    const zone = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'Australia/Lord_Howe',
      'Africa/Casablanca',
    );
    const wide = fc.integer({ min: 0, max: 40 * 86_400_000 });
    fc.assert(
      fc.property(six, zone, moment, wide, (text, timezone, after, width) => {
        let cron: Cron;
        try {
          cron = parseCron(text, timezone, 'seed');
        } catch {
          return;
        }
        let through = after + width;
        const listed = [];
        for (let t = cron.after(after); t <= through; t = cron.after(t)) {
          listed.push(t);
          if (listed.length === 500) through = t;
        }
        expect(cron.span(after, through)).toEqual({
          count: listed.length,
          last: listed.at(-1) ?? Number.NEGATIVE_INFINITY,
        });
      }),
      { numRuns: 300 },
    );
  });

  it('do not depend on what was asked before, earlier or much later', () => {
    fc.assert(
      fc.property(six, fc.array(moment, { minLength: 2, maxLength: 8 }), (text, moments) => {
        let shared: Cron;
        try {
          shared = parseCron(text, 'Europe/Berlin', 'seed');
        } catch {
          return;
        }
        for (const from of moments) {
          const next = shared.after(from);
          expect(next).toBeGreaterThan(from);
          expect(shared.after(next - 1)).toBe(next);
          expect(shared.after(from)).toBe(next);
          expect(shared.span(from, next)).toEqual({ count: 1, last: next });
        }
      }),
      { numRuns: 200 },
    );
  });

  it('count a year of seconds at once', () => {
    const start = at('2025-12-31T23:59:59Z');
    const year = utc('* * * * * *').span(start, start + 365 * 86_400_000);
    expect(year).toEqual({ count: 365 * 86_400, last: start + 365 * 86_400_000 });
  });

  it('come strictly after the moment asked, to the millisecond', () => {
    const noon = at('2026-03-04T12:00:00Z');
    const cron = utc('0 12 * * *');
    expect(cron.after(noon - 1)).toBe(noon);
    expect(cron.after(noon)).toBe(noon + 86_400_000);
    expect(cron.span(noon - 1, noon)).toEqual({ count: 1, last: noon });
    expect(cron.span(noon, noon + 999)).toEqual({ count: 0, last: Number.NEGATIVE_INFINITY });
  });

  it('know that 2000 was a leap year', () => {
    expect(utc('0 0 L 2 *').after(at('2000-02-01T00:00:00Z'))).toBe(at('2000-02-29T00:00:00Z'));
  });

  it('reach over the leap day that 2100 does not have', () => {
    expect(instants(utc('0 0 29 2 *'), at('2096-02-28T00:00:00Z'), 2)).toEqual([
      at('2096-02-29T00:00:00Z'),
      at('2104-02-29T00:00:00Z'),
    ]);
    expect(utc('0 0 * 2 1#5').after(at('2072-03-01T00:00:00Z'))).toBe(at('2112-02-29T00:00:00Z'));
  });
});

describe('the usual distance', () => {
  it.each([
    ['* * * * * *', 1000],
    ['* * * * *', 60_000],
    ['*/5 9-17 * * 1-5', 300_000],
    ['0,1,30 * * * *', 29 * 60_000],
    ['0 3 * * *', 86_400_000],
    ['@weekly', 7 * 86_400_000],
    ['0 0 29 2 *', 4 * 365.25 * 86_400_000],
  ])('of %j is %d ms', (cron, distance) => {
    expect(utc(cron).intervalMs).toBe(distance);
  });
});

describe('sharing', () => {
  it('gives one object to all checks with one expression and zone', () => {
    expect(cronOf(schedule('*/7 * * * *'), id(1))).toBe(cronOf(schedule('*/7 * * * *'), id(2)));
    expect(parseCron('*/7 * * * *', 'Asia/Tokyo', '')).not.toBe(
      parseCron('*/7 * * * *', 'UTC', ''),
    );
  });

  it('forgets the oldest of 10,000 expressions, and the forgotten one still works', () => {
    const first = utc('0 0 1 2 0');
    for (let n = 0; n < 10_000; n++) {
      utc(`${n % 60} ${Math.floor(n / 60) % 24} ${Math.floor(n / 1440) + 1} 1 0`);
    }
    expect(utc('0 0 1 2 0')).not.toBe(first);
    expect(first.after(0)).toBe(utc('0 0 1 2 0').after(0));
  });

  it('shares what H comes to', () => {
    const crons = new Set(ids.map((check) => cronOf(schedule('H * * * *'), check)));
    expect(crons.size).toBeLessThanOrEqual(60);
  });
});

describe('H', () => {
  const minuteOf = (check: CheckId) =>
    new Date(cronOf(schedule('H * * * *'), check).after(0)).getUTCMinutes();

  it('spreads 300 checks over at least 40 minutes, the same ones each time', () => {
    const minutes = ids.map(minuteOf);
    expect(new Set(minutes).size).toBeGreaterThanOrEqual(40);
    expect(ids.map(minuteOf)).toEqual(minutes);
    expect(minutes.slice(0, 5)).toEqual([23, 32, 47, 25, 58]);
  });

  it('stays inside its range and keeps its step', () => {
    for (const check of ids.slice(0, 50)) {
      const [first, second] = instants(
        cronOf(schedule('H(10-14)/2 H(2-4) * * *'), check),
        0,
        2,
      ).map((t) => new Date(t));
      expect(first!.getUTCHours()).toBeGreaterThanOrEqual(2);
      expect(first!.getUTCHours()).toBeLessThanOrEqual(4);
      expect(first!.getUTCMinutes()).toBeGreaterThanOrEqual(10);
      expect(second!.getTime() - first!.getTime()).toBe(120_000);
    }
  });
});

describe('the offset inside the minute', () => {
  it('is stable, spread over the whole splay, and below it', () => {
    const offsets = ids.map((check) => offsetOf(schedule('* * * * *'), check));
    expect(ids.map((check) => offsetOf(schedule('* * * * *'), check))).toEqual(offsets);
    expect(Math.max(...offsets)).toBeLessThan(60_000);
    expect(new Set(offsets.map((ms) => Math.floor(ms / 6000))).size).toBe(10);
  });

  it.each([
    ['* * * * * *', 60_000],
    ['  0 * * * * *  ', 60_000],
    ['* * * * *', 0],
  ])('is none for %j with a splay of %d ms', (cron, splayMs) => {
    for (const check of ids) expect(offsetOf(schedule(cron, splayMs), check)).toBe(0);
  });

  it('is there for an alias, which names no second', () => {
    expect(offsetOf(schedule('@hourly'), id(1))).toBeGreaterThan(0);
  });
});
