/**
 * Where the journal writes: a list of segments whose last one, the head, takes what comes. The head
 * is a file as long as the disk takes it, otherwise memory; when a bound is reached, the oldest
 * segment goes, and the state changes in it are written anew.
 *
 * States of the disk: works → (a write fails) failing: the file is sealed, memory is the head, and a
 * new file is tried after a while or when one was removed → (it takes a record) works.
 */

import type { DestinationId } from '../../domain/delivery.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Carried, sizeOf } from './carried.ts';
import type { AckRanges } from './frame.ts';
import type { Recovered } from './recovery.ts';
import { type Entry, type Kept, Segment } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';
import { Segments } from './segments.ts';
import type { Spool } from './spool.ts';
import { MemoryStorage, type Storage } from './storage.ts';

interface Limit {
  readonly segmentBytes: number;
  readonly totalBytes: number;
}

export interface JournalLimits {
  readonly disk: Limit;
  readonly memory: Limit;
}

const MIB = 1024 * 1024;
export const LIMITS: JournalLimits = {
  disk: { segmentBytes: 4 * MIB, totalBytes: 256 * MIB },
  memory: { segmentBytes: MIB, totalBytes: 24 * MIB },
};
const TELL_AGAIN_MS = 300_000;
const RETRY_DISK_MS = 10_000;
/** Of a bound: state changes are written anew in one go, and a check waits for that. */
const CARRIED_SHARE = 1 / 8;
/** On the monotonic clock. */
const NOW = Number.NEGATIVE_INFINITY;

export interface AppendLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: JournalLimits;
  /** Null: memory only. */
  readonly spool: Spool | null;
  /** What of a segment that goes must stay. */
  readonly urgentOf: (segment: Segment) => readonly Kept[];
  readonly onMoved: (kept: Kept, to: number) => void;
  /** The disk takes something again. */
  readonly onDiskWorks: () => void;
}

export class AppendLog {
  readonly segments: Segments;
  readonly #options: AppendLogOptions;
  #head: Segment | null = null;
  /** The head in memory, until a new file has proved that the disk takes something again. */
  #fallback: Segment | null = null;
  #nextSeq: number;
  #diskFailedAt: number | null = null;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** The log knows of the present failure. */
  #isTold = false;
  /** On the monotonic clock; while the disk is failing. */
  #retryDiskAt = NOW;
  readonly #carried = new Carried();
  /** Within one append: what goes from then on carries nothing, or it might never end. */
  #hasMoved = false;
  /** Segments whose bytes go once what they carry is safe: a crash in between finds it twice. */
  #leaving: Segment[] = [];

  /** `own`: what a former process has left in the slot that is now this one's. */
  constructor(options: AppendLogOptions, own: Recovered | undefined) {
    this.#options = options;
    this.segments = new Segments(own?.segments ?? [], options.log);
    this.#nextSeq = own?.nextSeq ?? 1;
    this.segments.release();
  }

  /** Ms since the epoch; null where the disk works, or none is wanted. */
  get diskFailedAt(): number | null {
    return this.#diskFailedAt;
  }

  /** Does not throw. */
  append(entry: Entry, to: readonly DestinationId[]): number {
    const seq = this.#add(entry, to);
    if (this.#leaving.length > 0) this.#removeLeaving();
    this.#hasMoved = false;
    return seq;
  }

  /** False where the disk does not take them now. */
  appendAcks(frames: readonly AckRanges[]): boolean {
    if (this.#diskFailedAt !== null || (this.#head === null && !this.#openFile())) return false;
    try {
      for (const frame of frames) this.#head?.appendAcks(frame);
      return true;
    } catch (error) {
      this.#diskFailed(error);
      return false;
    }
  }

  /** Removes what nobody needs any more. */
  release(): void {
    if (this.segments.release(this.#head, this.#fallback)) this.#retryDiskAt = NOW;
  }

  /** Whatever the disk has refused so far. */
  retryDisk(): void {
    this.#retryDiskAt = NOW;
  }

  close(): void {
    this.segments.release();
    this.segments.clear();
    this.#head = null;
    this.#fallback = null;
  }

  #add(entry: Entry, to: readonly DestinationId[]): number {
    // Left when a head takes it: a new segment has room, and memory does not refuse.
    for (;;) {
      const head = this.#headFor(entry, to);
      try {
        const seq = head.append(entry, to);
        if (seq !== null) return this.#added(head, seq);
        this.#sealHead();
      } catch (error) {
        this.#diskFailed(error);
      }
    }
  }

  #added(head: Segment, seq: number): number {
    this.#nextSeq = seq + 1;
    if (this.#diskFailedAt !== null && head.kind === 'disk') this.#diskWorks();
    return seq;
  }

  /** Where the next record goes, after what segments that go have carried over. */
  #headFor(entry: Entry, to: readonly DestinationId[]): Segment {
    // Left with a head: opening a file fails once at most, and opening memory does not fail.
    for (let disk = true; ; ) {
      const head = this.#head;
      if (head !== null && !(disk && head.kind === 'memory' && this.#isDiskDue())) {
        if (this.#carried.isEmpty) return head;
        this.#moveCarried();
      } else if (disk && this.#isDiskDue()) {
        this.#makeRoom('disk', this.#options.limits.disk.segmentBytes);
        disk = this.#openFile();
      } else this.#openMemory(sizeOf(entry, to), disk);
    }
  }

  #isDiskDue(): boolean {
    const { spool, clock } = this.#options;
    if (spool === null) return false;
    return this.#diskFailedAt === null || clock.monotonicMs() >= this.#retryDiskAt;
  }

  #openFile(): boolean {
    const { spool, limits } = this.#options;
    if (spool === null) return false;
    try {
      const storage = spool.create();
      this.#fallback = this.#head;
      this.#setHead(storage, limits.disk.segmentBytes);
      return true;
    } catch (error) {
      this.#diskFailed(error);
      return false;
    }
  }

  /** Where memory is full and the oldest segment is a file, that goes, and the disk is due. */
  #openMemory(bytes: number, mayUseDisk: boolean): void {
    const { segmentBytes, totalBytes } = this.#options.limits.memory;
    const capacity = Math.max(segmentBytes, bytes);
    const isFull = this.segments.bytes('memory') + capacity > totalBytes;
    const { oldest } = this.segments;
    if (isFull && mayUseDisk && oldest?.kind === 'disk') {
      this.#evict(oldest, !this.#hasMoved);
      this.#removeLeaving();
      this.#retryDiskAt = NOW;
      return;
    }
    this.#makeRoom('memory', capacity);
    this.#setHead(new MemoryStorage(capacity), capacity);
  }

  #setHead(storage: Storage, capacity: number): void {
    this.#head = new Segment(new SegmentIndex(this.#nextSeq), storage, capacity);
    this.segments.push(this.#head);
  }

  #sealHead(): void {
    this.#head?.seal();
    this.#head = null;
    this.release();
  }

