/**
 * What waits for a sink that is down: numbers only, the records themselves stay in the journal. In
 * the order of seq, so that the oldest are first to be sent and first to go. It may hold hundreds of
 * thousands, so nothing here makes an object of each.
 */

/** From seq to seq. */
export type Moves = ReadonlyMap<number, number>;

export interface Waiting {
  readonly seq: number;
  /** Instant of the emission, ms since the epoch: after a while the sink does not take it any more. */
  readonly at: number;
}

const SMALLEST = 64;

export class Backlog {
  #seqs = new Float64Array(SMALLEST);
  #ats = new Float64Array(SMALLEST);
  #from = 0;
  #to = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  /** Null when empty. */
  get oldest(): Waiting | null {
    return this.length === 0 ? null : this.#at(this.#from);
  }

  /** Usually newer than all (what was live) or older than all (what was taken and comes back). */
  add(items: readonly Waiting[]): void {
    const sorted = [...items].sort((a, b) => a.seq - b.seq);
    const [first, last] = [sorted[0], sorted.at(-1)];
    if (!first || !last) return;
    if (this.length === 0 || first.seq > (this.#seqs[this.#to - 1] as number)) {
      this.#reserve(sorted.length);
      for (const item of sorted) this.#put(this.#to++, item);
    } else if (last.seq < (this.#seqs[this.#from] as number) && this.#from >= sorted.length) {
      this.#from -= sorted.length;
      for (const [index, item] of sorted.entries()) this.#put(this.#from + index, item);
    } else this.#merge(sorted);
  }

  /** The `count` oldest, or all. */
  take(count: number): readonly Waiting[] {
    return this.#takeTo(Math.min(this.#to, this.#from + count));
  }

  /** Takes what is older than `at`, from the oldest on; instants follow seq closely, not exactly. */
  takeOlder(at: number): readonly Waiting[] {
    let end = this.#from;
    while (end < this.#to && (this.#ats[end] as number) < at) end += 1;
    return this.#takeTo(end);
  }

  /** Takes those up to and including `seq`. */
  takeThrough(seq: number): readonly Waiting[] {
    return this.#takeTo(this.#endOf(seq));
  }

  /** Those up to and including `seq`, which stay. */
  through(seq: number): readonly number[] {
    return [...this.#seqs.subarray(this.#from, this.#endOf(seq))];
  }

  /** Some have another seq from now on, newer than all. */
  move(to: Moves): void {
    const moved: Waiting[] = [];
    let kept = this.#from;
    for (let index = this.#from; index < this.#to; index++) {
      const { seq, at } = this.#at(index);
      const now = to.get(seq);
      if (now === undefined) this.#put(kept++, { seq, at });
      else moved.push({ seq: now, at });
    }
    this.#to = kept;
    this.add(moved);
  }

  #endOf(seq: number): number {
    let end = this.#from;
    while (end < this.#to && (this.#seqs[end] as number) <= seq) end += 1;
    return end;
  }

  #takeTo(end: number): readonly Waiting[] {
    const taken: Waiting[] = [];
    while (this.#from < end) taken.push(this.#at(this.#from++));
    return taken;
  }

  #at(index: number): Waiting {
    return { seq: this.#seqs[index] as number, at: this.#ats[index] as number };
  }

  #put(index: number, { seq, at }: Waiting): void {
    this.#seqs[index] = seq;
    this.#ats[index] = at;
  }

  /** From the newest to the oldest, in place: room for the new ones is made at the end. */
  #merge(sorted: readonly Waiting[]): void {
    this.#reserve(sorted.length);
    let old = this.#to - 1;
    this.#to += sorted.length;
    let place = this.#to - 1;
    for (const item of sorted.toReversed()) {
      while (old >= this.#from && (this.#seqs[old] as number) > item.seq)
        this.#put(place--, this.#at(old--));
      this.#put(place--, item);
    }
  }

  /** Room for `more` behind the last: by moving to the front, or into larger arrays. */
  #reserve(more: number): void {
    const { length } = this;
    if (this.#to + more <= this.#seqs.length) return;
    const size =
      (length + more) * 2 <= this.#seqs.length
        ? this.#seqs.length
        : Math.max(SMALLEST, (length + more) * 2);
    const [seqs, ats] = [new Float64Array(size), new Float64Array(size)];
    seqs.set(this.#seqs.subarray(this.#from, this.#to));
    ats.set(this.#ats.subarray(this.#from, this.#to));
    this.#seqs = seqs;
    this.#ats = ats;
    this.#from = 0;
    this.#to = length;
  }
}
