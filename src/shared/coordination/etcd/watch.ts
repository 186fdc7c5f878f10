/**
 * Follows a prefix over as many streams as it takes: members → stream → **watch** → feed. It keeps its
 * own place: the revision after the last one handed over, never one of a message's header, which counts
 * changes that have not arrived yet.
 *
 * States: opening (asked, not confirmed), confirmed (messages flow; after a silence it asks for a sign
 * of life), pausing (the stream failed), over (the signal aborted, or a gap).
 */

import { GRPCDeadlineExceededError, GRPCUnavailableError, type IWatchResponse } from 'etcd3';
import { WatcherError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import { backoffMs } from '../backoff.ts';
import { pause } from '../heartbeat.ts';
import type { Change, Revision, WatchEvent } from '../kv.ts';
import type { Epoch } from './epoch.ts';
import { faultOf, needsNewClient, storeError } from './errors.ts';
import type { Member, Members } from './members.ts';
import { WatchStream } from './watch-stream.ts';
import { changeOf, rangeOf } from './wire.ts';

export interface WatchTiming {
  /** A stream that is not confirmed by then hangs. */
  readonly confirmMs: number;
  /** After this long without a message, the member is asked for a sign of life. */
  readonly quietMs: number;
  /** A member that does not give it by then hangs. */
  readonly answerMs: number;
}

export interface WatchOptions {
  readonly members: Members;
  readonly epoch: Epoch;
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: WatchTiming;
  /** Reads etcd's revision from its leader, so that the epoch is known. */
  readonly verify: () => Promise<unknown>;
}

const GAP: WatchEvent = { kind: 'gap' };

const modRevisionOf = (change: Change): Revision =>
  change.kind === 'put' ? change.entry.modRevision : change.modRevision;

export class Watch {
  readonly #options: WatchOptions;
  readonly #prefix: string;
  readonly #signal: AbortSignal;
  readonly #epochEnded: AbortSignal | null;
  /** The first revision that has not been handed over. */
  #next: Revision;
  /** In a row. */
  #failures = 0;
  #denials = 0;

  constructor(options: WatchOptions, prefix: string, after: Revision, signal: AbortSignal) {
    this.#options = options;
    this.#prefix = prefix;
    this.#next = after + 1;
    this.#epochEnded = options.epoch.ended;
    this.#signal = this.#epochEnded === null ? signal : AbortSignal.any([signal, this.#epochEnded]);
  }

  /** Throws WCH_STORE_UNAVAILABLE, not retryable, only when etcd refuses this user. */
  async *run(): AsyncGenerator<WatchEvent> {
    const { members, clock, random } = this.#options;
    while (!this.#signal.aborted) {
      const member = members.current;
      try {
        yield* this.#follow(member);
        break;
      } catch (error) {
        if (this.#signal.aborted) break;
        this.#blame(member, error);
        this.#failures += 1;
        await pause(clock, backoffMs(this.#failures, random), this.#signal);
      }
    }
    if (this.#epochEnded?.aborted) yield GAP;
  }

  /** Returns when the watch is over. Throws when the stream is. */
  async *#follow(member: Member): AsyncGenerator<WatchEvent> {
    using stream = await this.#open(member);
    const close = () => stream[Symbol.dispose]();
    this.#signal.addEventListener('abort', close, { once: true });
    try {
      yield* this.#read(stream);
    } finally {
      this.#signal.removeEventListener('abort', close);
    }
  }

  #open({ client }: Member): Promise<WatchStream> {
    const request = {
      ...rangeOf(this.#prefix),
      start_revision: this.#next,
      // Moves on the place of a watch whose keys never change: else it falls behind the compaction.
      progress_notify: true,
      fragment: true,
    };
    return WatchStream.open(client, request, this.#options.clock);
  }

  async *#read(stream: WatchStream): AsyncGenerator<WatchEvent> {
    const changes: Change[] = [];
    let message = await this.#confirmation(stream);
    for (; message !== null; message = await this.#message(stream)) {
      if (isCompacted(message)) return yield GAP;
      changes.push(...this.#newIn(message));
      // A message may hold a part of a revision only: whole ones are handed over.
      if (message.fragment) continue;
      const last = changes.at(-1);
      if (last === undefined) {
        this.#progressed(message);
        continue;
      }
      const revision = modRevisionOf(last);
      this.#next = revision + 1;
      yield { kind: 'changes', changes: changes.splice(0), revision };
    }
  }

  /**
   * The message that confirms a stream tells the member's revision. One before our place is no proof, as
   * the member may lag, but it may be that etcd was restored from older data: then this stream would
   * wait in silence for revisions that have been once already.
   */
  async #confirmation(stream: WatchStream): Promise<IWatchResponse | null> {
    const message = await stream.take(this.#options.timing.confirmMs);
    if (message === 'closed') return null;
    if (message === 'silent') throw new GRPCDeadlineExceededError('4 a stream is not confirmed');
    this.#options.epoch.requireSameCluster(message.header);
    requireAccepted(message);
    this.#failures = 0;
    this.#denials = 0;
    if (Number(message.header.revision) < this.#next - 1) await this.#options.verify();
    return message;
  }

  /** The next one; null when the stream was closed by us. After a silence it asks for a sign of life. */
  async #message(stream: WatchStream): Promise<IWatchResponse | null> {
    const { quietMs, answerMs } = this.#options.timing;
    let message = await stream.take(quietMs);
    if (message === 'silent') {
      stream.askProgress();
      message = await stream.take(answerMs);
    }
    if (message === 'silent') throw new GRPCDeadlineExceededError('4 a silent watch stream');
    if (message === 'closed') return null;
    requireAccepted(message);
    return message;
  }

  /** A stream that begins again may tell what was told before. */
  #newIn(message: IWatchResponse): Change[] {
    return message.events.map(changeOf).filter((change) => modRevisionOf(change) >= this.#next);
  }

  /**
   * A message without events that etcd sends by itself, every ten minutes, is true for this watch. The
   * answer to askProgress (watch -1) is a sign of life only: etcd before 3.4.25 and 3.5.8 sends it
   * ahead of changes that it has not sent yet (etcd-io/etcd#15220).
   */
  #progressed(message: IWatchResponse): void {
    if (message.created || message.watch_id === '-1') return;
    this.#next = Math.max(this.#next, Number(message.header.revision) + 1);
  }

  #blame(member: Member, error: unknown): void {
    const { members } = this.#options;
    // Of verify: the calls have turned to another member already.
    if (error instanceof WatcherError) return;
    const fault = faultOf(error);
    if (fault === 'defect') throw error;
    if (fault !== 'denied') return members.failed(member, needsNewClient(fault));
    // An expired token is told in the same words, and only a new client asks for another.
    this.#denials += 1;
    if (this.#denials > members.size)
      throw storeError(fault, `watching ${this.#prefix} at ${member.endpoint}`, error);
    members.failed(member, true);
  }
}

/** Etcd ends a watch of revisions that it has forgotten. */
const isCompacted = ({ canceled, compact_revision }: IWatchResponse): boolean =>
  canceled && compact_revision !== '0';

const requireAccepted = (message: IWatchResponse): void => {
  if (message.canceled && !isCompacted(message))
    throw new GRPCUnavailableError(`14 UNAVAILABLE: watch canceled: ${message.cancel_reason}`);
};
