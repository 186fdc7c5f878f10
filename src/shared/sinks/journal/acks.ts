/** Acknowledgements on their way into the log: gathered, because a frame for each costs as a record. */

import type { DestinationId } from '../../domain/delivery.ts';
import type { AckRanges } from './frame.ts';

/** Keeps a frame below 100 KB or so. */
const RANGES_PER_FRAME = 4096;

export class Acks {
  readonly #seqs = new Map<DestinationId, number[]>();

  get isEmpty(): boolean {
    return this.#seqs.size === 0;
  }

  add(destination: DestinationId, seq: number): void {
    const seqs = this.#seqs.get(destination);
    if (seqs === undefined) this.#seqs.set(destination, [seq]);
    else seqs.push(seq);
  }

  /** What of it the log still needs, as frames. */
  ranges(isNeeded: (seq: number) => boolean): readonly AckRanges[] {
    const frames: AckRanges[] = [];
    for (const [destination, seqs] of this.#seqs) {
      const bounds = boundsOf(seqs.filter(isNeeded).toSorted((a, b) => a - b));
      for (let at = 0; at < bounds.length; at += 2 * RANGES_PER_FRAME)
        frames.push({ [destination]: bounds.slice(at, at + 2 * RANGES_PER_FRAME) });
    }
    return frames;
  }

  clear(): void {
    this.#seqs.clear();
  }
}

/** First and last of each run of consecutive numbers. */
const boundsOf = (sorted: readonly number[]): readonly number[] => {
  const bounds: number[] = [];
  for (const seq of sorted) {
    if (bounds.length > 0 && bounds.at(-1) === seq - 1) bounds[bounds.length - 1] = seq;
    else bounds.push(seq, seq);
  }
  return bounds;
};
