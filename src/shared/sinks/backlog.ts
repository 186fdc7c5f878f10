/**
 * What waits for a sink that is down: numbers only, the records themselves stay in the journal. In
 * the order of seq, so that the oldest are first to be sent and first to go.
 */

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

  /** Usually newer than all (what is live) or older than all (what was taken and came back). */
  add(items: readonly Waiting[]): void {
    const sorted = [...items].sort((a, b) => a.seq - b.seq);
    const [first] = sorted;
    if (!first) return;
    if (this.length === 0 || first.seq > (this.#seqs[this.#to - 1] as number)) {
      this.#reserve(sorted.length);
      for (const item of sorted) this.#put(this.#to++, item);
    } else this.#merge(sorted);
  }

  /** The `count` oldest, or all. */
  take(count: number): readonly Waiting[] {
    const taken: Waiting[] = [];
    while (taken.length < count && this.#from < this.#to) taken.push(this.#at(this.#from++));
    return taken;
  }

  /** Takes what is older than `at`, from the oldest on; instants follow seq closely, not exactly. */
  takeOlder(at: number): readonly Waiting[] {
    const taken: Waiting[] = [];
    while (this.#from < this.#to && (this.#ats[this.#from] as number) < at) {
      taken.push(this.#at(this.#from++));
    }
    return taken;
  }

  /** Takes those up to and including `seq`. */
  takeThrough(seq: number): readonly Waiting[] {
    const taken: Waiting[] = [];
    while (this.#from < this.#to && (this.#seqs[this.#from] as number) <= seq) {
      taken.push(this.#at(this.#from++));
    }
    return taken;
  }

  #at(index: number): Waiting {
    return { seq: this.#seqs[index] as number, at: this.#ats[index] as number };
  }

  #put(index: number, { seq, at }: Waiting): void {
    this.#seqs[index] = seq;
    this.#ats[index] = at;
  }

  #merge(sorted: readonly Waiting[]): void {
    const merged = [...this.take(this.length), ...sorted].sort((a, b) => a.seq - b.seq);
    this.#from = 0;
    this.#to = 0;
    this.#reserve(merged.length);
    for (const item of merged) this.#put(this.#to++, item);
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
