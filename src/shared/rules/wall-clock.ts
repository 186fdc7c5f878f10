/**
 * The entries of a cron expression on an ideal wall clock: one without time zone and without
 * changes. Times are wall seconds (see timezone.ts). Every question is answered by counting, so a
 * year of per-second entries costs no more than an hour of them.
 */

const DAY = 86_400;
/** An entry may be 40 years away: 29 February on a given weekday, over 2100. */
const HORIZON_DAYS = 41 * 366;

export interface WallClockFields {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** From 1. */
  readonly months: readonly number[];
  readonly matchesDay: (date: CivilDate) => boolean;
}

export interface CivilDate {
  readonly month: number;
  readonly day: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly daysInMonth: number;
}

/** Days since 1970-01-01 -> date, by counting in years that start on 1 March. */
export const civilDate = (days: number): CivilDate => {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + (month <= 2 ? 1 : 0);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const february = leap ? 29 : 28;
  return {
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    weekday: (((days + 4) % 7) + 7) % 7,
    daysInMonth: month === 2 ? february : 30 + ((month + (month >> 3)) & 1),
  };
};

/** ranks(values, n)[v] = how many of the values are below v. */
const ranks = (values: readonly number[], size: number): Uint8Array => {
  const below = new Uint8Array(size + 1);
  for (let v = 0; v < size; v++) below[v + 1] = (below[v] as number) + (values.includes(v) ? 1 : 0);
  return below;
};

export class WallClock {
  readonly #fields: WallClockFields;
  readonly #hourRanks: Uint8Array;
  readonly #minuteRanks: Uint8Array;
  readonly #secondRanks: Uint8Array;
  readonly #perMinute: number;
  readonly #perHour: number;
  readonly #perDay: number;
  #knownDay = Number.NaN;
  #knownMatch = false;

  constructor(fields: WallClockFields) {
    this.#fields = fields;
    this.#hourRanks = ranks(fields.hours, 24);
    this.#minuteRanks = ranks(fields.minutes, 60);
    this.#secondRanks = ranks(fields.seconds, 60);
    this.#perMinute = fields.seconds.length;
    this.#perHour = fields.minutes.length * this.#perMinute;
    this.#perDay = fields.hours.length * this.#perHour;
  }

  /** The first entry at or after a wall second; Infinity when there is none. */
  first(from: number): number {
    const day = Math.floor(from / DAY);
    if (this.#matches(day)) {
      const rank = this.#rank(from - day * DAY);
      if (rank < this.#perDay) return day * DAY + this.#select(rank);
    }
    for (let next = day + 1; next <= day + HORIZON_DAYS; next++) {
      if (this.#matches(next)) return next * DAY + this.#select(0);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The last entry in [from, to); -Infinity when there is none. */
  last(from: number, to: number): number {
    for (let day = Math.floor((to - 1) / DAY); (day + 1) * DAY > from; day--) {
      const rank = this.#matches(day) ? this.#rank(Math.min(to - day * DAY, DAY)) : 0;
      if (rank === 0) continue;
      const entry = day * DAY + this.#select(rank - 1);
      return entry >= from ? entry : Number.NEGATIVE_INFINITY;
    }
    return Number.NEGATIVE_INFINITY;
  }

  /** How many entries are in [from, to). */
  count(from: number, to: number): number {
    let entries = 0;
    for (let day = Math.floor(from / DAY); day * DAY < to; day++) {
      if (!this.#matches(day)) continue;
      const start = day * DAY;
      const before = from > start ? this.#rank(from - start) : 0;
      entries += this.#rank(Math.min(to - start, DAY)) - before;
    }
    return entries;
  }

  /** How many entries of a matching day come before a second of that day. */
  #rank(secondOfDay: number): number {
    const hour = Math.floor(secondOfDay / 3600);
    const rank = (this.#hourRanks[hour] as number) * this.#perHour;
    if (this.#hourRanks[hour + 1] === this.#hourRanks[hour] || hour === 24) return rank;
    const minute = Math.floor((secondOfDay % 3600) / 60);
    const within = rank + (this.#minuteRanks[minute] as number) * this.#perMinute;
    if (this.#minuteRanks[minute + 1] === this.#minuteRanks[minute]) return within;
    return within + (this.#secondRanks[secondOfDay % 60] as number);
  }

  /** The second of the day of the entry with that rank. */
  #select(rank: number): number {
    const hour = this.#fields.hours[Math.floor(rank / this.#perHour)] as number;
    const minute = this.#fields.minutes[
      Math.floor((rank % this.#perHour) / this.#perMinute)
    ] as number;
    return hour * 3600 + minute * 60 + (this.#fields.seconds[rank % this.#perMinute] as number);
  }

  #matches(day: number): boolean {
    if (day !== this.#knownDay) {
      const date = civilDate(day);
      this.#knownDay = day;
      this.#knownMatch = this.#fields.months.includes(date.month) && this.#fields.matchesDay(date);
    }
    return this.#knownMatch;
  }
}
