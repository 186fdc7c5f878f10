import { describe, expect, it } from 'vitest';
import { parseCron } from '../../../src/shared/rules/schedule.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const at = (text: string) => Date.parse(text);

/** Minutes on the wall since 1970, read from the runtime's calendar and from nothing of ours. */
const wallReader = (timeZone: string) => {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  return (instant: number): number => {
    const [month, day, year, hour, minute] = format.format(instant).match(/\d+/g)!.map(Number);
    return Date.UTC(year!, month! - 1, day, hour, minute) / MINUTE;
  };
};

interface Entry {
  readonly cron: string;
  readonly wild: boolean;
  readonly matches: (wallMinute: number) => boolean;
}

const entry = (
  cron: string,
  wild: boolean,
  minutes: number[],
  hours: number[],
  weekday?: number,
): Entry => ({
  cron,
  wild,
  matches: (wall) => {
    const shown = new Date(wall * MINUTE);
    return (
      minutes.includes(shown.getUTCMinutes()) &&
      hours.includes(shown.getUTCHours()) &&
      (weekday === undefined || shown.getUTCDay() === weekday)
    );
  },
});

const every = (step: number, below: number) =>
  Array.from({ length: Math.ceil(below / step) }, (_, n) => n * step);

const ENTRIES: readonly Entry[] = [
  entry('* * * * *', true, every(1, 60), every(1, 24)),
  entry('*/30 * * * *', true, every(30, 60), every(1, 24)),
  entry('0 */2 * * *', true, [0], every(2, 24)),
  entry('*/20 1-3 * * *', true, every(20, 60), [1, 2, 3]),
  entry('17 * * * *', true, [17], every(1, 24)),
  entry('30 2 * * *', false, [30], [2]),
  entry('0 2,3 * * *', false, [0], [2, 3]),
  entry('0 0 * * *', false, [0], [0]),
  entry('10,40 0-3 * * *', false, [10, 40], [0, 1, 2, 3]),
  entry('59 1,2,23 * * *', false, [59], [1, 2, 23]),
  entry('0 3 * * 0', false, [0], [3], 0),
  entry('5 0-23 * * *', false, [5], every(1, 24)),
];

/**
 * cronie's loop, minute by minute: entries with a star for minute or hour follow the clock; the
 * others are caught up after a jump ahead, and not repeated until the clock is where it was.
 */
const cronie = ({ wild, matches }: Entry, walls: readonly number[], start: number): number[] => {
  const ran = new Set<number>();
  let virtual = walls[0]! - 1;
  walls.forEach((wall, n) => {
    const instant = start + n * MINUTE;
    if (wild && matches(wall)) ran.add(instant);
    while (virtual < wall) if (matches(++virtual) && !wild) ran.add(instant);
  });
  return [...ran];
};

const compare = (timeZone: string, start: number, end: number): void => {
  const wallOf = wallReader(timeZone);
  const walls: number[] = [];
  for (let t = start; t < end; t += MINUTE) walls.push(wallOf(t));
  for (const one of ENTRIES) {
    const cron = parseCron(one.cron, timeZone, 'seed');
    const ours: number[] = [];
    for (let t = cron.after(start - 1); t < end; t = cron.after(t)) ours.push(t);
    const label = `${one.cron} ${timeZone} ${new Date(start).toISOString()}`;
    const expected = cronie(one, walls, start);
    expect([label, ...ours]).toEqual([label, ...expected]);
    expect([label, cron.span(start - 1, end - 1).count]).toEqual([label, expected.length]);
  }
};

/** Instants, to the minute, at which a zone's clocks are changed. */
const changes = (timeZone: string, from: number, to: number): number[] => {
  const wallOf = wallReader(timeZone);
  const shift = (t: number) => wallOf(t) - t / MINUTE;
  const found = [];
  for (let t = from; t < to; t += 7 * DAY) {
    if (shift(t) === shift(t + 7 * DAY)) continue;
    let [low, high] = [t, t + 7 * DAY];
    while (high - low > MINUTE) {
      const middle = Math.floor((low + high) / 2 / MINUTE) * MINUTE;
      if (shift(middle) === shift(t)) low = middle;
      else high = middle;
    }
    found.push(high);
  }
  return found;
};

describe('nights when clocks change', () => {
  it.each([
    ['Europe/Berlin', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00:00Z'],
    ['America/New_York', '2026-03-08T07:00:00Z'],
    ['America/New_York', '2026-11-01T06:00:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30:00Z'],
    ['Africa/Casablanca', '2026-02-15T02:00:00Z'],
    ['Africa/Casablanca', '2026-03-22T02:00:00Z'],
    ['America/Sao_Paulo', '2018-11-04T03:00:00Z'],
    ['America/Sao_Paulo', '2019-02-17T02:00:00Z'],
    ['Asia/Kathmandu', '2026-03-29T01:00:00Z'],
    ['Antarctica/Troll', '2026-03-29T01:00:00Z'],
  ])('run in %s around %s as under cronie', (zone, change) => {
    compare(zone, at(change) - DAY, at(change) + DAY);
  });

  it('run as under cronie at every change of every zone from 2020 to 2035', () => {
    const alike = new Map<string, string>();
    for (const zone of Intl.supportedValuesOf('timeZone')) {
      const found = changes(zone, at('2020-01-05T00:00:00Z'), at('2035-12-25T00:00:00Z'));
      const wallOf = wallReader(zone);
      const shifts = found.map((t) => `${t}${wallOf(t - MINUTE)}${wallOf(t)}`);
      if (found.length > 0) alike.set(shifts.join(), zone);
    }
    let compared = 0;
    for (const zone of alike.values()) {
      for (const change of changes(zone, at('2020-01-05T00:00:00Z'), at('2035-12-25T00:00:00Z'))) {
        compare(zone, change - 3 * HOUR, change + 3 * HOUR);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(500);
  }, 60_000);
});

describe('what that means', () => {
  const runs = (cron: string, zone: string, from: string, to: string): string[] => {
    const compiled = parseCron(cron, zone, 'seed');
    const found = [];
    for (let t = compiled.after(at(from)); t < at(to); t = compiled.after(t)) {
      found.push(new Date(t).toISOString().slice(11, 16));
    }
    return found;
  };

  it('runs 02:30 when the clock jumps from 02:00 to 03:00', () => {
    expect(
      runs('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'),
    ).toEqual(['01:00']);
  });

  it('runs 02:30 once when 02:30 comes twice', () => {
    expect(
      runs('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z'),
    ).toEqual(['00:30']);
  });

  it('runs every half hour of the repeated hour', () => {
    expect(
      runs('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:59:00Z', '2026-10-25T02:01:00Z'),
    ).toEqual(['00:00', '00:30', '01:00', '01:30', '02:00']);
  });

  it('runs two entries of a skipped hour as one', () => {
    expect(
      runs('10,40 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'),
    ).toEqual(['01:00']);
  });

  it('runs midnight where midnight is skipped', () => {
    expect(
      runs('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T12:00:00Z', '2018-11-04T12:00:00Z'),
    ).toEqual(['03:00']);
  });

  it('runs the entries of a day that a zone left out', () => {
    expect(
      runs('0 9 * * *', 'Pacific/Apia', '2011-12-29T12:00:00Z', '2011-12-30T23:00:00Z'),
    ).toEqual(['19:00', '10:00', '19:00']);
  });
});