  /** So that what is carried over, and so many bytes, are within the bound of their kind. */
  #makeRoom(kind: Storage['kind'], bytes: number): void {
    const { totalBytes } = this.#options.limits[kind];
    // Left at the latest when no segment is left: each turn takes one.
    for (;;) {
      const { oldest } = this.segments;
      const excess = this.segments.bytes(kind) + this.#carried.bytes + bytes - totalBytes;
      if (oldest === undefined || excess <= 0) return;
      const group = this.#hasMoved ? [] : this.#groupThatFrees(kind, excess);
      for (const segment of group) this.#evict(segment, true);
      if (group.length === 0) this.#evict(oldest, false);
    }
  }

  /**
   * The oldest segments that free so much although their state changes stay. Empty where those are
   * too many in a row: then the oldest segment goes with all that it holds.
   */
  #groupThatFrees(kind: Storage['kind'], excess: number): readonly Segment[] {
    const group: Segment[] = [];
    const most = this.#options.limits[kind].totalBytes * CARRIED_SHARE - this.#carried.bytes;
    let freed = 0;
    let urgent = 0;
    for (const segment of this.segments) {
      group.push(segment);
      urgent += segment.index.urgentBytes;
      if (segment.kind === kind) freed += segment.footprint;
      if (urgent > most) return [];
      if (freed - urgent >= excess) return group;
    }
    return [];
  }

  /** Its bytes stay until what it carries is safe. */
  #evict(segment: Segment, carries: boolean): void {
    // Whoever was asked about another one may have been done with this one, and it was released.
    if (!this.segments.take(segment)) return;
    this.#leaving.push(segment);
    if (segment.index.pending === 0) return;
    const urgent = this.#options.urgentOf(segment);
    if (carries) this.#carried.add(urgent);
  }

  #moveCarried(): void {
    this.#hasMoved = true;
    for (const kept of this.#carried.take())
      this.#options.onMoved(kept, this.#add(kept, kept.destinations));
  }

  #removeLeaving(): void {
    for (const segment of this.#leaving)
      if (this.segments.remove(segment) && segment.kind === 'disk') this.#retryDiskAt = NOW;
    this.#leaving = [];
  }

  #diskFailed(cause: unknown): void {
    const { clock, log, spool } = this.#options;
    if (this.#head?.kind === 'disk') {
      if (this.#fallback === null) this.#head.seal();
      else this.#discard(this.#head);
      this.#head = this.#fallback;
      this.#fallback = null;
    }
    this.#retryDiskAt = clock.monotonicMs() + RETRY_DISK_MS;
    if (this.#diskFailedAt !== null) return;
    this.#diskFailedAt = clock.now();
    // A disk that is full has room again and again, as segments go: that is one story, not many.
    const now = clock.monotonicMs();
    this.#isTold = now - this.#toldAt >= TELL_AGAIN_MS;
    if (!this.#isTold) return;
    this.#toldAt = now;
    log.warn(
      'the state folder cannot be written: results on their way to the sinks are kept in memory only; make room there, or make it writable',
      { folder: spool?.folder, reason: cause instanceof Error ? cause.message : String(cause) },
    );
  }

  /** A file that took nothing. */
  #discard(segment: Segment): void {
    this.segments.take(segment);
    this.segments.remove(segment);
  }

  #diskWorks(): void {
    const { log, spool, onDiskWorks } = this.#options;
    this.#diskFailedAt = null;
    this.#fallback?.seal();
    this.#fallback = null;
    if (this.#isTold) log.info('the state folder can be written again', { folder: spool?.folder });
    onDiskWorks();
  }
}
