/**
 * What the checks of each host ask of this worker together, as columns: a run to a host counts as work
 * that more workers would share only up to the cap of runs to one host, and only if it does not time out.
 */

/** Below it a host's time-outs are what is left of rounding. */
const LEAST_LOST = 0.001;

export class HostLoads {
  readonly #cap: number;
  readonly #indices = new Map<string, number>();
  /** Index 0 is nobody's. */
  readonly #names: string[] = [''];
  readonly #free: number[] = [];
  /** Places, by index. */
  #demand = new Float64Array(64);
  #lost = new Float64Array(64);
  #checks = new Uint32Array(64);
  readonly #slow = new Set<number>();
  #places = 0;

  /** `cap`: runs to one host at a time. */
  constructor(cap: number) {
    this.#cap = cap;
  }

  /** Places that all hosts together ask for, as far as more workers would help. */
  get places(): number {
    return this.#places;
  }

  nameOf(index: number): string {
    return this.#names[index] as string;
  }

  /** Places that its checks ask for, what time-outs cost included. */
  loadOf(host: string): number {
    return this.#loadAt(this.#indices.get(host) ?? 0);
  }

  /**
   * The worst of those that hold their checks up: above the cap, or timing out. In one pass: where the
   * network is down, that is every host.
   */
  slowest(most: number): string[] {
    const worst: number[] = [];
    for (const index of this.#slow) {
      const isAmong = worst.length < most || this.#loadAt(index) > this.#loadAt(worst.at(-1) ?? 0);
      if (!isAmong) continue;
      if (worst.length === most) worst.pop();
      worst.push(index);
      worst.sort((a, b) => this.#loadAt(b) - this.#loadAt(a));
    }
    return worst.map((index) => this.nameOf(index));
  }

  /** One more check of this host; its index. */
  enter(host: string): number {
    const known = this.#indices.get(host);
    const index = known ?? this.#free.pop() ?? this.#names.length;
    if (known === undefined) this.#begin(index, host);
    this.#checks[index] = (this.#checks[index] as number) + 1;
    return index;
  }

  /** One check less, its part subtracted before. A host without checks is forgotten. */
  leave(index: number): void {
    const left = (this.#checks[index] as number) - 1;
    this.#checks[index] = left;
    if (left > 0) return;
    // What sums of fractions have left over goes with it.
    this.add(index, -(this.#demand[index] as number), -(this.#lost[index] as number));
    this.#indices.delete(this.nameOf(index));
    this.#names[index] = '';
    this.#free.push(index);
  }

  add(index: number, demand: number, lost: number): void {
    const before = this.#demand[index] as number;
    const after = before + demand;
    const timedOut = (this.#lost[index] as number) + lost;
    this.#demand[index] = after;
    this.#lost[index] = timedOut;
    this.#places += Math.min(after, this.#cap) - Math.min(before, this.#cap);
    if (after > this.#cap || timedOut > LEAST_LOST) this.#slow.add(index);
    else if (this.#slow.size > 0) this.#slow.delete(index);
  }

  #loadAt(index: number): number {
    return (this.#demand[index] as number) + (this.#lost[index] as number);
  }

  #begin(index: number, host: string): void {
    this.#reserve(index);
    this.#indices.set(host, index);
    this.#names[index] = host;
    this.#demand[index] = 0;
    this.#lost[index] = 0;
    this.#checks[index] = 0;
  }

  #reserve(index: number): void {
    const { length } = this.#checks;
    if (index < length) return;
    const wider = length + (length >> 1);
    const [demand, lost, checks] = [this.#demand, this.#lost, this.#checks];
    this.#demand = new Float64Array(wider);
    this.#demand.set(demand);
    this.#lost = new Float64Array(wider);
    this.#lost.set(lost);
    this.#checks = new Uint32Array(wider);
    this.#checks.set(checks);
  }
}
