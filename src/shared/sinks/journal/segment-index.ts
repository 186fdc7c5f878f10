/**
 * Where the records of one segment stand, and who is still to have them. Exact, and about 12 bytes a
 * record: a bit for each (record, destination), at a place that record and position in its list of
 * destinations determine.
 */

import type { DestinationId } from '../../domain/delivery.ts';

/** Of a record that is damaged or was never in this segment: it has no destinations. */
const NO_ROUTE = 0xffff;
/** Lists of destinations that one segment can tell apart. */
export const MAX_ROUTES = NO_ROUTE;
const FIRST_LENGTH = 64;

export class SegmentIndex {
  #base: number;
  /** One that was damaged is missing. */
  readonly #routes: (readonly DestinationId[] | undefined)[] = [];
  #offsets = new Uint32Array(FIRST_LENGTH);
  #routeOf = new Uint16Array(FIRST_LENGTH);
  /** Number of the first of the record's bits. */
  #firstBit = new Uint32Array(FIRST_LENGTH);
  #done = new Uint8Array(FIRST_LENGTH);
  #count = 0;
  #bits = 0;
  #pending = 0;
  #urgentBytes = 0;

  constructor(base: number) {
    this.#base = base;
  }

  /** Seq of the first record. */
  get base(): number {
    return this.#base;
  }

  /** Seq after the last record. */
  get end(): number {
    return this.#base + this.#count;
  }

  /** (record, destination) that are not done. */
  get pending(): number {
    return this.#pending;
  }

  /** Of the records that are urgent, unless nothing is pending. */
  get urgentBytes(): number {
    return this.#pending === 0 ? 0 : this.#urgentBytes;
  }

  /** Number of the next list of destinations. */
  get routes(): number {
    return this.#routes.length;
  }

  setRoute(route: number, destinations: readonly DestinationId[]): void {
    this.#routes[route] = destinations;
  }

  hasRoute(route: number): boolean {
    return this.#routes[route] !== undefined;
  }

  /** While there is no record. */
  startAt(seq: number): void {
    this.#base = seq;
  }

  /** The record after the last one. */
  add(offset: number, route: number): void {
    const destinations = this.#routes[route]?.length ?? 0;
    this.#grow(this.#bits + destinations);
    this.#offsets[this.#count] = offset;
    this.#routeOf[this.#count] = destinations === 0 ? NO_ROUTE : route;
    this.#firstBit[this.#count] = this.#bits;
    this.#count += 1;
    this.#bits += destinations;
    this.#pending += destinations;
  }

  /** The record just added is urgent. */
  addUrgent(bytes: number): void {
    this.#urgentBytes += bytes;
  }

  /** A seq that cannot be read; `offset` is where the record before it has ended at the latest. */
  addGap(offset: number): void {
    this.add(offset, NO_ROUTE);
  }

  /** Null where there is nothing to read. */
  offsetOf(seq: number): number | null {
    const at = seq - this.#base;
    return this.#routeOf[at] === undefined || this.#routeOf[at] === NO_ROUTE || at >= this.#count
      ? null
      : (this.#offsets[at] ?? null);
  }

  /** Where what is written after the record starts; `bytes` for the last one. */
  limitOf(seq: number, bytes: number): number {
    const after = seq - this.#base + 1;
    return after < this.#count ? (this.#offsets[after] ?? bytes) : bytes;
  }

  /** False where it was done before, or was never for that destination. */
  settle(seq: number, destination: DestinationId): boolean {
    const at = seq - this.#base;
    const position = this.#destinationsOf(at).indexOf(destination);
    if (position < 0 || this.#isDone(at, position)) return false;
    const bit = (this.#firstBit[at] ?? 0) + position;
    this.#done[bit >>> 3] = (this.#done[bit >>> 3] ?? 0) | (1 << (bit & 7));
    this.#pending -= 1;
    return true;
  }

  /** Who is still to have it. */
  pendingOf(seq: number): readonly DestinationId[] {
    const at = seq - this.#base;
    const destinations = this.#destinationsOf(at);
    const isUntouched = destinations.every((_, position) => !this.#isDone(at, position));
    return isUntouched
      ? destinations
      : destinations.filter((_, position) => !this.#isDone(at, position));
  }

  /** Nothing will be added: gives back what was allocated ahead. */
  seal(): void {
    this.#offsets = this.#offsets.slice(0, this.#count);
    this.#routeOf = this.#routeOf.slice(0, this.#count);
    this.#firstBit = this.#firstBit.slice(0, this.#count);
    this.#done = this.#done.slice(0, (this.#bits + 7) >>> 3);
  }

  #destinationsOf(at: number): readonly DestinationId[] {
    return at >= 0 && at < this.#count ? (this.#routes[this.#routeOf[at] ?? NO_ROUTE] ?? []) : [];
  }

  #isDone(at: number, position: number): boolean {
    const bit = (this.#firstBit[at] ?? 0) + position;
    return ((this.#done[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  #grow(bits: number): void {
    if (this.#count === this.#offsets.length) {
      const length = this.#count * 2 || FIRST_LENGTH;
      this.#offsets = longer(this.#offsets, new Uint32Array(length));
      this.#routeOf = longer(this.#routeOf, new Uint16Array(length));
      this.#firstBit = longer(this.#firstBit, new Uint32Array(length));
    }
    if (bits > this.#done.length * 8)
      this.#done = longer(this.#done, new Uint8Array(Math.max(this.#done.length * 2, bits)));
  }
}

const longer = <T extends Uint32Array | Uint16Array | Uint8Array>(from: T, to: T): T => {
  to.set(from);
  return to;
};
