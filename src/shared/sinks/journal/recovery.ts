/** Reads what a process has left in its slot: which records are there, and who is still to have them. */

import fs from 'node:fs';
import type { DestinationId } from '../../domain/delivery.ts';
import {
  type AckRanges,
  acksAt,
  bodyEnd,
  kindOf,
  nextFrame,
  nextLine,
  recordAt,
  routeAt,
} from './frame.ts';
import { Segment } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';
import { FileStorage } from './storage.ts';

export interface Recovered {
  /** Oldest first. */
  readonly segments: readonly Segment[];
  readonly nextSeq: number;
  /** Places where frames were damaged. */
  readonly damaged: number;
  /** Files that could not be read. */
  readonly unreadable: readonly string[];
}

/** `files` in the order in which they were written. Does not throw. */
export const recover = (files: readonly string[]): Recovered => {
  const recovery = new Recovery();
  const unreadable = files.filter((file, at) => {
    try {
      recovery.read(file, at === files.length - 1);
      return false;
    } catch {
      return true;
    }
  });
  const { segments, nextSeq, damaged } = recovery;
  return { segments, nextSeq, damaged, unreadable };
};

class Recovery {
  readonly segments: Segment[] = [];
  nextSeq = 1;
  damaged = 0;
  #index = new SegmentIndex(1);

  /** A process that was killed while writing leaves a torn line at the end of its last file. */
  read(file: string, isLast: boolean): void {
    const bytes = fs.readFileSync(file);
    this.#index = new SegmentIndex(this.nextSeq);
    const soundBytes = this.#scan(bytes);
    const segment = new Segment(this.#index, FileStorage.open(file));
    segment.seal();
    this.segments.push(segment);
    this.nextSeq = this.#index.end;
    const isTorn = soundBytes < bytes.length && nextLine(bytes, soundBytes) < 0;
    if (isTorn && isLast) truncate(file, soundBytes);
    if (!isTorn && soundBytes < bytes.length) this.damaged += 1;
  }

  /** Where the last sound frame ends. */
  #scan(bytes: Buffer): number {
    let sound = 0;
    let isDamaged = false;
    // A line that is not a sound frame is skipped; where a sound one follows, it was damaged.
    for (let at = 0; at >= 0 && at < bytes.length; ) {
      const end = bodyEnd(bytes, at);
      if (end < 0) {
        isDamaged = true;
        at = nextLine(bytes, at);
        continue;
      }
      if (!this.#take(bytes, at, end)) isDamaged = true;
      if (isDamaged) this.damaged += 1;
      isDamaged = false;
      at = nextFrame(end);
      sound = at;
    }
    return sound;
  }

  /** False where it says what cannot be. */
  #take(bytes: Buffer, at: number, end: number): boolean {
    const kind = kindOf(bytes, at);
    if (kind === 'R ') return this.#takeRecord(bytes, at, end);
    if (kind === 'D ') this.#index.setRoute(...routeAt(bytes, at, end));
    else if (kind === 'A ') this.#takeAcks(acksAt(bytes, at, end));
    else return false;
    return true;
  }

  #takeRecord(bytes: Buffer, at: number, end: number): boolean {
    const { seq, route, urgent } = recordAt(bytes, at);
    const isFirst = this.#index.end === this.#index.base;
    if (isFirst && seq >= this.#index.base) this.#index.startAt(seq);
    // Each missing seq stood in this file once: more than its bytes there were not.
    const missing = seq - this.#index.end;
    if (!(missing >= 0 && missing < bytes.length)) return false;
    for (let gap = 0; gap < missing; gap++) this.#index.addGap(at);
    if (urgent) this.#index.addUrgent(end - at);
    this.#index.add(at, route);
    return this.#index.hasRoute(route);
  }

  #takeAcks(ranges: AckRanges): void {
    for (const [destination, bounds] of Object.entries(ranges)) {
      for (let at = 0; at + 1 < bounds.length; at += 2)
        this.#settle(destination as DestinationId, bounds[at] ?? 0, bounds[at + 1] ?? -1);
    }
  }

  #settle(destination: DestinationId, first: number, last: number): void {
    for (const { index } of [...this.segments, { index: this.#index }]) {
      const end = Math.min(last + 1, index.end);
      for (let seq = Math.max(first, index.base); seq < end; seq++) index.settle(seq, destination);
    }
  }
}

const truncate = (file: string, bytes: number): void => {
  try {
    fs.truncateSync(file, bytes);
  } catch {
    // It is skipped at each reading.
  }
};
