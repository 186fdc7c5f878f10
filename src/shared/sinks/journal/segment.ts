/**
 * A stretch of the journal: its bytes and the index over them. Seqs grow by one within it; frames
 * with acknowledgements of older records stand between its records.
 */

import type { DestinationId } from '../../domain/delivery.ts';
import {
  type AckRanges,
  ackFrame,
  bodyEnd,
  type Frame,
  recordAt,
  recordFrame,
  routeFrame,
} from './frame.ts';
import { MAX_ROUTES, type SegmentIndex } from './segment-index.ts';
import type { Storage } from './storage.ts';

/** What is appended, its JSON made already. */
export interface Entry {
  /** Ms since the epoch. */
  readonly at: number;
  readonly urgent: boolean;
  readonly json: string;
}

/** A record that somebody is still to have. */
interface Waiting {
  readonly seq: number;
  /** Ms since the epoch. */
  readonly at: number;
  readonly urgent: boolean;
  readonly destinations: readonly DestinationId[];
}

export interface Kept extends Waiting, Entry {}

export class Segment {
  readonly index: SegmentIndex;
  readonly #storage: Storage;
  readonly #capacity: number;
  /** For writing only, empty once sealed. By content, and by the object for callers that share it. */
  readonly #routeByContent = new Map<string, number>();
  #routeByObject = new WeakMap<readonly DestinationId[], number>();
  #sealed = false;

  /** What a former process wrote has no capacity: nothing is added to it. */
  constructor(index: SegmentIndex, storage: Storage, capacity = 0) {
    this.index = index;
    this.#storage = storage;
    this.#capacity = capacity;
  }

  get kind(): Storage['kind'] {
    return this.#storage.kind;
  }

  get footprint(): number {
    return this.#storage.footprint;
  }

  /**
   * The record's seq; null where the segment is full. A record that is larger than a segment gets
   * one of its own. Throws where the disk does not take it; then nothing has changed.
   */
  append({ at, urgent, json }: Entry, destinations: readonly DestinationId[]): number | null {
    const seq = this.index.end;
    const known = this.#routeOf(destinations);
    const route = known ?? this.index.routes;
    const record = recordFrame({ seq, at, urgent, route }, json);
    // In one write, so that there is no record without its list of destinations.
    const text = known === undefined ? joined(routeFrame(route, destinations), record) : record;
    if (!this.#hasRoom(text.bytes)) return null;
    this.#storage.write(text);
    if (known === undefined) this.#remember(route, destinations);
    this.index.add(this.#storage.bytes - record.bytes, route);
    if (urgent) this.index.addUrgent(record.bytes);
    return seq;
  }

  /** Throws where the disk does not take it. */
  appendAcks(ranges: AckRanges): void {
    this.#storage.write(ackFrame(ranges));
  }

  /** The record's JSON; null where it is not here, or damaged. */
  read(seq: number): string | null {
    const from = this.index.offsetOf(seq);
    if (from === null) return null;
    const bytes = this.#bytes(from, this.index.limitOf(seq, this.#storage.bytes));
    const end = bodyEnd(bytes, 0);
    return end < 0 ? null : bytes.toString('utf8', recordAt(bytes, 0).json, end);
  }

  /** Records that are not done, in the order of seq. */
  *pending(): Generator<Waiting> {
    if (this.index.pending === 0) return;
    const bytes = this.#bytes(0, this.#storage.bytes);
    for (let seq = this.index.base; seq < this.index.end; seq++) {
      const at = this.index.offsetOf(seq);
      const destinations = at === null ? [] : this.index.pendingOf(seq);
      if (at === null || destinations.length === 0 || bodyEnd(bytes, at) < 0) continue;
      const header = recordAt(bytes, at);
      yield { seq, at: header.at, urgent: header.urgent, destinations };
    }
  }

  /** The same with what they say. */
  *kept(): Generator<Kept> {
    for (const waiting of this.pending()) {
      const json = this.read(waiting.seq);
      if (json !== null) yield { ...waiting, json };
    }
  }

  seal(): void {
    this.#sealed = true;
    this.#routeByContent.clear();
    this.#routeByObject = new WeakMap();
    this.index.seal();
  }

  close(): void {
    this.#storage.close();
  }

  /** Throws where the disk refuses. */
  remove(): void {
    this.#storage.remove();
  }

  #hasRoom(bytes: number): boolean {
    if (this.#sealed) return false;
    const isWithin = this.#storage.bytes + bytes <= this.#capacity;
    return this.index.end === this.index.base || (isWithin && this.index.routes < MAX_ROUTES);
  }

  #bytes(from: number, to: number): Buffer {
    try {
      return this.#storage.read(from, to);
    } catch {
      return Buffer.alloc(0);
    }
  }

  #routeOf(destinations: readonly DestinationId[]): number | undefined {
    const known = this.#routeByObject.get(destinations);
    if (known !== undefined) return known;
    const same = this.#routeByContent.get(destinations.join(' '));
    if (same !== undefined) this.#routeByObject.set(destinations, same);
    return same;
  }

  #remember(route: number, destinations: readonly DestinationId[]): void {
    this.#routeByContent.set(destinations.join(' '), route);
    this.#routeByObject.set(destinations, route);
    this.index.setRoute(route, destinations);
  }
}

const joined = (first: Frame, second: Frame): Frame => ({
  text: first.text + second.text,
  bytes: first.bytes + second.bytes,
});
