/** The folder of the simulated pool: checks whose ticks can be told by arithmetic, and how they change. */

import type { Catalogue } from '../../src/shared/domain/catalogue.ts';
import type { CheckDefinition, CheckId } from '../../src/shared/domain/check.ts';
import { offsetOf } from '../../src/shared/rules/schedule.ts';
import type { Random } from '../../src/shared/runtime/random.ts';
import { aSpec } from '../support/builders.ts';
import { aCatalogue } from '../support/fleet.ts';

export interface SimulatedCheck {
  readonly definition: CheckDefinition;
  readonly periodMs: number;
  /** Its ticks are the multiples of its period plus this. */
  readonly offsetMs: number;
  /** It must not run while its worker cannot prove its claim. */
  readonly stops: boolean;
}

const SCHEDULES: readonly (readonly [cron: string, periodMs: number, splayMs: number])[] = [
  ['*/10 * * * * *', 10_000, 0],
  ['*/15 * * * * *', 15_000, 0],
  ['*/20 * * * * *', 20_000, 0],
  ['*/30 * * * * *', 30_000, 0],
  ['* * * * *', 60_000, 60_000],
];

const SHARE_OF_STOPS = 0.2;

export class Folder {
  readonly checks = new Map<CheckId, SimulatedCheck>();
  readonly #random: Random;
  #count = 0;
  #edits = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  get catalogue(): Catalogue {
    return aCatalogue([...this.checks.values()].map(({ definition }) => definition));
  }

  /** A new check, in the folder from now on. */
  add(): SimulatedCheck {
    this.#count += 1;
    const [cron, periodMs, splayMs] = this.#any(SCHEDULES);
    const stops = this.#random.next() < SHARE_OF_STOPS;
    const schedule = { cron, timezone: 'UTC', splayMs };
    const id = `c${this.#count}` as CheckId;
    const onCoordinationLoss = stops ? 'stop' : 'run';
    const definition = {
      id,
      key: `h${this.#count}/`,
      spec: aSpec({ schedule, onCoordinationLoss }),
    };
    const check = { definition, periodMs, offsetMs: offsetOf(schedule, id), stops };
    this.checks.set(id, check);
    return check;
  }

  /** Takes a check out; null when there are few. */
  remove(): SimulatedCheck | null {
    if (this.checks.size < 4) return null;
    const check = this.#any([...this.checks.values()]);
    this.checks.delete(check.definition.id);
    return check;
  }

  /** Another question, the same ticks. */
  edit(check: SimulatedCheck = this.#any([...this.checks.values()])): SimulatedCheck {
    this.#edits += 1;
    const { definition } = check;
    const spec = { ...definition.spec, failAfter: 1 + (this.#edits % 5) };
    const edited = { ...check, definition: { ...definition, spec } };
    this.checks.set(definition.id, edited);
    return edited;
  }

  #any<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random.next() * list.length)] as T;
  }
}
