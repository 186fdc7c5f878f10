/**
 * The worker's places: how many runs may be in flight, in all and to one host. A run that finds no
 * place waits its turn; one that finds its host full waits behind that host only.
 */

export interface Placed {
  /** Host the run goes to, as the check names it. */
  readonly host: string;
}

export interface PlaceLimits {
  readonly total: number;
  readonly perHost: number;
}

export class Places<Run extends Placed> {
  readonly #limits: PlaceLimits;
  /** Runs in flight by host; a host with none has no entry, so memory follows the limit. */
  readonly #taken = new Map<string, number>();
  readonly #queue = new Fifo<Run>();
  readonly #behindHost = new Map<string, Fifo<Run>>();
  #inFlight = 0;
  #waiting = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Hosts that hold runs up by the cap of runs to one, and how many. */
  *behindHosts(): Iterable<readonly [host: string, runs: number]> {
    for (const [host, { size }] of this.#behindHost) if (size > 0) yield [host, size];
  }

  /** Takes a place for the run, or queues it; says whether it may start now. */
  enter(run: Run): boolean {
    if (this.#inFlight < this.#limits.total && this.#take(run)) return true;
    if (this.#inFlight >= this.#limits.total) this.#queue.push(run);
    this.#waiting++;
    return false;
  }

  /** Gives a run's place back and returns the run that starts in its stead, its place taken. */
  leave(run: Run): Run | undefined {
    this.#inFlight--;
    const left = (this.#taken.get(run.host) ?? 1) - 1;
    if (left === 0) this.#taken.delete(run.host);
    else this.#taken.set(run.host, left);
    return this.#next(run.host);
  }

  /** Takes a waiting run out of the queue. */
  withdraw(run: Run): void {
    const host = this.#behindHost.get(run.host);
    if (host?.remove(run) || this.#queue.remove(run)) this.#waiting--;
  }

  #next(freedHost: string): Run | undefined {
    const sameHost = this.#behindHost.get(freedHost);
    const waiting = sameHost?.shift();
    if (sameHost?.empty) this.#behindHost.delete(freedHost);
    if (waiting && this.#take(waiting)) {
      this.#waiting--;
      return waiting;
    }
    for (let run = this.#queue.shift(); run; run = this.#queue.shift()) {
      if (!this.#take(run)) continue;
      this.#waiting--;
      return run;
    }
    return undefined;
  }

  /** False when the run's host is full: it then waits behind that host. */
  #take(run: Run): boolean {
    const taken = this.#taken.get(run.host) ?? 0;
    if (taken >= this.#limits.perHost) {
      const queue = this.#behindHost.get(run.host) ?? new Fifo<Run>();
      queue.push(run);
      this.#behindHost.set(run.host, queue);
      return false;
    }
    this.#taken.set(run.host, taken + 1);
    this.#inFlight++;
    return true;
  }
}

/** First in, first out, with O(1) shift: an array and the index of its head. */
class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.empty) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  remove(item: T): boolean {
    const index = this.#items.indexOf(item, this.#head);
    if (index < 0) return false;
    this.#items.splice(index, 1);
    return true;
  }
}
