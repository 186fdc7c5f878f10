/** What has arrived at one sink: which results, how often, how old, and whether repeats were equal. */

import { crc32 } from 'node:zlib';
import { dueAt, numberOf, type Sequence } from './synthetic.ts';

const FIRST_CAPACITY = 65_536;

export class Arrivals {
  readonly #sequence: Sequence;
  readonly isFor: (n: number) => boolean;
  #counts = new Uint8Array(FIRST_CAPACITY);
  /** Of what came first, to hold repeats against. */
  #contents = new Uint32Array(FIRST_CAPACITY);
  #agesMs = new Float32Array(FIRST_CAPACITY);
  #arrived = 0;
  repeats = 0;
  /** Repeats with another identity or another content, and results that nobody has made. */
  wrong = 0;
  lastAt = 0;

  constructor(sequence: Sequence, isFor: (n: number) => boolean = () => true) {
    this.#sequence = sequence;
    this.isFor = isFor;
  }

  get arrived(): number {
    return this.#arrived;
  }

  /** `tick` in ms since the epoch; the content is all of it, as it came. */
  takeTick(check: string, tick: number, content: string): void {
    this.take(numberOf(check, tick, this.#sequence), content);
  }

  take(n: number | null, content: string): void {
    if (n === null || !this.isFor(n)) {
      this.wrong += 1;
      return;
    }
    if (n >= this.#counts.length) this.#grow(n);
    const mark = crc32(content);
    const now = Date.now();
    this.lastAt = now;
    const before = this.#counts[n] ?? 0;
    this.#counts[n] = Math.min(255, before + 1);
    if (before === 0) {
      this.#contents[n] = mark;
      this.#agesMs[n] = now - dueAt(n, this.#sequence);
      this.#arrived += 1;
      return;
    }
    this.repeats += 1;
    if (this.#contents[n] !== mark) this.wrong += 1;
  }

  has(n: number): boolean {
    return (this.#counts[n] ?? 0) > 0;
  }

  /** Of those that are for this sink. */
  missing(numbers: Iterable<number>): number {
    let missing = 0;
    for (const n of numbers) if (this.isFor(n) && !this.has(n)) missing += 1;
    return missing;
  }

  /** How old the oldest of these was when it arrived. */
  oldestMs(from: number, to: number): number {
    let oldest = 0;
    for (let n = from; n < to; n++) oldest = Math.max(oldest, this.#agesMs[n] ?? 0);
    return oldest;
  }

  #grow(n: number): void {
    const length = Math.max(n + 1, this.#counts.length * 2);
    const [counts, contents, ages] = [this.#counts, this.#contents, this.#agesMs];
    this.#counts = new Uint8Array(length);
    this.#contents = new Uint32Array(length);
    this.#agesMs = new Float32Array(length);
    this.#counts.set(counts);
    this.#contents.set(contents);
    this.#agesMs.set(ages);
  }
}

export function* range(from: number, to: number): Iterable<number> {
  for (let n = from; n < to; n++) yield n;
}
