/**
 * The append-only log between router and deliveries: router → **journal** → deliveries. Every
 * emission that has a destination is appended once, before the run that made it counts as run, and
 * stays until each of its destinations is done with it. A process that is killed finds all of it
 * again; without a state folder, or while the disk does not take anything, memory keeps it.
 *
 * Appending never waits and never throws: where the disk fails, memory takes over, and when the
 * bounds are reached the oldest goes, repeats before state changes.
 */

import { type DestinationId, type Emission, instantOf } from '../../domain/delivery.ts';
import type { Clock, Timer } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Acks } from './acks.ts';
import { AppendLog, type JournalLimits, LIMITS } from './append-log.ts';
import { type Bodies, type JournalRecord, recordOf, textOf } from './record-text.ts';
import type { Kept, Segment } from './segment.ts';
import { type LeftSlot, Spool } from './spool.ts';

/** One record that still has someone to go to. */
export interface Pending {
  readonly seq: number;
  /** Ms since the epoch. */
  readonly at: number;
  readonly urgent: boolean;
}

export interface JournalOptions {
  readonly clock: Clock;
  readonly log: Log;
  /**
   * The records `from` to `to`, the oldest of all, are about to go. Whoever answers drops its repeats
   * among them and says which urgent ones it still has to deliver, and to whom. Must not append.
   */
  readonly onEvict: (from: number, to: number) => ReadonlyMap<number, readonly DestinationId[]>;
  /** An urgent record has another seq from now on. What is not told had no room: it cannot be read. */
  readonly onMoved: (from: number, to: number, destinations: readonly DestinationId[]) => void;
  readonly limits?: Partial<JournalLimits>;
}

export interface JournalState {
  readonly diskBytes: number;
  readonly memoryBytes: number;
  /** (record, destination) that are not done, and those among them that only memory has. */
  readonly pending: number;
  readonly pendingInMemory: number;
  /** What is appended now survives the end of the process. */
  readonly isDurable: boolean;
  /** Places in the files of former processes where frames were damaged. */
  readonly damaged: number;
  /** Paths in the folder that could not be read, or are not the journal's. */
  readonly foreign: readonly string[];
  /** Since when the disk takes nothing, ms since the epoch; null where it works, or none is wanted. */
  readonly diskFailedAt: number | null;
}

const GATHER_ACKS_MS = 1000;

/** `folder`: null keeps everything in memory. Never throws: without a usable disk, memory serves. */
export const openJournal = ({
  folder,
  ...options
}: JournalOptions & { readonly folder: string | null }): Journal =>
  new Journal(options, folder === null ? null : new Spool(folder, options.log));

export class Journal implements Disposable {
  readonly #options: JournalOptions;
  readonly #spool: Spool | null;
  readonly #log: AppendLog;
  readonly #acks = new Acks();
  #timer: Timer | null = null;
  readonly #damaged: number;
  /** Until then the journal answers for the deliveries, which are not there yet. */
  #isHandedOver = false;

  constructor(options: JournalOptions, spool: Spool | null) {
    this.#options = options;
    this.#spool = spool;
    const left = spool?.takeLeft() ?? [];
    this.#log = new AppendLog(
      {
        ...options,
        limits: { ...LIMITS, ...options.limits },
        spool,
        urgentOf: (segment) => this.#urgentOf(segment),
        onMoved: ({ seq, destinations }, to) => {
          if (this.#isHandedOver) options.onMoved(seq, to, destinations);
        },
        onDiskWorks: () => this.#writeAcks(),
      },
      left[0],
    );
    this.#damaged = left.reduce((sum, { damaged }) => sum + damaged, 0);
    for (const slot of left.slice(1)) this.#adopt(slot);
  }

  /**
   * The record's seq, growing by one each. `to` is not empty and names no one twice; where it is the
   * same object as before, it is recognised at no cost. `urgent`: a state change, kept longer than
   * repeats.
   */
  append(
    emission: Emission,
    bodies: Bodies | null,
    to: readonly DestinationId[],
    urgent: boolean,
  ): number {
    const json = textOf(emission, bodies);
    return this.#log.append({ at: instantOf(emission), urgent, json }, to);
  }

