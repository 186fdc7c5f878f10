/** The segments of a journal, oldest first. */

import type { Log } from '../../runtime/log.ts';
import type { Segment } from './segment.ts';

type Kind = Segment['kind'];

export class Segments {
  readonly #log: Log;
  #list: Segment[];

  constructor(list: readonly Segment[], log: Log) {
    this.#list = [...list];
    this.#log = log;
  }

  [Symbol.iterator](): Iterator<Segment> {
    return this.#list.values();
  }

  push(segment: Segment): void {
    this.#list.push(segment);
  }

  /** The one that has, or had, the record. */
  find(seq: number): Segment | null {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#list[middle]?.index.base ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    const segment = this.#list[low - 1];
    return segment !== undefined && seq < segment.index.end ? segment : null;
  }

  get oldest(): Segment | undefined {
    return this.#list[0];
  }

  bytes(kind: Kind): number {
    return this.#sum(kind, (segment) => segment.footprint);
  }

  pending(kind: Kind): number {
    return this.#sum(kind, (segment) => segment.index.pending);
  }

  /** Out of the list; its bytes stay until it is removed. False where it was not there any more. */
  take(segment: Segment): boolean {
    const { length } = this.#list;
    this.#list = this.#list.filter((other) => other !== segment);
    return this.#list.length < length;
  }

  /**
   * Removes what nobody needs: a segment without pending records, and on disk only when every older
   * one on disk is gone, as it may hold their acknowledgements. True where the disk has room now.
   */
  release(...heads: readonly (Segment | null)[]): boolean {
    let isOldestOnDisk = true;
    let isFreed = false;
    for (const segment of this.#list) {
      const isDisk = segment.kind === 'disk';
      if (heads.includes(segment) || segment.index.pending > 0 || (isDisk && !isOldestOnDisk)) {
        if (isDisk) isOldestOnDisk = false;
        continue;
      }
      this.take(segment);
      if (this.remove(segment) && isDisk) isFreed = true;
    }
    return isFreed;
  }

  /** A file that cannot be removed is left: at worst its records are delivered again. */
  remove(segment: Segment): boolean {
    try {
      segment.remove();
      return true;
    } catch (error) {
      this.#log.debug('a segment of the journal could not be removed', { err: error });
      return false;
    }
  }

  clear(): void {
    for (const segment of this.#list) segment.close();
    this.#list = [];
  }

  #sum(kind: Kind, of: (segment: Segment) => number): number {
    return this.#list.reduce((sum, each) => sum + (each.kind === kind ? of(each) : 0), 0);
  }
}
