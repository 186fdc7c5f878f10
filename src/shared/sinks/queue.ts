/**
 * What one destination still has to get, in the order in which it goes: state changes, what is live,
 * the backlog. Live items are in memory; what waits longer is a number, its record in the journal.
 */

import { instantOf, isChange } from '../domain/delivery.ts';
import { Backlog, type Moves, type Waiting } from './backlog.ts';
import type { Item } from './destination.ts';

/** More live items than this are left to the journal: memory is for what goes soon. */
const MOST_LIVE = 25_000;

const waitingOf = ({ seq, emission }: Item): Waiting => ({ seq, at: instantOf(emission) });

export const renamed = (item: Item, to: Moves): Item => {
  const seq = to.get(item.seq);
  return seq === undefined ? item : { ...item, seq };
};

export const isUrgent = ({ emission }: Item): boolean => isChange(emission);

export interface Recovered extends Waiting {
  readonly urgent: boolean;
}

export class Queue {
  #urgent: Item[] = [];
  #live: Item[] = [];
  readonly #urgentBacklog = new Backlog();
  readonly #backlog = new Backlog();
  /** Halves of calls that were refused as a whole: next before anything else. */
  readonly #halves: (readonly Item[])[] = [];

  get length(): number {
    const halves = this.#halves.reduce((sum, half) => sum + half.length, 0);
    return this.gathered + this.waiting + halves;
  }

  /** Items in memory that wait for the end of their window. */
  get gathered(): number {
    return this.#urgent.length + this.#live.length;
  }

  get waiting(): number {
    return this.#urgentBacklog.length + this.#backlog.length;
  }

  get waitingRepeats(): number {
    return this.#backlog.length;
  }

  /** Ms since the epoch; null when empty. */
  get oldestAt(): number | null {
    const first = [this.#urgent[0], this.#live[0]].flatMap((item) =>
      item ? [waitingOf(item)] : [],
    );
    const oldest = [this.#urgentBacklog.oldest, this.#backlog.oldest, ...first];
    const ats = oldest.flatMap((one) => (one ? [one.at] : []));
    return ats.length === 0 ? null : Math.min(...ats);
  }

  add(item: Item): void {
    (isUrgent(item) ? this.#urgent : this.#live).push(item);
    if (this.#live.length > MOST_LIVE) this.#backlog.add(this.#live.splice(0).map(waitingOf));
  }

  addRecovered(items: readonly Recovered[]): void {
    this.#urgentBacklog.add(items.filter(({ urgent }) => urgent));
    this.#backlog.add(items.filter(({ urgent }) => !urgent));
  }

  addHalf(items: readonly Item[]): void {
    this.#halves.push(items);
  }

  takeHalf(): readonly Item[] | undefined {
    return this.#halves.pop();
  }

  takeGathered(most: number): readonly Item[] {
    const urgent = this.#urgent.splice(0, most);
    return [...urgent, ...this.#live.splice(0, most - urgent.length)];
  }

  takeWaitingChanges(most: number): readonly Waiting[] {
    return this.#urgentBacklog.take(most);
  }

  takeWaitingRepeats(most: number): readonly Waiting[] {
    return this.#backlog.take(most);
  }

  /** They could not be sent: they wait, and need no place in memory. */
  giveBack(items: readonly Item[]): void {
    this.#urgentBacklog.add(items.filter(isUrgent).map(waitingOf));
    this.#backlog.add(items.filter((item) => !isUrgent(item)).map(waitingOf));
  }

  /** Nothing of it can go for now. */
  demote(): void {
    const gathered = this.takeGathered(Number.POSITIVE_INFINITY);
    this.giveBack([...gathered, ...this.#halves.splice(0).flat()]);
  }

  /** Takes out what is older than `at`. */
  takeOlder(at: number): readonly Waiting[] {
    const old = [this.#urgentBacklog, this.#backlog].flatMap((one) => one.takeOlder(at));
    for (const gathered of [this.#urgent, this.#live])
      while (gathered[0] && instantOf(gathered[0].emission) < at)
        old.push(waitingOf(gathered.shift() as Item));
    return old;
  }

  /** Takes the repeats through `seq` out, and says which state changes there are up to there. */
  evict(seq: number): {
    readonly repeats: readonly Waiting[];
    readonly changes: readonly number[];
  } {
    this.giveBack(this.#halves.splice(0).flat());
    const live = this.#live.filter((item) => item.seq <= seq);
    this.#live = this.#live.filter((item) => item.seq > seq);
    const urgent = this.#urgent.filter((item) => item.seq <= seq);
    return {
      repeats: [...this.#backlog.takeThrough(seq), ...live.map(waitingOf)],
      changes: [...this.#urgentBacklog.through(seq), ...urgent.map((item) => item.seq)],
    };
  }

  /** Records of state changes have been written anew. */
  moved(to: Moves): void {
    this.#urgentBacklog.move(to);
    this.#urgent = this.#urgent.map((item) => renamed(item, to));
  }

  takeAll(): readonly Waiting[] {
    this.demote();
    return [
      ...this.#urgentBacklog.take(this.#urgentBacklog.length),
      ...this.#backlog.take(this.#backlog.length),
    ];
  }
}
