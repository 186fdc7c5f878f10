/**
 * When a check is due: schedule → **cron instants + the check's own offset** → scheduler. A tick is
 * a pure function of the check's id and schedule, so any worker computes the same one. The only
 * importer of cron-parser, which reads expressions; instants are computed by cron.ts.
 */

import { CronExpressionParser, type CronFieldCollection } from 'cron-parser';
import type { CheckId, Schedule } from '../domain/check.ts';
import { type Cron, WallClockCron } from './cron.ts';
import { fraction } from './hash.ts';
import { Timezone } from './timezone.ts';
import { type CivilDate, WallClock } from './wall-clock.ts';

export type { Cron } from './cron.ts';

/** What is wrong with a cron expression or its time zone, in one line for whoever wrote it. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
]);

const FIELD_NAMES = ['second', 'minute', 'hour', 'day of month', 'month', 'day of week'] as const;
type Fields = readonly [string, string, string, string, string, string];

/** Sharing is an economy, not a promise: past this many, the oldest are forgotten. */
const MAX_SHARED = 10_000;
const shared = new Map<string, Cron>();
const zones = new Map<string, Timezone>();

/** The cron of a check, shared by all with the same expression (after `H`) and zone. Throws CronError. */
export const cronOf = (schedule: Schedule, id: CheckId): Cron =>
  parseCron(schedule.cron, schedule.timezone, id);

/** Milliseconds in [0, splayMs) by which a check's ticks follow its cron's instants. */
export const offsetOf = (schedule: Schedule, id: CheckId): number =>
  namesTheSecond(schedule.cron) ? 0 : Math.floor(fraction(id) * schedule.splayMs);

/** `seed` chooses what `H` stands for. Throws CronError. */
export const parseCron = (text: string, timezone: string, seed: string): Cron => {
  const key = `${text}|${timezone}`;
  const known = shared.get(key);
  if (known) return known;
  const fields = split(text);
  const parsed = parse(fields, seed);
  // With `H`, what it came to is part of the name.
  const resolved = text.includes('H') ? `${parsed.stringify(true)}|${key}` : key;
  return shared.get(resolved) ?? remember(resolved, compile(fields, parsed, zoneOf(timezone)));
};

const remember = (key: string, cron: Cron): Cron => {
  const oldest = shared.size < MAX_SHARED ? undefined : shared.keys().next().value;
  if (oldest !== undefined) shared.delete(oldest);
  shared.set(key, cron);
  return cron;
};

const namesTheSecond = (text: string): boolean =>
  !text.startsWith('@') && text.trim().split(/\s+/).length === 6;

const split = (text: string): Fields => {
  const expanded = ALIASES.get(text.trim()) ?? text.trim();
  if (expanded.startsWith('@')) {
    throw new CronError(
      `"${expanded}" is not supported; the names are ${[...ALIASES.keys()].join(' ')}`,
    );
  }
  const fields = expanded === '' ? [] : expanded.split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) {
    throw new CronError(
      `a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 with a second in front; this one has ${fields.length}`,
    );
  }
  return (fields.length === 6 ? fields : ['0', ...fields]) as unknown as Fields;
};

const parse = (fields: Fields, seed: string): CronFieldCollection => {
  const odd = fields.findIndex((field) => !/^[\w*?,#()/-]+$/.test(field));
  if (odd >= 0) throw fieldError(odd, fields, 'a character that has no meaning in cron');
  try {
    return read(fields, seed);
  } catch {
    throw explain(fields, seed);
  }
};

// The zone plays no part in reading; a fixed date keeps the clock out of it.
const read = (fields: readonly string[], seed: string): CronFieldCollection =>
  CronExpressionParser.parse(fields.join(' '), { hashSeed: seed, tz: 'UTC', currentDate: 0 })
    .fields;

/** cron-parser's messages do not say which field they mean: the one that also fails alone. */
const explain = (fields: Fields, seed: string): CronError => {
  for (let index = 0; index < fields.length; index++) {
    const alone = fields.map((field, i) => (i === index ? field : '*'));
    try {
      read(alone, seed);
    } catch (error) {
      return fieldError(index, fields, (error as Error).message);
    }
  }
  return neverFires(fields);
};

const fieldError = (index: number, fields: Fields, why: string): CronError =>
  new CronError(`${FIELD_NAMES[index]} "${fields[index]}": ${why}`);

const neverFires = (fields: Fields): CronError =>
  new CronError(`never fires: month "${fields[4]}" has no day of month "${fields[3]}"`);

const zoneOf = (name: string): Timezone => {
  let zone = zones.get(name);
  if (!zone) {
    try {
      zone = new Timezone(name);
    } catch (cause) {
      throw new CronError(`unknown time zone "${name}"; use a name such as Europe/Berlin or UTC`, {
        cause,
      });
    }
    zones.set(name, zone);
  }
  return zone;
};

const compile = (fields: Fields, parsed: CronFieldCollection, zone: Timezone): Cron => {
  const entries = new WallClock({
    seconds: parsed.second.values,
    minutes: parsed.minute.values,
    hours: parsed.hour.values,
    months: parsed.month.values,
    matchesDay: dayMatcher(parsed),
  });
  return new WallClockCron(entries, zone, STEPS.test(fields[1]) || STEPS.test(fields[2]));
};

/** A minute or hour given as "every" or "every so many" follows the clock as it is shown. */
const STEPS = /^(?:[*?]|H\/)/;

/** As in every cron: where both day of month and day of week are restricted, one of them is enough. */
const dayMatcher = ({
  dayOfMonth,
  dayOfWeek,
}: CronFieldCollection): ((date: CivilDate) => boolean) => {
  const days = new Set<number | string>(dayOfMonth.values);
  const inMonth = ({ day, daysInMonth }: CivilDate): boolean =>
    days.has(day) || (dayOfMonth.hasLastChar && day === daysInMonth);
  const inWeek = weekdayMatcher(dayOfWeek);
  if (dayOfWeek.isWildcard) return inMonth;
  if (dayOfMonth.isWildcard) return inWeek;
  return (date) => inMonth(date) || inWeek(date);
};

/** `5#2` is the second Friday, `5L` the last. */
const weekdayMatcher = ({
  values,
  nthDay,
}: CronFieldCollection['dayOfWeek']): ((date: CivilDate) => boolean) => {
  const weekdays = new Set<number>();
  const lastWeekdays = new Set<number>();
  for (const value of values as readonly (number | string)[]) {
    const [set, text] =
      typeof value === 'string' ? [lastWeekdays, value.replace('L', '')] : [weekdays, value];
    set.add(Number(text) % 7);
  }
  return ({ day, weekday, daysInMonth }) =>
    (weekdays.has(weekday) && (nthDay <= 0 || Math.ceil(day / 7) === nthDay)) ||
    (lastWeekdays.has(weekday) && day > daysInMonth - 7);
};
