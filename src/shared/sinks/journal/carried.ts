/** State changes out of segments that go, on their way to the head of the journal. */

import type { DestinationId } from '../../domain/delivery.ts';
import type { Entry, Kept } from './segment.ts';

export class Carried {
  #list: Kept[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** What they will take, at most. */
  get bytes(): number {
    return this.#bytes;
  }

  add(kept: readonly Kept[]): void {
    for (const one of kept) {
      this.#list.push(one);
      this.#bytes += sizeOf(one, one.destinations);
    }
  }

  take(): readonly Kept[] {
    const list = this.#list;
    this.#list = [];
    this.#bytes = 0;
    return list;
  }
}

/** Headers of a record's frame and of its destinations' one, at most. */
const FRAME_BYTES = 160;

/** Bytes in the journal, at most. */
export const sizeOf = ({ json }: Pick<Entry, 'json'>, to: readonly DestinationId[]): number =>
  Buffer.byteLength(json) + JSON.stringify(to).length + FRAME_BYTES;