  /** Null where it is gone or damaged. */
  read(seq: number): JournalRecord | null {
    const json = this.#log.segments.find(seq)?.read(seq) ?? null;
    return json === null ? null : recordOf(json);
  }

  /** The destination is done with these, delivered or dropped. What is unknown is ignored. */
  done(destination: DestinationId, seqs: readonly number[]): void {
    let isEmptied = false;
    for (const seq of seqs) {
      const segment = this.#log.segments.find(seq);
      if (segment === null || !segment.index.settle(seq, destination)) continue;
      if (segment.kind === 'disk') this.#acks.add(destination, seq);
      isEmptied ||= segment.index.pending === 0;
    }
    if (isEmptied) this.#log.release();
    if (!this.#acks.isEmpty)
      this.#timer ??= this.#options.clock.after(GATHER_ACKS_MS, () => this.#writeAcks());
  }

  /**
   * What a former process left, by destination, in the order of seq. To be asked once, before the
   * first append: from then on segments that go are the caller's affair.
   */
  recovered(): ReadonlyMap<DestinationId, readonly Pending[]> {
    this.#isHandedOver = true;
    const found = new Map<DestinationId, Pending[]>();
    for (const segment of this.#log.segments) {
      for (const { seq, at, urgent, destinations } of segment.pending()) {
        const pending = { seq, at, urgent };
        for (const destination of destinations) {
          const list = found.get(destination);
          if (list === undefined) found.set(destination, [pending]);
          else list.push(pending);
        }
      }
    }
    return found;
  }

  get state(): JournalState {
    const { segments, diskFailedAt } = this.#log;
    const pendingInMemory = segments.pending('memory');
    return {
      diskBytes: segments.bytes('disk'),
      memoryBytes: segments.bytes('memory'),
      pending: segments.pending('disk') + pendingInMemory,
      pendingInMemory,
      isDurable: this.#spool !== null && diskFailedAt === null,
      damaged: this.#damaged,
      foreign: this.#spool?.foreign ?? [],
      diskFailedAt,
    };
  }

  /** What is pending stays on disk for the next process. */
  [Symbol.dispose](): void {
    this.#isHandedOver = false;
    if (this.#spool !== null) this.#saveMemory();
    this.#writeAcks();
    this.#timer?.cancel();
    this.#log.close();
    this.#spool?.release();
  }

  #urgentOf(segment: Segment): readonly Kept[] {
    if (!this.#isHandedOver) return [...segment.kept()].filter(({ urgent }) => urgent);
    const { base, end } = segment.index;
    const wanted = this.#options.onEvict(base, end - 1);
    if (wanted.size === 0) return [];
    return [...segment.kept()].flatMap((kept) => {
      const asked = wanted.get(kept.seq) ?? [];
      const destinations = kept.destinations.filter((each) => asked.includes(each));
      return destinations.length === 0 ? [] : [{ ...kept, destinations }];
    });
  }

  /** What the disk does not take now is tried again when it works. */
  #writeAcks(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const { segments } = this.#log;
    const frames = this.#acks.ranges((seq) => segments.find(seq)?.kind === 'disk');
    if (frames.length === 0 || this.#log.appendAcks(frames)) this.#acks.clear();
  }

  /** What a dead process has left in another slot, as if it had been appended here. */
  #adopt({ segments, lock }: LeftSlot): void {
    for (const segment of segments)
      for (const kept of segment.kept()) this.#log.append(kept, kept.destinations);
    // What only memory has would be lost with this process: then it stays there too.
    const isSafe = this.state.pendingInMemory === 0;
    for (const segment of segments) {
      if (isSafe) this.#log.segments.remove(segment);
      else segment.close();
    }
    lock.release();
  }

  /** From a time when the disk did not work. */
  #saveMemory(): void {
    const memory = [...this.#log.segments].filter(({ kind }) => kind === 'memory');
    this.#log.retryDisk();
    for (const kept of memory.flatMap((segment) => [...segment.kept()])) {
      this.#log.append(kept, kept.destinations);
      if (this.#log.diskFailedAt !== null) return;
    }
  }
}
